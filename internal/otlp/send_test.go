//go:build otel

package otlp

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metriccollector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracecollector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"gleapsync/engage"
	"gleapsync/internal/inspect"
	"gleapsync/internal/metrics"
	"gleapsync/internal/runs"
)

// receiver is an OTLP/HTTP collector. It is told here in the words of the protocol's own types.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	trace   *tracecollector.ExportTraceServiceRequest
	metrics *metriccollector.ExportMetricsServiceRequest
	headers http.Header
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		body, err := io.ReadAll(q.Body)
		r.headers = q.Header
		switch {
		case err != nil:
		case q.Method == http.MethodPost && q.URL.Path == "/v1/traces":
			r.trace = &tracecollector.ExportTraceServiceRequest{}
			err = proto.Unmarshal(body, r.trace)
		case q.Method == http.MethodPost && q.URL.Path == "/v1/metrics":
			r.metrics = &metriccollector.ExportMetricsServiceRequest{}
			err = proto.Unmarshal(body, r.metrics)
		default:
			http.NotFound(w, q)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(r.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	return r
}

var began = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

func at(second int) time.Time { return began.Add(time.Duration(second) * time.Second) }

// report is that of a run with two exports, which took 60 s.
func report() *runs.Report {
	return &runs.Report{
		Run: "20261120T100000.000000Z-00ff", Command: "sync", Project: "acme", Mode: runs.Incremental, Outcome: runs.Held,
		Started: began, Finished: at(60), PlanSeconds: 10, PushSeconds: 49,
		Contacts: runs.ContactCounts{Planned: 30, Sent: 28, Remaining: 2}, Calls: runs.CallCounts{Identify: 28, Retried: 1},
		Exports: []runs.ExportReport{{Key: "vip", Kind: engage.Audience, Status: runs.StatusHeld}, {Key: "orders", Kind: engage.Trait, Status: runs.StatusApplied}},
		Spans: []runs.Span{
			{Name: "read", Source: "exports/vip.csv", Began: at(1), Ended: at(3), Count: 500},
			{Name: "read", Source: "exports/orders.csv", Began: at(2), Ended: at(6), Count: 700},
			{Name: "merge", Began: at(6), Ended: at(9), Count: 30},
			{Name: "push", Began: at(10), Ended: at(59), Count: 30},
		},
	}
}

func collector(r *runs.Report) *metrics.Collector {
	o := &inspect.Overview{Attributes: []inspect.Attribute{{Key: "vip", Kind: "audience", Members: 7}}}
	return metrics.NewCollector("v1", func() metrics.Snapshot { return metrics.Snapshot{Overview: o, Last: r} })
}

func TestTrace(t *testing.T) {
	to := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
	r := report()
	if err := Send(t.Context(), "v1", r, collector(r)); err != nil {
		t.Fatal(err)
	}
	if to.headers.Get("X-Tenant") != "blue" {
		t.Errorf("headers: %v", to.headers)
	}
	of := to.trace.ResourceSpans[0]
	about := valuesOf(of.Resource.Attributes)
	for name, want := range map[string]string{"service.name": "gleapsync", "service.version": "v1", "gleapsync.project": "acme", "deployment.environment": "test"} {
		if about[name] != want {
			t.Errorf("%s is %q", name, about[name])
		}
	}
	byName := map[string][]*tracepb.Span{}
	for _, s := range of.ScopeSpans[0].Spans {
		byName[s.Name] = append(byName[s.Name], s)
	}
	run, plan := byName["sync"][0], byName["plan"][0]
	if len(run.ParentSpanId) != 0 || run.StartTimeUnixNano != uint64(began.UnixNano()) || run.EndTimeUnixNano != uint64(at(60).UnixNano()) {
		t.Errorf("the run: %v", run)
	}
	got := valuesOf(run.Attributes)
	for name, want := range map[string]string{"gleapsync.outcome": "held", "gleapsync.exports.held": "1", "gleapsync.contacts.sent": "28", "gleapsync.calls.retried": "1"} {
		if got[name] != want {
			t.Errorf("%s is %q", name, got[name])
		}
	}
	for name, parent := range map[string]*tracepb.Span{"plan": run, "read": plan, "merge": plan, "push": run} {
		for _, s := range byName[name] {
			if string(s.ParentSpanId) != string(parent.SpanId) || string(s.TraceId) != string(run.TraceId) {
				t.Errorf("%s is not within %s", name, parent.Name)
			}
		}
	}
	read := byName["read"]
	if len(of.ScopeSpans[0].Spans) != 6 || len(read) != 2 || valuesOf(read[1].Attributes)["gleapsync.source"] != "exports/orders.csv" || valuesOf(read[1].Attributes)["gleapsync.rows"] != "700" ||
		read[1].StartTimeUnixNano != uint64(at(2).UnixNano()) || read[1].EndTimeUnixNano != uint64(at(6).UnixNano()) {
		t.Errorf("%v", read)
	}
}

// TestMetrics: all metrics of a run are told, by the names and with the labels that they have.
func TestMetrics(t *testing.T) {
	to := newReceiver(t)
	r := report()
	c := collector(r)
	if err := Send(t.Context(), "v1", r, c); err != nil {
		t.Fatal(err)
	}
	got := to.metrics.ResourceMetrics[0].ScopeMetrics[0].Metrics
	if len(got) == 0 || len(got) != len(c.All()) {
		t.Errorf("%d metrics of %d", len(got), len(c.All()))
	}
	found := 0
	for _, m := range got {
		switch m.Name {
		case "gleapsync_calls_total":
			found++
			if sum := m.GetSum(); sum == nil || !sum.IsMonotonic || len(sum.DataPoints) != 2 || sum.DataPoints[0].StartTimeUnixNano != 0 {
				t.Errorf("%v", m)
			}
		case "gleapsync_attribute_members":
			found++
			point := m.GetGauge().GetDataPoints()[0]
			if labels := valuesOf(point.Attributes); point.GetAsDouble() != 7 || labels["key"] != "vip" || labels["kind"] != "audience" || point.TimeUnixNano != uint64(at(60).UnixNano()) {
				t.Errorf("%v", m)
			}
		}
	}
	if found != 2 {
		t.Errorf("metrics are missing: %v", got)
	}
}

// TestNotWanted: nothing is sent without an endpoint, and nothing that is switched off.
func TestNotWanted(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"no endpoint":       {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
		"all switched off":  {"OTEL_SDK_DISABLED": "true"},
		"each switched off": {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
	} {
		t.Run(name, func(t *testing.T) {
			to := newReceiver(t)
			for name, value := range env {
				t.Setenv(name, value)
			}
			if err := Send(t.Context(), "v1", report(), collector(report())); err != nil || to.trace != nil || to.metrics != nil {
				t.Errorf("%v, %v, %v", err, to.trace, to.metrics)
			}
		})
	}
}

// TestAway: a collector that is not there, does not answer, refuses or speaks another protocol is an
// error in our own words, without its address, and in time.
func TestAway(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body) // else the end of the connection is not seen
		<-q.Context().Done()
	}))
	defer silent.Close()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "ada@example.com", http.StatusServiceUnavailable)
	}))
	defer refusing.Close()
	for name, test := range map[string]struct{ url, protocol, want string }{
		"gone":         {gone.URL, "", "refused"},
		"silent":       {silent.URL, "", "time-out"},
		"refusing":     {refusing.URL, "", "the request failed"},
		"another port": {refusing.URL, "grpc", "http/protobuf"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", test.url+"/secret")
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", test.protocol)
			t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "50")
			err := Send(t.Context(), "v1", report(), collector(report()))
			if err == nil || strings.Count(err.Error(), test.want) != 2 {
				t.Errorf("%v", err)
			}
			for _, no := range []string{"secret", "127.0.0.1", "ada@"} {
				if err != nil && strings.Contains(err.Error(), no) {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

func valuesOf(all []*common.KeyValue) map[string]string {
	values := map[string]string{}
	for _, a := range all {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			values[a.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			values[a.Key] = strconv.FormatInt(v.IntValue, 10)
		}
	}
	return values
}
