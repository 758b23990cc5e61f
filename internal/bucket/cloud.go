//go:build !nocloud

package bucket

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"gleapsync/internal/exchange"
)

// openStorage returns the bucket of a location, with the credentials that its cloud's
// tools would find.
func openStorage(ctx context.Context, a Address) (storage, error) {
	switch a.Scheme {
	case "s3":
		return openS3(ctx, a)
	case "gs":
		return openGCS(ctx, a)
	}
	return openAzure(ctx, a)
}

// Built reports whether this build has object storage.
const Built = true

// stay is for clients that follow no redirect: no storage needs one, and credentials must not
// go where an answer says.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// rawTransport does not unzip: objects are read as they are stored.
func rawTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	return exchange.Answers(t)
}

// retryingTransport repeats what a storage answers that has too much to do.
func retryingTransport() http.RoundTripper {
	retrying := retryablehttp.NewClient()
	retrying.Logger, retrying.RetryMax, retrying.ErrorHandler = nil, 3, retryablehttp.PassthroughErrorHandler
	retrying.HTTPClient = &http.Client{Transport: rawTransport(), CheckRedirect: stay}
	return &retryablehttp.RoundTripper{Client: retrying}
}

// readPage decodes a page of a list of objects.
func readPage(response *http.Response, decode func(io.Reader) error) error {
	defer response.Body.Close()
	if err := decode(response.Body); err != nil {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	return nil
}

// contentType is that of all objects that are written.
const contentType = "application/octet-stream"

// isDone reports whether a storage did what it was asked for.
func isDone(response *http.Response) bool { return response.StatusCode/100 == 2 }

// modified returns when an object was written, as its answer says.
func modified(response *http.Response) time.Time {
	at, _ := http.ParseTime(response.Header.Get("Last-Modified"))
	return at
}
