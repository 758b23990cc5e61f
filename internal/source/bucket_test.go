package source

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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

// brokenBucket has one object, which breaks off: each answer is one byte and then err,
// which a nil makes silence.
type brokenBucket struct {
	text string
	err  error
	gets int
}

func (b *brokenBucket) list(context.Context, string) iter.Seq2[blob, error] {
	return func(yield func(blob, error) bool) { yield(b.object(), nil) }
}

func (b *brokenBucket) object() blob { return blob{"a.csv", "1", int64(len(b.text)), time.Time{}} }

func (b *brokenBucket) get(ctx context.Context, o blob, offset int64) (io.ReadCloser, blob, error) {
	b.gets++
	o.size -= offset
	return io.NopCloser(io.MultiReader(strings.NewReader(b.text[offset:][:1]), failingReader{ctx, b.err})), o, nil
}

type failingReader struct {
	ctx context.Context
	err error
}

func (r failingReader) Read([]byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	<-r.ctx.Done()
	return 0, r.ctx.Err()
}

func TestObjectBreaksOff(t *testing.T) {
	signed := &url.Error{Op: "Get", URL: "https://b/a.csv?sig=hidden", Err: io.ErrUnexpectedEOF}
	l := location{scheme: "azblob", bucket: "b"}
	for name, c := range map[string]struct {
		length int
		err    error
		want   string
		gets   int
		most   time.Duration
	}{
		"few times":     {7, signed, "", 7, time.Minute},
		"too often":     {8, signed, "the reading broke off 7 times, at last since the connection was closed before the answer: check the address and the network", 7, time.Minute},
		"cut short":     {8, io.EOF, "the reading broke off 7 times, at last since EOF", 7, time.Minute},
		"silent":        {8, nil, "the reading broke off 7 times, at last since it was silent for 30s: check the address and the network", 7, 5 * time.Minute},
		"not permitted": {8, &storageError{403, "AccessDenied"}, "it answers 403 AccessDenied: the credentials need the permission to list the bucket and to get its objects", 1, 0},
		"replaced":      {8, &storageError{412, ""}, "it changed while it was read", 1, 0},
		"busy":          {7, &storageError{503, "SlowDown"}, "", 7, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &brokenBucket{text: strings.Repeat("x", c.length), err: c.err}
				r := &objectReader{ctx: t.Context(), location: l, bucket: b, blob: b.object()}
				began := time.Now()
				text, err := io.ReadAll(r)
				if c.want == "" && (err != nil || string(text) != b.text) || c.want != "" && (err == nil || err.Error() != c.want) {
					t.Errorf("%q, %v, want %s", text, err, c.want)
				}
				if _, again := r.Read(make([]byte, 1)); err != nil && again != err {
					t.Errorf("the second time: %v", again)
				}
				if b.gets != c.gets || time.Since(began) > c.most {
					t.Errorf("%d answers in %s", b.gets, time.Since(began))
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestObjectReadingIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := &brokenBucket{text: "ab"}
		r := &objectReader{ctx: ctx, bucket: b, blob: b.object()}
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) || time.Since(began) > time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// A slow reader is no silent storage.
func TestObjectReaderIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &brokenBucket{text: "abc", err: io.ErrUnexpectedEOF}
		r := &objectReader{ctx: t.Context(), bucket: b, blob: b.object()}
		for range 3 {
			if _, err := r.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if r.bodyCtx != nil {
				time.Sleep(2 * silence)
				if r.bodyCtx.Err() != nil {
					t.Fatal("the answer was ended")
				}
			}
		}
	})
}

func TestStorageErrorsAdvise(t *testing.T) {
	l := location{scheme: "s3", bucket: "b"}
	for want, err := range map[string]error{
		"it answers 403 InvalidAccessKeyId: the credentials are wrong or have expired":                               &storageError{403, "InvalidAccessKeyId"},
		"it answers 401 Unauthorized: the credentials are wrong or have expired":                                     &storageError{401, ""},
		"it answers 404 ContainerNotFound: there is no such bucket: check its name and the account or end point":     &storageError{404, "ContainerNotFound"},
		"it answers 301 PermanentRedirect: the bucket is in another region: name it with region":                     &storageError{301, "PermanentRedirect"},
		"it answers 403 AccessDenied: the credentials need the permission to list the bucket and to get its objects": &storageError{403, "AccessDenied"},
		"it answers 503 SlowDown": &storageError{503, "SlowDown"},
		"the connection was closed before the answer: check the address and the network": &url.Error{URL: "https://b/?sig=hidden", Err: io.ErrUnexpectedEOF},
	} {
		if got := l.reason(t.Context(), err); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// deafBucket does not hear which version is wanted.
type deafBucket struct{ brokenBucket }

func (b *deafBucket) get(ctx context.Context, o blob, offset int64) (io.ReadCloser, blob, error) {
	o.version = "2"
	return b.brokenBucket.get(ctx, o, offset)
}

func TestObjectOfAnotherVersion(t *testing.T) {
	b := &deafBucket{brokenBucket{text: "abc"}}
	r := &objectReader{ctx: t.Context(), bucket: b, blob: b.object()}
	if _, err := r.Read(make([]byte, 1)); err != errChanged {
		t.Error(err)
	}
}
