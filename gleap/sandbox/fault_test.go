package sandbox_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gleapsync/gleap/sandbox"
)

// faultHeader draws the fault that a request asks for.
func faultHeader(r *http.Request) sandbox.Fault {
	fault, _ := strconv.Atoi(r.Header.Get("Fault"))
	return sandbox.Fault(fault)
}

// faulty makes an identify request that asks for a fault.
func faulty(t *testing.T, base string, fault sandbox.Fault) *http.Request {
	t.Helper()
	r, err := http.NewRequest("POST", base+"/admin/identify", strings.NewReader(`{"userId":"u1"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Api-Token", token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Fault", strconv.Itoa(int(fault)))
	return r
}

// TestFaults sends one request after the other, each with its fault, over a
// real connection.
func TestFaults(t *testing.T) {
	steps := []struct {
		fault      sandbox.Fault
		status     int // 0: the connection is reset
		retryAfter string
		remaining  string
		identified int // afterwards
	}{
		{sandbox.None, 200, "", "99", 1},
		{sandbox.TooManyRequests, 429, "1", "0", 1},
		{sandbox.ServerError, 500, "", "97", 1},
		{sandbox.Reset, 0, "", "", 1},
		{sandbox.Lost, 0, "", "", 2},
		{sandbox.None, 200, "", "94", 3},
	}
	s := sandbox.New(sandbox.Options{Token: token, Rate: 100, Fault: faultHeader})
	srv := httptest.NewServer(s)
	defer srv.Close()
	for i, step := range steps {
		stranger := faulty(t, srv.URL, step.fault)
		stranger.Header.Del("Api-Token")
		if resp, err := srv.Client().Do(stranger); err != nil {
			t.Errorf("step %d: a fault before the token was checked: %v", i, err)
		} else if resp.Body.Close(); resp.StatusCode != 401 {
			t.Errorf("step %d: status %d without a token", i, resp.StatusCode)
		}

		resp, err := srv.Client().Do(faulty(t, srv.URL, step.fault))
		switch {
		case step.status == 0:
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("step %d: %v, want a reset connection", i, err)
			}
		case err != nil:
			t.Errorf("step %d: %v", i, err)
		default:
			resp.Body.Close()
			got := [2]string{resp.Header.Get("Retry-After"), resp.Header.Get("X-RateLimit-Remaining")}
			if want := [2]string{step.retryAfter, step.remaining}; resp.StatusCode != step.status || got != want {
				t.Errorf("step %d: %d %q, want %d %q", i, resp.StatusCode, got, step.status, want)
			}
		}
		if c, _ := s.Contact("u1"); c.Identified != step.identified {
			t.Errorf("step %d: identified %d times, want %d", i, c.Identified, step.identified)
		}
	}
	want := sandbox.Counts{Requests: 6, Identify: 3, Faults: 4, Contacts: 1, PeakInWindow: 6}
	if got := s.Counts(); got != want {
		t.Errorf("counts\n%+v, want\n%+v", got, want)
	}
}

// TestFaultAfterLimit wants no fault drawn for what the limit refused.
func TestFaultAfterLimit(t *testing.T) {
	drawn := 0
	s := sandbox.New(sandbox.Options{Token: token, Rate: 1, Fault: func(*http.Request) sandbox.Fault {
		drawn++
		return sandbox.ServerError
	}})
	for _, want := range []int{500, 429, 429} {
		if w := identify(s, `{"userId":"u1"}`); w.Code != want {
			t.Errorf("status %d, want %d", w.Code, want)
		}
	}
	if c := s.Counts(); drawn != 1 || c.Faults != 1 || c.RateLimited != 2 {
		t.Errorf("%d drawn, counts %+v", drawn, c)
	}
}

// TestFaultsHTTP2 has no connection to itself that it could reset.
func TestFaultsHTTP2(t *testing.T) {
	s := sandbox.New(sandbox.Options{Token: token, Fault: faultHeader})
	srv := httptest.NewUnstartedServer(s)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	for _, fault := range []sandbox.Fault{sandbox.Lost, sandbox.Reset, sandbox.None} {
		resp, err := srv.Client().Do(faulty(t, srv.URL, fault))
		if (err == nil) != (fault == sandbox.None) {
			t.Errorf("fault %d: %v", fault, err)
		}
		if err == nil {
			resp.Body.Close()
			if resp.ProtoMajor != 2 {
				t.Errorf("%s, want HTTP/2", resp.Proto)
			}
		}
	}
	if c, _ := s.Contact("u1"); c.Identified != 2 {
		t.Errorf("identified %d times, want 2", c.Identified)
	}
}

func TestParseFaults(t *testing.T) {
	const n = 100_000
	specs := []string{"429=5%", "500=1%", "reset=10.5%", "lost=0.5%"}
	want := [...]float64{sandbox.None: .83, sandbox.TooManyRequests: .05, sandbox.ServerError: .01, sandbox.Reset: .105, sandbox.Lost: .005}
	draw := func(specs []string, seed uint64) []sandbox.Fault {
		t.Helper()
		f, err := sandbox.ParseFaults(specs, seed)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]sandbox.Fault, n)
		for i := range out {
			out[i] = f(nil)
		}
		return out
	}
	faults := draw(specs, 1)
	var got [len(want)]float64
	for _, f := range faults {
		got[f] += 1. / n
	}
	for f := range want {
		if diff := got[f] - want[f]; diff < -.004 || diff > .004 || got[f] == 0 {
			t.Errorf("fault %d: share %.4f, want %.4f", f, got[f], want[f])
		}
	}
	same, other := draw(specs, 1), draw(specs, 2)
	differ := 0
	for i := range faults {
		if faults[i] != same[i] {
			t.Fatalf("draw %d differs with the same seed", i)
		}
		if faults[i] != other[i] {
			differ++
		}
	}
	if differ == 0 {
		t.Error("two seeds draw the same")
	}

	for _, f := range draw(nil, 1) {
		if f != sandbox.None {
			t.Fatalf("fault %d without a spec", f)
		}
	}
	for _, f := range draw([]string{"reset=100%", "lost=0%"}, 1) {
		if f != sandbox.Reset {
			t.Fatalf("fault %d, want each one reset", f)
		}
	}
	for _, f := range draw([]string{"429=33.3%", "500=33.3%", "lost=33.4%"}, 1) {
		if f == sandbox.Reset {
			t.Fatal("a fault that was not asked for")
		}
	}
}

func TestParseFaultsErrors(t *testing.T) {
	for _, tt := range []struct {
		specs []string
		want  string
	}{
		{[]string{""}, "unknown kind"},
		{[]string{"5%"}, "unknown kind"},
		{[]string{"timeout=5%"}, `"timeout=5%": unknown kind`},
		{[]string{"Reset=5%"}, "unknown kind"},
		{[]string{"reset"}, "the share must be"},
		{[]string{"reset="}, "the share must be"},
		{[]string{"reset=%"}, "the share must be"},
		{[]string{"reset=5"}, `"reset=5": the share must be between 0% and 100%, as in reset=5%`},
		{[]string{"reset=x%"}, "the share must be"},
		{[]string{"reset=-1%"}, "the share must be"},
		{[]string{"reset=101%"}, "the share must be"},
		{[]string{"reset=NaN%"}, "the share must be"},
		{[]string{"reset=Inf%"}, "the share must be"},
		{[]string{"reset=1%", "reset=2%"}, "reset is given twice"},
		{[]string{"reset=60%", "lost=40.5%"}, "add up to 100.5%"},
	} {
		f, err := sandbox.ParseFaults(tt.specs, 1)
		if err == nil || f != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.specs, err, tt.want)
		}
	}
}

// TestParsedFaultsConcurrent leaves the watching to the race detector.
func TestParsedFaultsConcurrent(t *testing.T) {
	f, err := sandbox.ParseFaults([]string{"429=50%"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := sandbox.New(sandbox.Options{Token: token, Fault: f})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				identify(s, `{"userId":"u1"}`)
			}
		})
	}
	wg.Wait()
	if c := s.Counts(); c.Requests != 800 || c.Identify+c.Faults != 800 || c.Faults < 300 {
		t.Errorf("counts %+v", c)
	}
}
