//go:build !nocloud

package replica

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gleapsync/internal/bucket"
	"gleapsync/internal/rounds"
	"gleapsync/internal/s3test"
	"gleapsync/state"
)

// throughProxy returns the address of a server with handle before it. handle says whether it
// answered itself.
func throughProxy(t *testing.T, server *s3test.Server, handle func(w http.ResponseWriter, r *http.Request, proxy http.Handler) bool) string {
	t.Helper()
	target, err := url.Parse("http://" + server.Address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target); p.Out.Host = p.In.Host }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !handle(w, r, proxy) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	return s3test.URL(strings.TrimPrefix(front.URL, "http://"), "acme")
}

// TestUnconditional: a storage that writes whatever it is told is refused, as it would let two
// machines send at once.
func TestUnconditional(t *testing.T) {
	var lease []byte
	generation := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			lease, _ = io.ReadAll(r.Body)
			generation++
			fmt.Fprintf(w, `{"generation":"%d"}`, generation)
		case r.Method == http.MethodDelete:
			lease = nil
		case r.URL.Query().Has("prefix"):
			io.WriteString(w, "{}")
		case lease == nil:
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("X-Goog-Generation", strconv.Itoa(generation))
			w.Write(lease)
		}
	}))
	defer server.Close()
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
	m := newMachine(t, "gs://exports/acme")
	if _, err := Hold(t.Context(), m.Options); err == nil || !strings.Contains(err.Error(), "writes what it is told not to") || lease != nil {
		t.Errorf("%v; %q is left", err, lease)
	}
}

// TestLostAnswers: a lease that was written counts as written, although the answer was lost.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	var puts atomic.Int64
	m := newMachine(t, throughProxy(t, server, func(w http.ResponseWriter, r *http.Request, proxy http.Handler) bool {
		if r.Method != http.MethodPut || puts.Add(1)%3 != 0 {
			return false
		}
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	for i := range rounds.Of(2, 3) {
		h := m.hold()
		s, release := m.open()
		if err := h.Keep(t.Context(), s, announced("u1")); err != nil {
			t.Fatal(err)
		}
		release()
		if err := h.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		if h.holding.fence != uint64(i+1) {
			t.Errorf("fence %d", h.holding.fence)
		}
	}
}

// TestExpires: a lease that cannot be renewed is over when it says so, by the wall clock too.
func TestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{TTL: time.Minute}.withDefaults()
		began := time.Now()
		h := &holding{o: o, until: began.Add(o.TTL), wall: began.Add(o.TTL)}
		time.Sleep(o.TTL - time.Second)
		if err := h.Check(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if err := h.Check(); !errors.Is(err, errExpired) {
			t.Error(err)
		}
		asleep := &holding{o: o, until: time.Now().Add(o.TTL), wall: began.Add(o.TTL)} // the machine slept
		if err := asleep.Check(); !errors.Is(err, errExpired) {
			t.Error(err)
		}
	})
}

// TestDamagedObjects: an object that is not what was written is an error, and never a state.
func TestDamagedObjects(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	m := newMachine(t, server.URL("acme"))
	h := m.hold()
	s, release := m.open()
	tell(t, s, map[string]bool{"u1": true})
	release()
	if err := h.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, err := m.Address.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for o, err := range b.List(t.Context(), "acme/") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(o.Key, leaseName) {
			continue
		}
		text, err := io.ReadAll(b.Read(t.Context(), o))
		if err != nil {
			t.Fatal(err)
		}
		broken := []byte(string(text))
		broken[len(broken)/2] ^= 1
		for what, body := range map[string][]byte{"flipped": broken, "cut": text[:len(text)-1], "longer": append(broken, 0), "none": nil} {
			if _, err := b.Put(t.Context(), o.Key, body, bucket.Condition{}); err != nil {
				t.Fatal(err)
			}
			other := newMachine(t, server.URL("acme"))
			if _, err := Hold(t.Context(), other.Options); err == nil {
				t.Errorf("%s is %s, and nobody sees it", o.Key, what)
			}
			if _, err := os.Stat(other.State.Path); err == nil {
				t.Errorf("%s is %s, and there is a state", o.Key, what)
			}
		}
		if _, err := b.Put(t.Context(), o.Key, text, bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	other := newMachine(t, server.URL("acme"))
	if err := other.hold().End(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestReplace: where the snapshot that counts is damaged, an earlier one or another state takes
// its place.
func TestReplace(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	m := newMachine(t, server.URL("acme"))
	for _, id := range []string{"u1", "u2"} {
		h := m.hold()
		s, release := m.open()
		tell(t, s, map[string]bool{id: true})
		release()
		if err := h.End(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h := m.hold()
	last, before := h.manifest.Parts[len(h.manifest.Parts)-1], h.manifest.Former[0].ID
	if err := h.holding.store.Delete(t.Context(), "acme/"+last.Key); err != nil {
		t.Fatal(err)
	}
	if err := h.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := newMachine(t, server.URL("acme"))
	if _, err := Hold(t.Context(), other.Options); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("a part is gone: %v", err)
	}
	other.Replace = true
	h = other.hold()
	copyOf := filepath.Join(t.TempDir(), "copy.db")
	if _, err := h.Fetch(t.Context(), before, copyOf); err != nil {
		t.Fatal(err)
	}
	s := state.Replace(other.State)
	release, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.Restore(s, copyOf, false); err != nil {
		t.Fatal(err)
	}
	release()
	if err := h.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.vanish()
	h = m.hold()
	defer h.End(t.Context())
	records, _ := m.known()
	equal(t, "records", records, map[string]bool{"u1": true})
}

// FuzzPart: what is no part gives an error and no panic, and what was packed is read again.
func FuzzPart(f *testing.F) {
	f.Add([]byte("gleapsync part 1\n\x00\x04meta\x01k\x01v"))
	f.Add([]byte("gleapsync slice 1\n\x02u1\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		packed, err := pack(raw)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = unpackSlice(packed)
		_, _ = unpackSlice(raw)
		s, err := newSpool(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		var all []state.Entry
		read := func(next func() ([]byte, error), each func(state.Entry)) error {
			for r := (&entries{next: next}); ; {
				e, err := r.Next()
				if err != nil {
					return err
				}
				each(e)
			}
		}
		once := [][]byte{packed}
		if read(func() ([]byte, error) {
			if len(once) == 0 {
				return nil, io.EOF
			}
			p := once[0]
			once = nil
			return p, nil
		}, func(e state.Entry) { all = append(all, e) }) != io.EOF {
			return
		}
		for _, e := range all {
			if err := s.add(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
		i := 0
		if err := read(s.next(), func(e state.Entry) {
			if string(e.Bucket) != string(all[i].Bucket) || string(e.Key) != string(all[i].Key) || string(e.Value) != string(all[i].Value) {
				t.Fatalf("got %q, want %q", e, all[i])
			}
			i++
		}); err != io.EOF || i != len(all) {
			t.Fatalf("%d of %d entries, %v", i, len(all), err)
		}
	})
}
