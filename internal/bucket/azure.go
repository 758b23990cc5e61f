//go:build !nocloud

package bucket

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"gleapsync/internal/exchange"
)

// azureVersion is the version of the REST API that the requests are written for.
const azureVersion = "2023-11-03"

// azureBucket is a container of Azure Blob Storage. Azure's own client for it brings in fifty
// packages, Arrow among them, for the two calls that are needed.
type azureBucket struct {
	client    *http.Client
	address   *url.URL // of the container, with the signature of its query if it has one
	authorize func(context.Context, *http.Request) error
}

func openAzure(ctx context.Context, a Address) (storage, error) {
	b, err := azureAccess(ctx, a)
	if err != nil {
		return nil, err
	}
	b.client = &http.Client{Transport: retryingTransport(), CheckRedirect: stay}
	b.address = b.address.JoinPath(a.Bucket)
	return b, nil
}

// azureAccess finds the account and the credentials, in the places where Azure's tools do.
func azureAccess(ctx context.Context, a Address) (*azureBucket, error) {
	if all := os.Getenv("AZURE_STORAGE_CONNECTION_STRING"); all != "" {
		return parseConnectionString(all)
	}
	account := cmp.Or(a.settings.Get("storage_account"), os.Getenv("AZURE_STORAGE_ACCOUNT"))
	if account == "" {
		return nil, &credentialsError{"name the account with ?storage_account=… or AZURE_STORAGE_ACCOUNT"}
	}
	address, err := url.Parse("https://" + account + ".blob.core.windows.net")
	if err != nil {
		return nil, &credentialsError{"the account's name is none"}
	}
	if key := os.Getenv("AZURE_STORAGE_KEY"); key != "" {
		secret, err := base64.StdEncoding.DecodeString(key)
		if err != nil {
			return nil, &credentialsError{"AZURE_STORAGE_KEY is not the key of an account"}
		}
		return &azureBucket{address: address, authorize: sharedKey{account, secret}.authorize}, nil
	}
	if token := os.Getenv("AZURE_STORAGE_SAS_TOKEN"); token != "" {
		address.RawQuery = strings.TrimPrefix(token, "?")
		return &azureBucket{address: address, authorize: byQuery}, nil
	}
	credential, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
		ClientOptions: azcore.ClientOptions{Transport: &http.Client{Transport: exchange.Answers(http.DefaultTransport), Timeout: silence}},
	})
	if err == nil {
		err = bearer{credential}.authorize(ctx, &http.Request{Header: http.Header{}})
	}
	if err != nil {
		return nil, &credentialsError{"set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or give this machine an identity"}
	}
	return &azureBucket{address: address, authorize: bearer{credential}.authorize}, nil
}

// parseConnectionString reads a text such as AccountName=…;AccountKey=…. Source: Azure's
// page on connection strings.
func parseConnectionString(text string) (*azureBucket, error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimRight(text, ";"), ";") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, errConnectionString
		}
		parts[name] = value
	}
	endpoint := parts["BlobEndpoint"]
	if account := parts["AccountName"]; endpoint == "" && account != "" {
		endpoint = fmt.Sprintf("%s://%s.blob.%s", cmp.Or(parts["DefaultEndpointsProtocol"], "https"), account, cmp.Or(parts["EndpointSuffix"], "core.windows.net"))
	}
	address, err := url.Parse(endpoint)
	if err != nil || address.Host == "" {
		return nil, errConnectionString
	}
	if key := parts["AccountKey"]; key != "" {
		secret, err := base64.StdEncoding.DecodeString(key)
		if err != nil || parts["AccountName"] == "" {
			return nil, errConnectionString
		}
		return &azureBucket{address: address, authorize: sharedKey{parts["AccountName"], secret}.authorize}, nil
	}
	if parts["SharedAccessSignature"] == "" {
		return nil, errConnectionString
	}
	address.RawQuery = parts["SharedAccessSignature"]
	return &azureBucket{address: address, authorize: byQuery}, nil
}

var errConnectionString = &credentialsError{"AZURE_STORAGE_CONNECTION_STRING is not a connection string"}

// bearer authorizes with tokens of an identity, which keeps them as long as they are good.
type bearer struct{ credential azcore.TokenCredential }

func (b bearer) authorize(ctx context.Context, r *http.Request) error {
	token, err := b.credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{"https://storage.azure.com/.default"}})
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token.Token)
	return nil
}

