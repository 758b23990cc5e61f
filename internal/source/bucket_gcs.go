//go:build !nocloud

package source

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"gleapsync/internal/exchange"
)

// gcsBucket is a bucket of Google Cloud Storage. Google's own client for it brings in gRPC,
// more code than all of gleapsync has, for the two calls that are needed.
type gcsBucket struct {
	client  *http.Client
	address string // of the bucket's objects
}

func openGCS(ctx context.Context, l location) (bucket, error) {
	transport := retryingTransport()
	host := "https://storage.googleapis.com"
	// Where the emulators' variable is set, nobody asks for credentials.
	if emulator := os.Getenv("STORAGE_EMULATOR_HOST"); emulator != "" {
		if host = strings.TrimSuffix(emulator, "/"); !strings.Contains(host, "://") {
			host = "http://" + host
		}
	} else {
		credentials, err := googleCredentials(ctx)
		if err != nil {
			return nil, err
		}
		transport = &oauth2.Transport{Source: credentials.TokenSource, Base: transport}
	}
	return &gcsBucket{&http.Client{Transport: transport, CheckRedirect: stay}, host + "/storage/v1/b/" + url.PathEscape(l.bucket) + "/o"}, nil
}

// googleCredentials finds credentials and tries them. It does not wait for who gives the
// tokens when ctx ends: the context is kept for those that are asked for later, so that
// they do not end with the listing.
func googleCredentials(ctx context.Context) (*google.Credentials, error) {
	found := make(chan *google.Credentials, 1)
	go func() {
		tokens := context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, &http.Client{Transport: exchange.Answers(http.DefaultTransport), Timeout: silence})
		credentials, err := google.FindDefaultCredentials(tokens, "https://www.googleapis.com/auth/devstorage.read_only")
		if err == nil {
			_, err = credentials.TokenSource.Token()
		}
		if err != nil {
			credentials = nil
		}
		found <- credentials
	}()
	select {
	case credentials := <-found:
		if credentials == nil {
			return nil, &credentialsError{"set GOOGLE_APPLICATION_CREDENTIALS to a key file, or give this machine a service account"}
		}
		return credentials, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// gcsObject is an object as the JSON API has it.
type gcsObject struct {
	Name       string    `json:"name"`
	Generation string    `json:"generation"`
	Size       int64     `json:"size,string"`
	Updated    time.Time `json:"updated"`
}

func (b *gcsBucket) list(ctx context.Context, prefix string) iter.Seq2[blob, error] {
	return func(yield func(blob, error) bool) {
		query := url.Values{"prefix": {prefix}, "fields": {"nextPageToken,items(name,generation,size,updated)"}}
		for {
			var page struct {
				NextPageToken string      `json:"nextPageToken"`
				Items         []gcsObject `json:"items"`
			}
			response, err := b.call(ctx, "?"+query.Encode(), nil)
			if err == nil {
				err = readPage(response, func(r io.Reader) error { return json.NewDecoder(r).Decode(&page) })
			}
			if err != nil {
				yield(blob{}, err)
				return
			}
			for _, o := range page.Items {
				if !yield(blob{o.Name, o.Generation, o.Size, o.Updated}, nil) {
					return
				}
			}
			if page.NextPageToken == "" {
				return
			}
			query.Set("pageToken", page.NextPageToken)
		}
	}
}

func (b *gcsBucket) get(ctx context.Context, o blob, offset int64) (io.ReadCloser, blob, error) {
	header := http.Header{"Accept-Encoding": {"gzip"}} // else it unzips what is stored so
	if offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	query := url.Values{"alt": {"media"}, "ifGenerationMatch": {o.version}}
	response, err := b.call(ctx, "/"+url.PathEscape(o.key)+"?"+query.Encode(), header)
	if err != nil {
		return nil, blob{}, err
	}
	return response.Body, blob{key: o.key, version: cmp.Or(response.Header.Get("X-Goog-Generation"), o.version), size: response.ContentLength}, nil
}

func (b *gcsBucket) call(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.address+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header = header
	response, err := b.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusPartialContent {
		response.Body.Close()
		return nil, &storageError{status: response.StatusCode}
	}
	return response, nil
}
