package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"
)

// Bucket is a bucket that is open. It may be used by several goroutines.
type Bucket struct {
	Address
	storage storage
}

// storage is what is used of a cloud.
type storage interface {
	// list finds the objects whose keys begin with prefix.
	list(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// get reads an object from offset on. A version other than that of o is an error if
	// the storage knows such conditions and o has a version; found is what is read in any case.
	get(ctx context.Context, o Object, offset int64) (body io.ReadCloser, found Object, err error)
	// put writes an object, and returns its version.
	put(ctx context.Context, key string, body []byte, c Condition) (version string, err error)
	// remove deletes an object. That there is none may be an error.
	remove(ctx context.Context, key string) error
}

// Object is an object of a bucket as it was found.
type Object struct {
	Key     string
	Version string
	Size    int64 // what get found: what is left of it
	Time    time.Time
}

// Condition says when an object is written.
type Condition struct {
	New     bool   // only if there is none
	Version string // only if it has this version; "": whatever there is
}

var (
	// ErrNotFound is what [Bucket.Get] returns, wrapped, if there is no such object.
	ErrNotFound = errors.New("there is no such object")
	// ErrCondition is what [Bucket.Put] returns, wrapped, if its condition was not met.
	ErrCondition = errors.New("somebody else wrote the object")
)

// List finds the objects whose keys begin with prefix. An error ends it.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		ctx, w := newWatch(ctx)
		defer w.end()
		for o, err := range b.storage.list(ctx, prefix) {
			if err != nil {
				yield(Object{}, explain(ctx, err))
				return
			}
			w.pause()
			if !yield(o, nil) {
				return
			}
			w.begin()
		}
	}
}

// Read returns a reader of an object that was found. It is asked for with the first Read.
func (b *Bucket) Read(ctx context.Context, o Object) *Reader {
	return &Reader{ctx: ctx, bucket: b, object: o}
}

// Get reads a small object, which has its newest version, in one answer. It is an error if it
// has more than most bytes.
func (b *Bucket) Get(ctx context.Context, key string, most int64) ([]byte, Object, error) {
	ctx, w := newWatch(ctx)
	defer w.end()
	body, found, err := b.storage.get(ctx, Object{Key: key}, 0)
	if err != nil {
		return nil, Object{}, explain(ctx, err)
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, most+1))
	switch {
	case err != nil:
		return nil, Object{}, explain(ctx, err)
	case int64(len(text)) > most:
		return nil, Object{}, &Error{fmt.Sprintf("%s is larger than %d bytes: it was not written by gleapsync", b.Name(key), most), errAnswer}
	case found.Size >= 0 && found.Size != int64(len(text)):
		return nil, Object{}, explain(ctx, io.ErrUnexpectedEOF)
	}
	return text, found, nil
}

// Put writes an object if c is met, and returns its version. After an error other than
// [ErrCondition] it may have been written; and also after that one, by this call, if an answer
// was lost.
func (b *Bucket) Put(ctx context.Context, key string, body []byte, c Condition) (version string, err error) {
	ctx, w := newWatchFor(ctx, silence+time.Duration(len(body)/slowest)*time.Second)
	defer w.end()
	version, err = b.storage.put(ctx, key, body, c)
	if err != nil {
		return "", explainWrite(ctx, err)
	}
	return version, nil
}

// Delete deletes an object. That there is none is no error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	ctx, w := newWatch(ctx)
	defer w.end()
	if err := b.storage.remove(ctx, key); err != nil {
		if err := explainWrite(ctx, err); !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// bodyOf is the body of a request, which can be sent again.
func bodyOf(body []byte) io.Reader {
	if body == nil {
		return http.NoBody
	}
	return bytes.NewReader(body)
}
