//go:build !nocloud

package bucket

import (
	"testing"

	"gleapsync/internal/s3test"
)

// TestS3Address: a bucket has a host of its own where that has a certificate.
func TestS3Address(t *testing.T) {
	for name, test := range map[string]struct {
		bucket, settings string
		environment      map[string]string
		want             string // of the key "a b/c=+.csv"
	}{
		"AWS":             {"exports", "", nil, "https://exports.s3.us-east-1.amazonaws.com/a%20b/c%3D%2B.csv"},
		"region":          {"exports", "?region=eu-central-1", nil, "https://exports.s3.eu-central-1.amazonaws.com/a%20b/c%3D%2B.csv"},
		"China":           {"exports", "?region=cn-north-1", nil, "https://exports.s3.cn-north-1.amazonaws.com.cn/a%20b/c%3D%2B.csv"},
		"FIPS":            {"exports", "", map[string]string{"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"}, "https://exports.s3-fips.dualstack.us-east-1.amazonaws.com/a%20b/c%3D%2B.csv"},
		"dots":            {"exports.acme", "", nil, "https://s3.us-east-1.amazonaws.com/exports.acme/a%20b/c%3D%2B.csv"},
		"path style":      {"exports", "?use_path_style=true&endpoint=https://minio:9000", nil, "https://minio:9000/exports/a%20b/c%3D%2B.csv"},
		"end point":       {"exports", "?endpoint=https://minio:9000", nil, "https://exports.minio:9000/a%20b/c%3D%2B.csv"},
		"IP address":      {"exports", "?endpoint=http://127.0.0.1:9000", nil, "http://127.0.0.1:9000/exports/a%20b/c%3D%2B.csv"},
		"variable":        {"exports", "", map[string]string{"AWS_ENDPOINT_URL": "https://all", "AWS_ENDPOINT_URL_S3": "https://s3.acme"}, "https://exports.s3.acme/a%20b/c%3D%2B.csv"},
		"ignored":         {"exports", "", map[string]string{"AWS_ENDPOINT_URL_S3": "https://s3.acme", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "https://exports.s3.us-east-1.amazonaws.com/a%20b/c%3D%2B.csv"},
		"before variable": {"exports", "?endpoint=https://minio", map[string]string{"AWS_ENDPOINT_URL_S3": "https://s3.acme"}, "https://exports.minio/a%20b/c%3D%2B.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			s3test.SetAWS(t, "access", "secret")
			for name, value := range test.environment {
				t.Setenv(name, value)
			}
			a, err := Parse("s3://" + test.bucket + "/x" + test.settings)
			if err != nil {
				t.Fatal(err)
			}
			b, err := openS3(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.(*s3Bucket).object("a b/c=+.csv").String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestS3Writes: an object is written under its condition, found by all that look, and gone once
// it is deleted.
func TestS3Writes(t *testing.T) {
	server := s3test.Start(t)
	testWritesAt(t, server.URL("x"))
}
