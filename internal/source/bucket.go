package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"gleapsync/internal/exchange"
)

// bucket is what is used of object storage.
type bucket interface {
	// list finds the objects whose keys begin with prefix.
	list(ctx context.Context, prefix string) iter.Seq2[blob, error]
	// get reads an object from offset on. A version other than that of o is an error if
	// the storage knows such conditions; found is what is read in any case.
	get(ctx context.Context, o blob, offset int64) (body io.ReadCloser, found blob, err error)
}

// blob is an object of a bucket as it was found.
type blob struct {
	key     string
	version string
	size    int64 // what get found: what is left of it
	time    time.Time
}

// storageError is a storage's answer that says no.
type storageError struct {
	status int
	code   string // a word for the reason, if there is one
}

// codeWord is what the codes of storages look like.
var codeWord = regexp.MustCompile(`^[A-Za-z]{1,64}$`)

func (e *storageError) Error() string {
	if !codeWord.MatchString(e.code) {
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
var regionWord = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// permanent reports whether the answer will be the same in a moment.
func (e *storageError) permanent() bool {
	return e.status >= 400 && e.status < 500 && e.status != http.StatusRequestTimeout && e.status != http.StatusTooManyRequests
}

// credentialsError says that there are no credentials to begin with.
type credentialsError struct{ hint string }

func (e *credentialsError) Error() string { return "no credentials were found: " + e.hint }

var (
	errSilent  = errors.New("it was silent for " + silence.String())
	errChanged = errors.New("it changed while it was read")
	// errAnswer is an answer that is not of the storage's protocol.
	errAnswer = errors.New("the answer cannot be understood")
)

const (
	// silence is how long a storage may say nothing.
	silence = 30 * time.Second
	// maxRetries is how often the reading of an object goes on after it broke off.
	maxRetries = 6
	firstDelay = 500 * time.Millisecond
	mostDelay  = 10 * time.Second
)

// objects finds the objects of a bucket.
func (p Place) objects(ctx context.Context) (found, error) {
	l, err := parseLocation(p.Source)
	if err != nil {
		return found{}, Unreadable("the source is not valid: %v", err)
	}
	listing, w := newWatch(ctx)
	defer w.end()
	b, err := openBucket(listing, l)
	if err != nil {
		return found{}, l.unreadable(listing, l.bucketName(), err)
	}
	f := found{named: l.isName()}
	folders := map[string]bool{} // of the files
	var marks []Input
	for i, prefix := range l.prefixes(p.Pick) {
		for o, err := range b.list(listing, prefix) {
			if err != nil {
				return found{}, l.unreadable(listing, l.bucketName(), err)
			}
			w.begin()
			in := Input{
				Name: l.name(o.key), Version: fmt.Sprintf("%q %d %d", o.version, o.size, o.time.UnixNano()), Time: o.time, size: o.size,
				Raw: func(ctx context.Context) (io.ReadCloser, error) {
					return &objectReader{ctx: ctx, location: l, bucket: b, blob: o}, nil
				},
			}
			switch {
			case l.matches(o.key):
				if i == 0 {
					f.files = append(f.files, in)
					folders[folderOf(in.Name)] = true
				}
			case saysAll(o.key):
				marks = append(marks, in)
			}
		}
	}
	for _, in := range marks {
		if folders[folderOf(in.Name)] && !slices.ContainsFunc(f.beside, func(b Input) bool { return b.Name == in.Name }) {
			f.beside = append(f.beside, in)
		}
	}
	switch {
	case len(f.files) > 0:
		return f, nil
	case l.isFolder():
		return found{}, empty("there is no object in the folder %s", l.name(l.pattern))
	}
	return found{}, empty("no object matches %s", l.name(l.pattern))
}

func (l location) bucketName() string { return l.scheme + "://" + l.bucket }

// unreadable makes a storage's error one for people. It leaves out addresses, which may
// be signed.
func (l location) unreadable(ctx context.Context, name string, err error) error {
	return Unreadable("%s cannot be read: %v", name, l.reason(ctx, err))
}

func (l location) reason(ctx context.Context, err error) string {
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
	return Cleaner()(err.Error())
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
		return ": the credentials need the permission to list the bucket and to get its objects"
	case http.StatusNotFound:
		return ": there is no such bucket, or the object is gone"
	case http.StatusMovedPermanently:
		return otherRegion
	}
	return ""
}

// watch ends a context when a storage is silent for too long.
type watch struct {
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

// newWatch returns a context and its watch, which has begun.
func newWatch(ctx context.Context) (context.Context, watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, watch{time.AfterFunc(silence, func() { cancel(errSilent) }), cancel}
}

func (w watch) begin() { w.timer.Reset(silence) }

// pause stops it while nobody waits for the storage.
func (w watch) pause() { w.timer.Stop() }

func (w watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// objectReader reads an object. When the connection breaks it goes on where it was, in
// the same version.
type objectReader struct {
	ctx context.Context // of the one who reads: Read has none
	location
	bucket
	blob
	offset  int64
	retries int
	err     error // what ended the reading

	// The answer that is being read, nil if there is none.
	body    io.ReadCloser
	bodyCtx context.Context
	watch   watch
}

func (r *objectReader) Read(p []byte) (int, error) {
	for r.err == nil {
		n, err := r.readSome(p)
		r.offset += int64(n)
		switch {
		case n > 0:
			return n, nil
		case r.offset == r.size:
			r.err = io.EOF
		case err != nil:
			r.err = r.recover(err)
		}
	}
	return 0, r.err
}

// readSome asks for the rest of the object if nobody did, and reads some of it.
func (r *objectReader) readSome(p []byte) (n int, err error) {
	if r.offset == r.size {
		return 0, nil
	}
	if r.body == nil {
		r.bodyCtx, r.watch = newWatch(r.ctx)
		var found blob
		if r.body, found, err = r.get(r.bodyCtx, r.blob, r.offset); err != nil {
			return 0, err
		}
		if found.version != r.version || found.size != r.size-r.offset {
			return 0, errChanged
		}
	}
	r.watch.begin()
	n, err = r.body.Read(p)
	r.watch.pause()
	return n, err
}

// recover waits before the reading goes on after err. It returns an error if it cannot go
// on.
func (r *objectReader) recover(err error) error {
	reason := r.reason(r.bodyCtx, err)
	r.hangUp()
	var answer *storageError
	switch refused := errors.As(err, &answer) && answer.permanent(); {
	case r.ctx.Err() != nil:
		return context.Cause(r.ctx)
	case errors.Is(err, errChanged):
		return errChanged
	case refused && (answer.status == http.StatusPreconditionFailed || answer.status == http.StatusNotFound):
		return errChanged
	case refused:
		return Unreadable("%s", reason)
	case r.retries == maxRetries:
		return Unreadable("the reading broke off %d times, at last since %s", r.retries+1, reason)
	}
	select {
	case <-time.After(min(firstDelay<<r.retries, mostDelay)):
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
	r.retries++
	return nil
}

// hangUp ends the answer that is being read.
func (r *objectReader) hangUp() {
	if r.bodyCtx == nil {
		return
	}
	r.watch.end()
	if r.body != nil {
		r.body.Close()
	}
	r.body, r.bodyCtx = nil, nil
}

// Close checks that the object did not change while it was read.
func (r *objectReader) Close() error {
	r.hangUp()
	if r.offset < r.size {
		return nil // its reader knows that it is not all
	}
	ctx, w := newWatch(r.ctx)
	defer w.end()
	for o, err := range r.list(ctx, r.key) {
		if err != nil {
			return r.location.unreadable(ctx, r.name(r.key), err)
		}
		if o.key == r.key {
			if o.version == r.version && o.size == r.size && o.time.Equal(r.time) {
				return nil
			}
			break
		}
	}
	return fmt.Errorf("%s changed while it was read", r.name(r.key))
}
