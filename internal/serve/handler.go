package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gleapsync/internal/exchange"
	"gleapsync/internal/inspect"
	"gleapsync/internal/metrics"
	"gleapsync/internal/page"
	"gleapsync/internal/runs"
	"gleapsync/internal/userid"
	"gleapsync/state"
)

// Handler answers with the status page, JSON, metrics and probes. Everything but the
// probes is for users of a; nil lets everybody in who asks by a name that is not public.
func (s *site) Handler(a *Auth) http.Handler { return guarded(a, s.pages(), s.ready) }

// guarded adds the probes to pages, and keeps off those who may not see these.
func guarded(a *Auth, pages http.Handler, ready http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", ready)
	mux.Handle("/", a.protect(pages))
	if a == nil {
		return secured(private(sameSite(mux)))
	}
	return secured(sameSite(mux))
}

// pages answers with everything but the probes.
func (s *site) pages() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", s.made(s.front))
	pages.HandleFunc("GET /runs/{id}", s.made(s.runPage))
	pages.HandleFunc("GET /contact", s.made(s.contact))
	pages.HandleFunc("POST /contact", s.readContact)
	pages.HandleFunc("GET /api/status", s.made(s.apiStatus))
	pages.HandleFunc("GET /api/runs", s.apiRuns)
	pages.HandleFunc("GET /api/runs/{id}", s.made(s.apiRun))
	pages.HandleFunc("GET /metrics", s.made(s.metrics))
	pages.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s.notFound(w, "There is no such page.")
	})
	return pages
}

