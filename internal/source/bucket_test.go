package source

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, source := range []string{
		"exports/*.csv", "/a/b?.csv", "s3://bucket/a b%20#c.csv", "s3://bucket", "s3://bucket/folder/", "gs://my_bucket.example/x-[0-9]*.csv.gz",
		"azblob://container/x*.csv?storage_account=acme",
		"s3://bucket/x*.csv?endpoint=https://minio.example.com:9000&region=eu-west-1&use_path_style=true&profile=acme",
	} {
		if err := Check(source); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
	for source, want := range map[string]string{
		"S3://bucket/x":                   "begins with s3://",
		"ftp://bucket/x":                  "begins with s3://",
		"://":                             "begins with s3://",
		"s3://":                           "the name of a bucket",
		"s3:///x":                         "the name of a bucket",
		"s3://a:hidden@b/x":               "the name of a bucket",
		"s3://bucket/[a":                  "not a valid pattern",
		"s3://bucket/day*/":               "takes no wildcards",
		"s3://bucket/a?b.csv":             "takes these: endpoint profile region use_path_style",
		"s3://bucket/a?%hidden":           "not name=value",
		"s3://b/x?X-Amz-Signature=hidden": "takes these: endpoint",
		"gs://b/x?region=hidden":          "takes these: none",
		"s3://b/x?endpoint=minio:9000":    "https://minio.example.com:9000",
		"s3://b/x?endpoint=https://u:hidden@minio:9000": "https://minio.example.com:9000",
		"s3://b/x?use_path_style=hidden":                "true or false",
	} {
		if err := Check(source); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v, want %s", source, err, want)
		}
	}
}
