//go:build !nocloud

package replica

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gleapsync/internal/s3test"
	"gleapsync/state"
)

// A lease that somebody removed must not make a first run of a new machine.
func TestLeaseRemoved(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	a, b := newMachine(t, server.URL("acme")), newMachine(t, server.URL("acme"))
	h := a.hold()
	s, release := a.open()
	tell(t, s, map[string]bool{"u1": true})
	release()
	if err := h.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	st, err := openStore(t.Context(), a.Options)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Delete(t.Context(), "acme/"+leaseName); err != nil {
		t.Fatal(err)
	}
	taken, err := Hold(t.Context(), b.Options)
	if err == nil {
		_, statErr := os.Stat(b.State.Path)
		t.Errorf("it begins anew, as if nothing had ever been sent: %v", statErr)
		_ = taken.End(t.Context())
	}
	if _, err := Look(t.Context(), b.Options); err == nil {
		t.Error("Look says there is nothing")
	}
}

// Who was forgotten here stays forgotten, also if another machine went on.
func TestForgottenCut(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	a, b := newMachine(t, server.URL("acme")), newMachine(t, server.URL("acme"))
	now := time.Now()
	b.Now = func() time.Time { return now }
	h := a.hold()
	s, release := a.open()
	tell(t, s, map[string]bool{"u1": true, "u2": true})
	if err := h.Keep(t.Context(), s, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget([]string{"u1"}); err != nil {
		t.Fatal(err)
	}
	release()
	h.end() // as if it had been killed
	_ = h.lock.Unlock()
	now = now.Add(10 * time.Minute)
	taken := b.hold()
	s, release = b.open()
	for range 10 {
		tell(t, s, map[string]bool{"u2": false})
	}
	release()
	if err := taken.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	h = a.hold()
	defer h.End(t.Context())
	s, err := state.Open(a.State)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Forgotten()
	if err != nil {
		t.Fatal(err)
	}
	if !f.Has([]byte("u1")) || len(f.Owed) != 1 {
		t.Errorf("u1 is not forgotten any more: %v", f.Owed)
	}
}

// Two snapshots never have one name: else who saw the first takes it for the second.
func TestSameName(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	var break_ atomic.Bool
	var leases atomic.Int64
	a := newMachine(t, throughProxy(t, server, func(w http.ResponseWriter, r *http.Request, proxy http.Handler) bool {
		if r.Method != http.MethodPut || !break_.Load() || !strings.HasSuffix(r.URL.Path, leaseName) {
			return false
		}
		if leases.Add(1) == 1 { // written, and the answer is lost
			proxy.ServeHTTP(httptest.NewRecorder(), r)
		}
		panic(http.ErrAbortHandler)
	}))
	b := newMachine(t, server.URL("acme"))
	now := time.Now()
	b.Now = func() time.Time { return now }
	h := a.hold()
	s, release := a.open()
	tell(t, s, map[string]bool{"u1": true, "u2": true})
	if err := h.Keep(t.Context(), s, announced("u3")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	break_.Store(true)
	go func() { time.Sleep(2 * time.Second); cancel() }()
	err := h.keepOnce(ctx, s, announced("u3", "u4"), false)
	if err == nil {
		t.Fatal("it was to fail")
	}
	if _, err := Look(t.Context(), b.Options); err != nil {
		t.Fatal(err)
	}
	break_.Store(false)
	tell(t, s, map[string]bool{"u3": true})
	if err := h.Keep(t.Context(), s, announced("u5")); err != nil {
		t.Fatal(err)
	}
	release()
	h.end() // as if it had been killed
	_ = h.lock.Unlock()
	now = now.Add(10 * time.Minute)
	taken := b.hold()
	defer taken.End(t.Context())
	records, unanswered := b.known()
	equal(t, "records", records, map[string]bool{"u1": true, "u2": true, "u3": true})
	equal(t, "unanswered", unanswered, "[u5]")
}
