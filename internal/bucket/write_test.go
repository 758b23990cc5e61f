//go:build !nocloud

package bucket

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// testWritesAt holds the empty bucket of an address to what the package says of one.
func testWritesAt(t *testing.T, address string) {
	t.Helper()
	a, err := Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	b, err := a.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, key := t.Context(), "a folder/the lease+1.json"
	if _, _, err := b.Get(ctx, key, 10); !errors.Is(err, ErrNotFound) {
		t.Errorf("there is none: %v", err)
	}
	if _, err := b.Put(ctx, key, []byte("0"), Condition{Version: `"77"`}); err == nil {
		t.Error("what is not there was replaced")
	}
	first, err := b.Put(ctx, key, []byte("first"), Condition{New: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(ctx, key, []byte("another"), Condition{New: true}); !errors.Is(err, ErrCondition) {
		t.Errorf("it was there: %v", err)
	}
	second, err := b.Put(ctx, key, []byte("second"), Condition{Version: first})
	if err != nil || second == first {
		t.Fatal(second, err)
	}
	if _, err := b.Put(ctx, key, []byte("third"), Condition{Version: first}); !errors.Is(err, ErrCondition) {
		t.Errorf("it had changed: %v", err)
	}
	text, found, err := b.Get(ctx, key, 6)
	if err != nil || string(text) != "second" || found.Version != second || found.Time.IsZero() {
		t.Errorf("%q, %+v, %v", text, found, err)
	}
	if _, _, err := b.Get(ctx, key, 5); err == nil || !strings.Contains(err.Error(), "is larger than 5 bytes") {
		t.Errorf("too large: %v", err)
	}
	if _, err := b.Put(ctx, "a folder/empty", nil, Condition{}); err != nil {
		t.Error(err)
	}
	var keys []string
	for o, err := range b.List(ctx, "a folder/") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
		r := b.Read(ctx, o)
		text, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || int64(len(text)) != o.Size {
			t.Errorf("%s: %q, %v", o.Key, text, err)
		}
	}
	if want := []string{"a folder/empty", key}; !slices.Equal(keys, want) {
		t.Errorf("got %q, want %q", keys, want)
	}
	for _, key := range append(keys, key) {
		if err := b.Delete(ctx, key); err != nil {
			t.Errorf("delete %s: %v", key, err)
		}
	}
	if _, _, err := b.Get(ctx, key, 10); !errors.Is(err, ErrNotFound) {
		t.Errorf("it is gone: %v", err)
	}
}
