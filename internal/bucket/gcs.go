//go:build !nocloud

package bucket

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
	upload  string // where objects are written
}

func openGCS(ctx context.Context, a Address) (storage, error) {
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
	path := "/storage/v1/b/" + url.PathEscape(a.Bucket) + "/o"
	return &gcsBucket{&http.Client{Transport: transport, CheckRedirect: stay}, host + path, host + "/upload" + path}, nil
}

// googleCredentials finds credentials and tries them. It does not wait for who gives the
// tokens when ctx ends: the context is kept for those that are asked for later, so that
// they do not end with the listing.
func googleCredentials(ctx context.Context) (*google.Credentials, error) {
	found := make(chan *google.Credentials, 1)
	go func() {
		tokens := context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, &http.Client{Transport: exchange.Answers(http.DefaultTransport), Timeout: silence})
		credentials, err := google.FindDefaultCredentials(tokens, "https://www.googleapis.com/auth/devstorage.read_write")
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

func (b *gcsBucket) list(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		query := url.Values{"prefix": {prefix}, "fields": {"nextPageToken,items(name,generation,size,updated)"}}
		for {
			var page struct {
				NextPageToken string      `json:"nextPageToken"`
				Items         []gcsObject `json:"items"`
			}
			response, err := b.call(ctx, http.MethodGet, b.address+"?"+query.Encode(), http.Header{}, nil)
			if err == nil {
				err = readPage(response, func(r io.Reader) error { return json.NewDecoder(r).Decode(&page) })
			}
			if err != nil {
				yield(Object{}, err)
				return
			}
			for _, o := range page.Items {
				if !yield(Object{o.Name, o.Generation, o.Size, o.Updated}, nil) {
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

func (b *gcsBucket) get(ctx context.Context, o Object, offset int64) (io.ReadCloser, Object, error) {
	header := http.Header{"Accept-Encoding": {"gzip"}} // else it unzips what is stored so
	if offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	query := url.Values{"alt": {"media"}}
	if o.Version != "" {
		query.Set("ifGenerationMatch", o.Version)
	}
	response, err := b.call(ctx, http.MethodGet, b.object(o.Key)+"?"+query.Encode(), header, nil)
	if err != nil {
		return nil, Object{}, err
	}
	return response.Body, Object{Key: o.Key, Version: cmp.Or(response.Header.Get("X-Goog-Generation"), o.Version), Size: response.ContentLength, Time: modified(response)}, nil
}

// object is the address of an object.
func (b *gcsBucket) object(key string) string { return b.address + "/" + url.PathEscape(key) }

func (b *gcsBucket) put(ctx context.Context, key string, body []byte, c Condition) (version string, err error) {
	query := url.Values{"uploadType": {"media"}, "name": {key}, "fields": {"generation"}}
	if c.New {
		query.Set("ifGenerationMatch", "0")
	}
	if c.Version != "" {
		query.Set("ifGenerationMatch", c.Version)
	}
	response, err := b.call(ctx, http.MethodPost, b.upload+"?"+query.Encode(), http.Header{"Content-Type": {contentType}}, body)
	if err != nil {
		return "", err
	}
	var written gcsObject
	err = readPage(response, func(r io.Reader) error { return json.NewDecoder(r).Decode(&written) })
	return written.Generation, err
}

func (b *gcsBucket) remove(ctx context.Context, key string) error {
	response, err := b.call(ctx, http.MethodDelete, b.object(key), http.Header{}, nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (b *gcsBucket) call(ctx context.Context, method, address string, header http.Header, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bodyOf(body))
	if err != nil {
		return nil, err
	}
	request.Header = header
	response, err := b.client.Do(request)
	if err != nil {
		return nil, err
	}
	if !isDone(response) {
		response.Body.Close()
		return nil, &storageError{status: response.StatusCode}
	}
	return response, nil
}
