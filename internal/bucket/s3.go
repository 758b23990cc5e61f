//go:build !nocloud

package bucket

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"gleapsync/internal/pattern"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
)

// s3Bucket is a bucket of S3, and of what speaks its protocol. Of AWS's client there is what
// finds credentials and signs: the rest of it is the largest package of all, for the two calls
// that are needed.
type s3Bucket struct {
	client      *http.Client
	address     *url.URL // of the bucket
	region      string
	credentials aws.CredentialsProvider
}

func openS3(ctx context.Context, a Address) (storage, error) {
	settings, err := config.LoadDefaultConfig(ctx,
		config.WithLogger(logging.Nop{}), // else it writes to standard error itself
		config.WithRegion(a.settings.Get("region")), config.WithSharedConfigProfile(a.settings.Get("profile")))
	if err != nil {
		return nil, &credentialsError{fmt.Sprintf("the AWS configuration cannot be used: %v", err)}
	}
	if _, err := settings.Credentials.Retrieve(ctx); err != nil {
		return nil, &credentialsError{"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, or give this machine a role"}
	}
	region := cmp.Or(settings.Region, "us-east-1") // what S3-compatible storages take, and S3 for its oldest region
	address, err := s3Address(cmp.Or(a.settings.Get("endpoint"), s3Endpoint(ctx, settings, region)), a.Bucket, a.bool("use_path_style"))
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: retryingTransport(), CheckRedirect: stay}
	return &s3Bucket{client, address, region, settings.Credentials}, nil
}

// s3Endpoint is the end point that AWS's variables and files name, or else the region's.
func s3Endpoint(ctx context.Context, settings aws.Config, region string) string {
	var fips, dual string
	ignored, _, _ := config.GetIgnoreConfiguredEndpoints(ctx, settings.ConfigSources)
	_, general := os.LookupEnv("AWS_ENDPOINT_URL")
	_, ours := os.LookupEnv("AWS_ENDPOINT_URL_S3")
	for _, source := range settings.ConfigSources {
		if s, ok := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		}); ok && !ignored && (ours || !general) {
			if endpoint, found, err := s.GetServiceBaseEndpoint(ctx, "S3"); found && err == nil && endpoint != "" {
				return endpoint
			}
		}
		if s, ok := source.(interface {
			GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error)
		}); ok {
			if state, _, _ := s.GetUseFIPSEndpoint(ctx); state == aws.FIPSEndpointStateEnabled {
				fips = "-fips"
			}
		}
		if s, ok := source.(interface {
			GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error)
		}); ok {
			if state, _, _ := s.GetUseDualStackEndpoint(ctx); state == aws.DualStackEndpointStateEnabled {
				dual = ".dualstack"
			}
		}
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}
	return cmp.Or(aws.ToString(settings.BaseEndpoint), "https://s3"+fips+dual+"."+region+"."+domain)
}

// hostName is what a bucket is called that can be part of a host's name: no certificate is for
// one with more dots.
var hostName = pattern.Of(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

// s3Address is where a bucket is: a host of its own, or a folder of the end point's.
func s3Address(endpoint, bucket string, pathStyle bool) (*url.URL, error) {
	address, err := url.Parse(endpoint)
	if err != nil || address.Host == "" {
		return nil, &credentialsError{"the end point is no address: it begins with https://"}
	}
	if pathStyle || !hostName().MatchString(bucket) || net.ParseIP(address.Hostname()) != nil {
		return address.JoinPath(bucket), nil
	}
	address.Host = bucket + "." + address.Host
	return address, nil
}

// s3Page is a page of a list.
type s3Page struct {
	XMLName  xml.Name `xml:"ListBucketResult"`
	Contents []struct {
		Key, ETag    string
		Size         int64
		LastModified time.Time
	}
	IsTruncated           bool
	NextContinuationToken string
}

func (b *s3Bucket) list(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		query := url.Values{"list-type": {"2"}, "prefix": {prefix}}
		for {
			var page s3Page
			response, err := b.call(ctx, http.MethodGet, "", query, http.Header{}, nil)
			if err == nil {
				err = readPage(response, func(r io.Reader) error { return xml.NewDecoder(r).Decode(&page) })
			}
			if err != nil {
				yield(Object{}, err)
				return
			}
			for _, o := range page.Contents {
				if !yield(Object{o.Key, o.ETag, o.Size, o.LastModified}, nil) {
					return
				}
			}
			if !page.IsTruncated || page.NextContinuationToken == "" {
				return
			}
			query.Set("continuation-token", page.NextContinuationToken)
		}
	}
}

