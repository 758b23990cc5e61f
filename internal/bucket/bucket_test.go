package bucket

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

// brokenBucket has one object, which breaks off: each answer is one byte and then err,
// which a nil makes silence.
type brokenBucket struct {
	text string
	err  error
	gets int
}

func (b *brokenBucket) list(context.Context, string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) { yield(b.object(), nil) }
}

func (b *brokenBucket) object() Object { return Object{"a.csv", "1", int64(len(b.text)), time.Time{}} }

func (b *brokenBucket) get(ctx context.Context, o Object, offset int64) (io.ReadCloser, Object, error) {
	b.gets++
	o.Size -= offset
	return io.NopCloser(io.MultiReader(strings.NewReader(b.text[offset:][:1]), failingReader{ctx, b.err})), o, nil
}

func (b *brokenBucket) put(context.Context, string, []byte, Condition) (string, error) {
	return "", b.err
}

func (b *brokenBucket) remove(context.Context, string) error { return b.err }

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
	l := Address{Scheme: "azblob", Bucket: "b"}
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
				r := (&Bucket{l, b}).Read(t.Context(), b.object())
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
		r := (&Bucket{storage: b}).Read(ctx, b.object())
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
		r := (&Bucket{storage: b}).Read(t.Context(), b.object())
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
	for want, err := range map[string]error{
		"it answers 403 InvalidAccessKeyId: the credentials are wrong or have expired":                               &storageError{403, "InvalidAccessKeyId"},
		"it answers 401 Unauthorized: the credentials are wrong or have expired":                                     &storageError{401, ""},
		"it answers 404 ContainerNotFound: there is no such bucket: check its name and the account or end point":     &storageError{404, "ContainerNotFound"},
		"it answers 301 PermanentRedirect: the bucket is in another region: name it with region":                     &storageError{301, "PermanentRedirect"},
		"it answers 403 AccessDenied: the credentials need the permission to list the bucket and to get its objects": &storageError{403, "AccessDenied"},
		"it answers 503 SlowDown": &storageError{503, "SlowDown"},
		"the connection was closed before the answer: check the address and the network": &url.Error{URL: "https://b/?sig=hidden", Err: io.ErrUnexpectedEOF},
	} {
		if got := reason(t.Context(), err); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// deafBucket does not hear which version is wanted.
type deafBucket struct{ brokenBucket }

func (b *deafBucket) get(ctx context.Context, o Object, offset int64) (io.ReadCloser, Object, error) {
	o.Version = "2"
	return b.brokenBucket.get(ctx, o, offset)
}

func TestObjectOfAnotherVersion(t *testing.T) {
	b := &deafBucket{brokenBucket{text: "abc"}}
	r := (&Bucket{storage: b}).Read(t.Context(), b.object())
	if _, err := r.Read(make([]byte, 1)); err != ErrChanged {
		t.Error(err)
	}
}
