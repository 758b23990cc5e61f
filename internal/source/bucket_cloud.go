//go:build !nocloud

package source

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"

	"gleapsync/internal/exchange"
)

// openBucket returns the bucket of a location, with the credentials that its cloud's
// tools would find.
func openBucket(ctx context.Context, l location) (bucket, error) {
	switch l.scheme {
	case "s3":
		return openS3(ctx, l)
	case "gs":
		return openGCS(ctx, l)
	}
	return openAzure(ctx, l)
}

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
