package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"gleapsync/internal/exchange"
	"gleapsync/internal/outside"
	"gleapsync/internal/pattern"
)

// Error says for people what went wrong with a bucket.
type Error struct {
	text string
	err  error // what it came from, or one of the errors of this package
}

func (e *Error) Error() string { return e.text }

// Unwrap is for [errors.Is].
func (e *Error) Unwrap() error { return e.err }

// explain makes an [Error] of a storage's.
func explain(ctx context.Context, err error) error {
	text := reason(ctx, err)
	var answer *storageError
	switch {
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errSilent):
		err = context.Cause(ctx)
	case !errors.As(err, &answer):
	case answer.status == http.StatusPreconditionFailed, answer.status == http.StatusConflict:
		err = ErrCondition
	case answer.status == http.StatusNotFound && answer.code != "NoSuchBucket" && answer.code != "ContainerNotFound":
		err = ErrNotFound
	}
	return &Error{text, err}
}

// explainWrite is [explain] of what writes.
func explainWrite(ctx context.Context, err error) error {
	explained := explain(ctx, err)
	var answer *storageError
	if errors.As(err, &answer) && answer.status == http.StatusForbidden && advice(answer) == readPermission {
		return &Error{answer.Error() + ": the credentials need the permission to put and to delete objects", err}
	}
	return explained
}

const readPermission = ": the credentials need the permission to list the bucket and to get its objects"

// storageError is a storage's answer that says no.
type storageError struct {
	status int
	code   string // a word for the reason, if there is one
}

// codeWord is what the codes of storages look like.
var codeWord = pattern.Of(`^[A-Za-z]{1,64}$`)

func (e *storageError) Error() string {
	if !codeWord().MatchString(e.code) {
		return fmt.Sprintf("it answers %d %s", e.status, http.StatusText(e.status))
	}
	return fmt.Sprintf("it answers %d %s", e.status, e.code)
}

// regionError is the answer of a bucket in another region than was asked.
type regionError struct {
	*storageError
	region string
}

func (e *regionError) Unwrap() error { return e.storageError }

// regionWord is what the names of regions look like.
var regionWord = pattern.Of(`^[a-z0-9-]{1,64}$`)

// permanent reports whether the answer will be the same in a moment.
func (e *storageError) permanent() bool {
	return e.status >= 400 && e.status < 500 && e.status != http.StatusRequestTimeout && e.status != http.StatusTooManyRequests
}

// credentialsError says that there are no credentials to begin with.
type credentialsError struct{ hint string }

func (e *credentialsError) Error() string { return "no credentials were found: " + e.hint }

var (
	errSilent = errors.New("it was silent for " + silence.String())
	// ErrChanged ends the reading of an object that was replaced meanwhile.
	ErrChanged = errors.New("it changed while it was read")
	// errAnswer is an answer that is not of the storage's protocol.
	errAnswer = errors.New("the answer cannot be understood")
)

// reason makes a storage's error one for people. It leaves out addresses, which may be
// signed.
func reason(ctx context.Context, err error) string {
	var elsewhere *regionError
	var answer *storageError
	var credentials *credentialsError
	var request *url.Error
	switch {
	case errors.Is(context.Cause(ctx), errSilent):
		return errSilent.Error() + ": check the address and the network"
	case ctx.Err() != nil:
		return context.Cause(ctx).Error()
	case errors.As(err, &elsewhere):
		return fmt.Sprintf("%v: the bucket is in another region: name it with region=%s behind the question mark of its address", elsewhere.storageError, elsewhere.region)
	case errors.As(err, &answer):
		return answer.Error() + advice(answer)
	case errors.As(err, &credentials):
		return credentials.Error()
	case errors.As(err, &request):
		return exchange.Why(request.Err) + ": check the address and the network"
	case errors.Is(err, errAnswer), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, new(*net.OpError)):
		return exchange.Why(err)
	}
	return outside.Cleaner()(err.Error())
}

const otherRegion = ": the bucket is in another region: name it with region"

// advice says what to do about an answer.
func advice(answer *storageError) string {
	switch answer.code {
	case "NoSuchBucket", "ContainerNotFound":
		return ": there is no such bucket: check its name and the account or end point"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed", "ExpiredToken", "InvalidToken":
		return ": the credentials are wrong or have expired"
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return otherRegion
	}
	switch answer.status {
	case http.StatusUnauthorized:
		return ": the credentials are wrong or have expired"
	case http.StatusForbidden:
		return readPermission
	case http.StatusNotFound:
		return ": there is no such bucket, or the object is gone"
	case http.StatusMovedPermanently:
		return otherRegion
	}
	return ""
}
