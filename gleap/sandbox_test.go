package gleap_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"gleapsync/gleap"
	"gleapsync/gleap/sandbox"
	"gleapsync/internal/attr"
	"gleapsync/internal/rounds"
)

func connect(t *testing.T, s *sandbox.Sandbox, rate int, window time.Duration) *gleap.Client {
	t.Helper()
	c := connectTo(t, s, rate, window)
	t.Cleanup(func() { checkLedger(t, s, c) })
	return c
}

// checkLedger checks that each request that Gleap saw had a ticket, and each ticket came to
// a request.
func checkLedger(t *testing.T, s *sandbox.Sandbox, c *gleap.Client) {
	t.Helper()
	if seen, taken := s.Counts().Requests, c.Counts().Requests; seen != taken {
		t.Errorf("Gleap saw %d requests of %d tickets", seen, taken)
	}
}

func connectTo(t *testing.T, s http.Handler, rate int, window time.Duration) *gleap.Client {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := gleap.New(gleap.Options{
		BaseURL: server.URL, Token: "token", Rate: rate, Window: window, Concurrency: 16,
		Timeout: 10 * time.Second, GiveUp: time.Minute, Version: "test", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func identifyAll(ctx context.Context, c *gleap.Client, calls, workers int) error {
	group, ctx := errgroup.WithContext(ctx)
	for w := range workers {
		group.Go(func() error {
			for i := w; i < calls; i += workers {
				contact := &gleap.Contact{UserID: fmt.Append(nil, i), Attributes: []gleap.Attribute{{Key: "vip", Value: attr.OfBool(true)}}}
				if err := c.Identify(ctx, contact); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// TestPaceOverTheNetwork sends 1,500 calls at 500 per 2 s, and 3,000 at full length, to a Gleap that refuses the
// 501st request in any window: none is refused, and the limit is used. A processor that others
// keep busy takes some of it away, so that it has to be used once of three times.
func TestPaceOverTheNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 6 s")
	}
	t.Parallel() // it waits
	const rate, window = 500, 2 * time.Second
	calls := rounds.Of(1500, 3000)
	for used, try := 0.0, 1; used < 0.99; try++ {
		s := sandbox.New(sandbox.Options{Token: "token", Rate: rate, Window: window})
		c := connect(t, s, rate, window)
		begin := time.Now()
		if err := identifyAll(t.Context(), c, calls, 16); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begin)
		used = float64(calls) / (rate * took.Seconds() / window.Seconds())
		counts := s.Counts()
		t.Logf("%d calls in %s, %.1f %% of the limit, at most %d in a window", calls, took.Round(time.Millisecond), 100*used, counts.PeakInWindow)
		if counts.RateLimited > 0 || c.Counts().Retried > 0 || counts.PeakInWindow > rate || counts.Identify != calls {
			t.Errorf("%+v %+v", counts, c.Counts())
		}
		if used < 0.99 && try == 3 {
			t.Fatalf("%.1f %% of the limit was used", 100*used)
		}
	}
}

// TestStallOverTheNetwork: nothing comes through for most of a window, and then all of it at once.
// It does not matter for how long a request was on its way.
func TestStallOverTheNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 6 s")
	}
	t.Parallel() // it waits
	const rate, workers = 200, 250
	quarter := time.Duration(rounds.Of(500, 1000)) * time.Millisecond
	window := 4 * quarter
	s := sandbox.New(sandbox.Options{Token: "token", Rate: rate, Window: window})
	begin := time.Now()
	c := connectTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if since := time.Since(begin); since > 3*quarter && since < 6*quarter {
			time.Sleep(6*quarter - since)
		}
		s.ServeHTTP(w, r)
	}), rate, window)
	t.Cleanup(func() { checkLedger(t, s, c) })
	ctx, cancel := context.WithTimeout(t.Context(), 12*quarter)
	defer cancel()
	if err := identifyAll(ctx, c, 100_000, workers); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	counts := s.Counts()
	t.Logf("%d calls, at most %d in a window", counts.Identify, counts.PeakInWindow)
	if counts.RateLimited > 0 || counts.PeakInWindow > rate || counts.Identify < 2*rate {
		t.Errorf("%+v", counts)
	}
}

// TestFaults: whatever goes wrong on the way, every call is applied in the end.
func TestFaults(t *testing.T) {
	t.Parallel() // it waits
	fault, err := sandbox.ParseFaults([]string{"429=0.5%", "500=5%", "reset=5%", "lost=5%"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := sandbox.New(sandbox.Options{Token: "token", Fault: fault})
	c := connect(t, s, 0, time.Minute)
	const calls = 200
	if err := identifyAll(t.Context(), c, calls, 16); err != nil {
		t.Fatal(err)
	}
	n := 0
	for contact := range s.Contacts() {
		if n++; contact.Attributes["vip"] != true {
			t.Errorf("%+v", contact)
		}
	}
	if n != calls || c.Counts().Retried == 0 {
		t.Errorf("%d contacts, %+v, %+v", n, c.Counts(), s.Counts())
	}
}

func TestAuthenticate(t *testing.T) {
	good := connect(t, sandbox.New(sandbox.Options{Token: "token"}), 1000, time.Minute)
	if err := good.Authenticate(t.Context()); err != nil {
		t.Error(err)
	}
	bad := connectTo(t, sandbox.New(sandbox.Options{Token: "other"}), 1000, time.Minute)
	if err := bad.Authenticate(t.Context()); err == nil {
		t.Error("a wrong token is taken")
	}
}