// byQuery is for addresses that are signed.
func byQuery(context.Context, *http.Request) error { return nil }

// azurePage is a page of a list.
type azurePage struct {
	Blobs []struct {
		Name struct {
			Encoded bool   `xml:"Encoded,attr"` // what XML cannot say is written as %XX
			Text    string `xml:",chardata"`
		}
		Properties struct {
			LastModified  string `xml:"Last-Modified"`
			Etag          string
			ContentLength int64 `xml:"Content-Length"`
		}
	} `xml:"Blobs>Blob"`
	NextMarker string
}

func (b *azureBucket) list(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		query := url.Values{"restype": {"container"}, "comp": {"list"}, "prefix": {prefix}}
		for {
			var page azurePage
			response, err := b.call(ctx, http.MethodGet, "", query, http.Header{}, nil)
			if err == nil {
				err = readPage(response, func(r io.Reader) error { return xml.NewDecoder(r).Decode(&page) })
			}
			if err != nil {
				yield(Object{}, err)
				return
			}
			for _, o := range page.Blobs {
				key := o.Name.Text
				if o.Name.Encoded {
					if key, err = url.PathUnescape(key); err != nil {
						yield(Object{}, fmt.Errorf("%w: %w", errAnswer, err))
						return
					}
				}
				at, err := http.ParseTime(o.Properties.LastModified)
				if err != nil {
					yield(Object{}, fmt.Errorf("%w: %w", errAnswer, err))
					return
				}
				if !yield(Object{key, o.Properties.Etag, o.Properties.ContentLength, at}, nil) {
					return
				}
			}
			if page.NextMarker == "" {
				return
			}
			query.Set("marker", page.NextMarker)
		}
	}
}

func (b *azureBucket) get(ctx context.Context, o Object, offset int64) (io.ReadCloser, Object, error) {
	// Lists have the tag without the quotes that are part of it.
	header := http.Header{}
	if o.Version != "" {
		header.Set("If-Match", `"`+strings.Trim(o.Version, `"`)+`"`)
	}
	if offset > 0 {
		header.Set("x-ms-range", fmt.Sprintf("bytes=%d-", offset))
	}
	response, err := b.call(ctx, http.MethodGet, o.Key, nil, header, nil)
	if err != nil {
		return nil, Object{}, err
	}
	return response.Body, Object{Key: o.Key, Version: cmp.Or(o.Version, response.Header.Get("ETag")), Size: response.ContentLength, Time: modified(response)}, nil
}

func (b *azureBucket) put(ctx context.Context, key string, body []byte, c Condition) (version string, err error) {
	header := http.Header{"Content-Type": {contentType}, "X-Ms-Blob-Type": {"BlockBlob"}}
	if c.New {
		header.Set("If-None-Match", "*")
	}
	if c.Version != "" {
		header.Set("If-Match", `"`+strings.Trim(c.Version, `"`)+`"`)
	}
	response, err := b.call(ctx, http.MethodPut, key, nil, header, body)
	if err != nil {
		return "", err
	}
	return response.Header.Get("ETag"), response.Body.Close()
}

func (b *azureBucket) remove(ctx context.Context, key string) error {
	response, err := b.call(ctx, http.MethodDelete, key, nil, http.Header{}, nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// call asks for something of an object, or with an empty key of the container.
func (b *azureBucket) call(ctx context.Context, method, key string, query url.Values, header http.Header, body []byte) (*http.Response, error) {
	address := *b.address
	if key != "" {
		address.Path, address.RawPath = address.Path+"/"+key, ""
	}
	if query != nil {
		address.RawQuery = strings.TrimPrefix(address.RawQuery+"&"+query.Encode(), "&")
	}
	request, err := http.NewRequestWithContext(ctx, method, address.String(), bodyOf(body))
	if err != nil {
		return nil, err
	}
	request.Header = header
	request.Header.Set("x-ms-version", azureVersion)
	request.Header.Set("x-ms-date", time.Now().UTC().Format(http.TimeFormat))
	if err := b.authorize(ctx, request); err != nil {
		return nil, err
	}
	response, err := b.client.Do(request)
	if err != nil {
		return nil, err
	}
	if !isDone(response) {
		response.Body.Close()
		return nil, &storageError{response.StatusCode, response.Header.Get("x-ms-error-code")}
	}
	return response, nil
}