// private does not answer to names that anybody can have: a page on another site can make
// a browser take its own name for an address that only the browser reaches, and could read
// everything then.
func private(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answersTo(r.Host) {
			http.Error(w, "without --auth-file this page answers to addresses, and to names without a dot or in .svc or .local only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answersTo reports whether a host, as a request names it, is an address or a name that no
// public name server has.
func answersTo(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]."))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return exchange.IsPrivateName(host)
}

// secured sets the headers that keep a browser from doing more with a page than show it.
func secured(next http.Handler) http.Handler {
	policy := "default-src 'none'; style-src '" + page.StyleHash() + "'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // with none, a browser would not say that a form is ours
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (s *site) front(w http.ResponseWriter, r *http.Request) {
	now := s.now()
	data := page.Data{Site: s.common(), At: time.Now(), Now: &now}
	if err := s.inspect(r.Context(), func(v *inspect.View) error {
		data = page.Read(v, s.common(), &now)
		return nil
	}); err != nil {
		data.Error = err.Error()
	}
	data.Find, data.Show = r.FormValue("q"), r.FormValue("show")
	status := http.StatusOK
	if data.Error != "" {
		status = http.StatusInternalServerError
	}
	s.html(w, status, func(w io.Writer) error { return page.Front(w, data) })
}

func (s *site) runPage(w http.ResponseWriter, r *http.Request) {
	report, err := s.report(r)
	switch {
	case errors.Is(err, state.ErrNotFound):
		s.notFound(w, "The state has no such run: it keeps the last 500.")
	case err != nil:
		s.html(w, http.StatusInternalServerError, func(w io.Writer) error {
			return page.Front(w, page.Data{Site: s.common(), At: time.Now(), Error: err.Error()})
		})
	default:
		s.html(w, http.StatusOK, func(w io.Writer) error { return page.Run(w, s.common(), report) })
	}
}

// report returns the report of the run that a request names.
func (s *site) report(r *http.Request) (report runs.Report, err error) {
	err = s.inspect(r.Context(), func(v *inspect.View) (err error) {
		report, err = v.Run(r.PathValue("id"))
		return err
	})
	return report, err
}

// contact shows what the state says of a contact. It reads no export.
func (s *site) contact(w http.ResponseWriter, r *http.Request) {
	s.showContact(w, r.FormValue("id"), func(c *page.Contact) error {
		return s.inspect(r.Context(), func(v *inspect.View) error {
			detail, err := v.Stored(c.Asked)
			if err != nil {
				return err
			}
			c.Detail = &detail
			c.Last, err = v.LastSync()
			return err
		})
	})
}

// readContact shows what the exports say of a contact too.
func (s *site) readContact(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	s.showContact(w, r.PostFormValue("id"), func(c *page.Contact) error {
		setDeadline(w, time.Time{}) // it takes as long as the exports do
		defer s.extend(w)
		detail, err := s.readExports(r.Context(), c.Asked)
		c.Detail, c.Read = &detail, err == nil
		return err
	})
}

// showContact shows a contact, with what ask finds out about the one that is asked for.
func (s *site) showContact(w http.ResponseWriter, id string, ask func(*page.Contact) error) {
	c, status, err := page.Contact{Site: s.common()}, http.StatusOK, error(nil)
	if len(id) > userid.Max || !utf8.ValidString(id) {
		status, c.Error = http.StatusBadRequest, "A user id has 1 to "+strconv.Itoa(userid.Max)+" bytes of UTF-8."
	} else if c.Asked = id; id != "" {
		err = ask(&c)
	}
	switch {
	case errors.Is(err, errBusy):
		w.Header().Set("Retry-After", "5")
		status, c.Error, c.Detail = http.StatusServiceUnavailable, "Somebody else has the exports read now: try again when that is done.", nil
	case err != nil:
		status, c.Error, c.Detail = http.StatusInternalServerError, err.Error(), nil
	}
	s.html(w, status, func(w io.Writer) error { return page.Lookup(w, c) })
}

var errBusy = errors.New("the exports are read for somebody else")

// readExports looks a contact up in the exports. That reads all of them and starts their
// commands, so it is done for one at a time, and only after a button was pressed.
func (s *site) readExports(ctx context.Context, userID string) (detail inspect.Contact, err error) {
	select {
	case s.lookUp <- struct{}{}:
		defer func() { <-s.lookUp }()
	default:
		return detail, errBusy
	}
	err = s.inspect(ctx, func(v *inspect.View) (err error) {
		detail, err = v.Contact(ctx, userID)
		return err
	})
	return detail, err
}

func (s *site) notFound(w http.ResponseWriter, what string) {
	s.html(w, http.StatusNotFound, func(w io.Writer) error { return page.NotFound(w, s.common(), what) })
}

func (d *desk) html(w http.ResponseWriter, status int, write func(io.Writer) error) {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		d.log.Error("a page could not be made", "error", err.Error())
		http.Error(w, "the page could not be made: see the log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = text.WriteTo(w) // a reader that went away is nothing to us
}

func (s *site) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", metrics.ContentType)
	_ = metrics.Write(w, s.collectors()...)
}

func (s *site) collectors() []metrics.Source {
	return []metrics.Source{metrics.NewCollector(s.version, s.metricsSnapshot), metrics.LiveCollector(s.metricsLive)}
}

func (s *site) metricsSnapshot() metrics.Snapshot {
	_, last := s.live.snapshot()
	seen := s.look(context.Background())
	if seen.err != nil {
		return metrics.Snapshot{Last: last}
	}
	return metrics.NewSnapshot(&seen.overview, seen.last, last)
}

func (s *site) metricsLive() metrics.Live {
	now := s.now()
	l := metrics.Live{Running: now.Running, ConfigLoaded: now.Config == ""}
	if now.Running && now.Progress.Total > 0 {
		l.Done, l.Planned = now.Progress.Done, now.Progress.Total
	}
	return l
}

// ready says whether the last success, or if there was none the start of this process, is
// not older than two slots.
func (s *site) ready(w http.ResponseWriter, r *http.Request) {
	if problem := s.late(r.Context()); problem != "" {
		http.Error(w, problem, http.StatusServiceUnavailable)
		return
	}
	io.WriteString(w, "ok\n")
}

// late says why the project is not ready, "": it is.
func (s *site) late(ctx context.Context) string {
	since := time.Now().Add(-time.Since(s.begun)) // by today's clock, not by that of the start
	seen := s.look(ctx)
	if seen.err != nil {
		return "the state cannot be read: see the log of the last run"
	}
	if success := seen.overview.History.LastSuccess; success != nil {
		since = success.Finished
	}
	if due := s.schedule().Next(s.schedule().Next(since)); time.Now().After(due) {
		return "the last sync that delivered everything is older than two slots"
	}
	return ""
}

func (d *desk) json(w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		status = http.StatusInternalServerError
		if errors.Is(err, state.ErrNotFound) {
			status = http.StatusNotFound
		}
		answer = map[string]string{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(answer) // a reader that went away is nothing to us
}
