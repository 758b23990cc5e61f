//go:build !nocloud

package engage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"gleapsync/internal/exchange"
)

// s3Bucket is a bucket of S3, and of what speaks its protocol.
type s3Bucket struct {
	client *s3.Client
	name   string
}

func openS3(ctx context.Context, l location) (bucket, error) {
	settings, err := config.LoadDefaultConfig(ctx,
		config.WithLogger(logging.Nop{}), // else it writes to standard error itself
		config.WithRegion(l.settings.Get("region")), config.WithSharedConfigProfile(l.settings.Get("profile")),
		// Storages that only resemble S3 have no checksums, and parts of objects have none.
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired))
	if err != nil {
		return nil, &credentialsError{fmt.Sprintf("the AWS configuration cannot be used: %v", err)}
	}
	if _, err := settings.Credentials.Retrieve(ctx); err != nil {
		return nil, &credentialsError{"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, or give this machine a role"}
	}
	settings.Region = cmp.Or(settings.Region, "us-east-1") // what S3-compatible storages take, and S3 for its oldest region
	client := s3.NewFromConfig(settings, func(o *s3.Options) {
		if endpoint := l.settings.Get("endpoint"); endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
		o.UsePathStyle = l.bool("use_path_style")
		if c, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
			o.HTTPClient = &http.Client{Transport: c.GetTransport(), Timeout: c.GetTimeout(), CheckRedirect: stay}
		}
		o.HTTPClient = answering{o.HTTPClient}
	})
	return &s3Bucket{client, l.bucket}, nil
}

// answering is an HTTP client that takes no answer that is none.
type answering struct{ client s3.HTTPClient }

func (a answering) Do(r *http.Request) (*http.Response, error) {
	return exchange.Check(a.client.Do(r))
}

func (b *s3Bucket) list(ctx context.Context, prefix string) iter.Seq2[blob, error] {
	return func(yield func(blob, error) bool) {
		pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(blob{}, s3Error(err))
				return
			}
			for _, o := range page.Contents {
				if !yield(blob{aws.ToString(o.Key), aws.ToString(o.ETag), aws.ToInt64(o.Size), aws.ToTime(o.LastModified)}, nil) {
					return
				}
			}
		}
	}
}

func (b *s3Bucket) get(ctx context.Context, o blob, offset int64) (io.ReadCloser, blob, error) {
	in := &s3.GetObjectInput{Bucket: &b.name, Key: &o.key}
	if o.version != "" {
		in.IfMatch = &o.version
	}
	if offset > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	out, err := b.client.GetObject(ctx, in)
	if err != nil {
		return nil, blob{}, s3Error(err)
	}
	return out.Body, blob{o.key, aws.ToString(out.ETag), aws.ToInt64(out.ContentLength), aws.ToTime(out.LastModified)}, nil
}

// s3Error finds the storage's answer in an error.
func s3Error(err error) error {
	var response *awshttp.ResponseError
	isAnswer := errors.As(err, &response) && response.HTTPStatusCode() > 0
	switch isDamaged := errors.As(err, new(*smithy.DeserializationError)); {
	case isDamaged && (!isAnswer || response.HTTPStatusCode() < http.StatusMultipleChoices):
		return fmt.Errorf("%w: %w", errAnswer, err)
	case !isAnswer:
		return err
	}
	answer := &storageError{status: response.HTTPStatusCode()}
	var coded smithy.APIError
	if errors.As(err, &coded) {
		answer.code = coded.ErrorCode()
	}
	return answer
}