func (b *s3Bucket) get(ctx context.Context, o Object, offset int64) (io.ReadCloser, Object, error) {
	header := http.Header{}
	if o.Version != "" {
		header.Set("If-Match", o.Version)
	}
	if offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	response, err := b.call(ctx, http.MethodGet, o.Key, nil, header, nil)
	if err != nil {
		return nil, Object{}, err
	}
	return response.Body, Object{Key: o.Key, Version: response.Header.Get("ETag"), Size: response.ContentLength, Time: modified(response)}, nil
}

func (b *s3Bucket) put(ctx context.Context, key string, body []byte, c Condition) (version string, err error) {
	header := http.Header{"Content-Type": {contentType}}
	if c.New {
		header.Set("If-None-Match", "*")
	}
	if c.Version != "" {
		header.Set("If-Match", c.Version)
	}
	response, err := b.call(ctx, http.MethodPut, key, nil, header, body)
	if err != nil {
		return "", err
	}
	return response.Header.Get("ETag"), response.Body.Close()
}

func (b *s3Bucket) remove(ctx context.Context, key string) error {
	response, err := b.call(ctx, http.MethodDelete, key, nil, http.Header{}, nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// s3Escape writes all but a few bytes of a key as %XX, as signatures want it.
var s3Escape = strings.NewReplacer("+", "%20", "%2F", "/")

// object is the address of an object, or with an empty key that of the bucket.
func (b *s3Bucket) object(key string) *url.URL {
	address := *b.address
	if key != "" {
		address.Path, address.RawPath = b.address.Path+"/"+key, b.address.EscapedPath()+"/"+s3Escape.Replace(url.QueryEscape(key))
	}
	return &address
}

// call asks for something of an object, or with an empty key of the bucket.
func (b *s3Bucket) call(ctx context.Context, method, key string, query url.Values, header http.Header, body []byte) (*http.Response, error) {
	address := b.object(key)
	address.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, address.String(), bodyOf(body))
	if err != nil {
		return nil, err
	}
	request.Header = header
	if err := b.sign(request, body); err != nil {
		return nil, err
	}
	response, err := b.client.Do(request)
	if err != nil {
		return nil, err
	}
	if !isDone(response) {
		defer response.Body.Close()
		var reason struct {
			XMLName xml.Name `xml:"Error"`
			Code    string
			Region  string
		}
		_ = xml.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&reason)
		answer := &storageError{response.StatusCode, reason.Code}
		region := cmp.Or(reason.Region, response.Header.Get("X-Amz-Bucket-Region"))
		if advice(answer) == otherRegion && regionWord().MatchString(region) {
			return nil, &regionError{answer, region}
		}
		return nil, answer
	}
	return response, nil
}

// sign signs a request with that body.
func (b *s3Bucket) sign(r *http.Request, body []byte) error {
	credentials, err := b.credentials.Retrieve(r.Context())
	if err != nil {
		return &credentialsError{"those that were used until now cannot be renewed"}
	}
	hash := fmt.Sprintf("%x", sha256.Sum256(body))
	r.Header.Set("X-Amz-Content-Sha256", hash)
	return v4.NewSigner().SignHTTP(r.Context(), credentials, r, hash, "s3", b.region, time.Now(), func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true // it is escaped
	})
}
