//go:build otel

package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	stdsync "sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"gleapsync/gleap/sandbox"
)

// TestTelemetry: an OpenTelemetry collector has one trace of a sync, which says where its time went,
// and its metrics; nothing of a contact. If it is not there the sync is as before, with one warning.
func TestTelemetry(t *testing.T) {
	gleap := httptest.NewServer(sandbox.New(sandbox.Options{Token: "secret-token"}))
	defer gleap.Close()
	var mu stdsync.Mutex
	got := map[string][]byte{}
	to := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[r.URL.Path], _ = io.ReadAll(r.Body)
	}))
	defer to.Close()
	p := newProject(t, gleap.URL, "", userIDs(100)...)
	p.env = append(p.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+to.URL)
	if code, written := p.run(t, "sync"); code != 0 || bytes.Contains([]byte(written), []byte("level=WARN")) {
		t.Fatalf("exit code %d: %s", code, written)
	}
	var trace collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(got["/v1/traces"], &trace); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range trace.ResourceSpans[0].ScopeSpans[0].Spans {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	if want := []string{"merge", "plan", "push", "read", "sync"}; !slices.Equal(names, want) {
		t.Errorf("spans: %v", names)
	}
	if !bytes.Contains(got["/v1/metrics"], []byte("gleapsync_last_run_contacts_sent")) {
		t.Errorf("the metrics are not there")
	}
	for path, body := range got {
		for _, no := range []string{"user-0", "secret-token"} {
			if bytes.Contains(body, []byte(no)) {
				t.Errorf("%s has %s", path, no)
			}
		}
	}
	to.Close()
	if code, written := p.run(t, "sync"); code != 0 || bytes.Count([]byte(written), []byte("level=WARN")) != 1 {
		t.Errorf("exit code %d: %s", code, written)
	}
}
