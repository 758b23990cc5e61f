package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"gleapsync/gleap"
	"gleapsync/internal/config"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// get asks a handler.
func get(h http.Handler, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8080"+path, nil)
	for _, c := range change {
		c(r)
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

func (w *world) handler() http.Handler { return w.server.Handler(nil) }

// once carries out one run.
func (w *world) once() runs.Report {
	w.server.run(w.t.Context())
	_, last := w.server.live.snapshot()
	return *last
}

func TestPages(t *testing.T) {
	w := newWorld(t, false)
	h := w.handler()
	if answer := get(h, "/"); answer.Code != 200 || !strings.Contains(answer.Body.String(), "There was no sync yet.") {
		t.Errorf("before the first run: %d %s", answer.Code, answer.Body)
	}
	run := w.once().Run
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/":                       {200, `<a href="/runs/` + run + `">`},
		"/runs/" + run:            {200, "2 acknowledged, 0 refused"},
		"/runs/20000101":          {404, "no such run"},
		"/contact":                {200, "Look up"},
		"/contact?id=u1":          {200, "<td data-label=\"Last sync\">applied</td>"},
		"/contact?id=nobody":      {200, "Gleap was told nothing of this user id"},
		"/contact?id=%ff":         {400, "A user id has"},
		"/contact?id=" + long:     {400, "A user id has"},
		"/elsewhere":              {404, "no such page"},
		"/runs":                   {404, "no such page"},
		"/healthz":                {200, "ok"},
		"/readyz":                 {200, "ok"},
		"/metrics":                {200, "gleapsync_calls_total{result=\"acknowledged\"} 2"},
		"/api/status":             {200, `"project":"acme"`},
		"/api/runs/" + run:        {200, `"outcome":"complete"`},
		"/api/runs/none":          {404, `"error"`},
		"/api/runs?limit=0":       {400, `"error"`},
		"/api/runs?limit=100000 ": {400, `"error"`},
	} {
		answer := get(h, strings.ReplaceAll(path, " ", "%20"))
		if answer.Code != want.status || !strings.Contains(answer.Body.String(), want.text) {
			t.Errorf("%.40s: %d, want %d and %q in\n%s", path, answer.Code, want.status, want.text, answer.Body)
		}
		for name, value := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
			"Content-Security-Policy": "default-src 'none'; style-src 'sha256-",
		} {
			if got := answer.Header().Get(name); !strings.HasPrefix(got, value) {
				t.Errorf("%.40s: %s is %q", path, name, got)
			}
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if answer := get(h, "/", func(r *http.Request) { r.Method = method }); answer.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, answer.Code)
		}
	}
}

var long = strings.Repeat("u", 1025)

func TestAPI(t *testing.T) {
	w := newWorld(t, false)
	first := w.once()
	w.export("u1")
	w.server.config.Load().Sync.Guard.MinExits = 0
	second := w.once() // held: half of the members would leave
	h := w.handler()
	var last []runs.Report
	if err := json.Unmarshal(get(h, "/api/runs?limit=2").Body.Bytes(), &last); err != nil || len(last) != 2 || last[0].Run != second.Run || last[1].Run != first.Run {
		t.Errorf("%v, %v", last, err)
	}
	var s status
	if err := json.Unmarshal(get(h, "/api/status").Body.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if s.Running != nil || s.LastRun.Run != second.Run || s.LastSuccess.Run != first.Run || len(s.Exports) != 1 || s.Exports[0].Status != runs.StatusHeld {
		t.Errorf("%+v", s)
	}
	if page := get(h, "/").Body.String(); !strings.Contains(page, "<code>gleapsync sync --max-exits vip=1</code>") {
		t.Errorf("the page does not say what to do:\n%s", page)
	}
}

// TestPrivate: no page names a contact that was not asked for, and the token is nowhere.
func TestPrivate(t *testing.T) {
	w := newWorld(t, false)
	const id = "ada@example.com"
	w.export("u1", id)
	w.gleap.set(func() { w.gleap.refuse = id })
	if r := w.once(); r.Contacts.Parked != 1 {
		t.Fatalf("%+v", r)
	}
	h := w.handler()
	for _, path := range []string{"/", "/runs/" + w.once().Run, "/contact", "/contact?id=u1", "/api/status", "/api/runs", "/metrics"} {
		if text := get(h, path).Body.String(); strings.Contains(text, "ada@") {
			t.Errorf("%s names a contact:\n%s", path, text)
		}
	}
	if text := get(h, "/contact?id="+id).Body.String(); !strings.Contains(text, "Parked:") {
		t.Errorf("who was asked for is not there:\n%s", text)
	}
	if text := get(h, "/").Body.String(); !strings.Contains(text, "Gleap refused the contact") || !strings.Contains(text, "422") {
		t.Errorf("the parked contact's reason is not there:\n%s", text)
	}
}

// TestEscape: a name of an audience is text, whatever is in it.
func TestEscape(t *testing.T) {
	w := newWorld(t, false)
	w.configure("0 * * * *", "[[audience]]\nname = \"<script>alert(1)</script>\"\nsource = \"vip.csv\"\n")
	w.server.reload(false)
	w.once()
	h := w.handler()
	for _, path := range []string{"/", "/contact?id=<script>alert(1)</script>"} {
		text := get(h, strings.NewReplacer("<", "%3C", ">", "%3E").Replace(path)).Body.String()
		if strings.Contains(text, "<script") || !strings.Contains(text, "&lt;script&gt;") {
			t.Errorf("%s:\n%s", path, text)
		}
	}
}

func TestAuth(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("open sesame"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "users")
	os.WriteFile(path, []byte("# who may look\n\nada:"+string(hash)+"\n"), 0o600)
	auth, err := ReadAuth(path)
	if err != nil {
		t.Fatal(err)
	}
	h := newWorld(t, false).server.Handler(auth)
	for _, test := range []struct {
		name, password string
		want           int
	}{{"", "", 401}, {"ada", "wrong", 401}, {"bob", "open sesame", 401}, {"ada", "open sesame", 200}, {"ada", "open sesame", 200}, {"ada", "wrong", 401}, {"ada", "", 401}} {
		for _, path := range []string{"/", "/metrics", "/api/status", "/api/runs", "/contact", "/runs/x", "/nothing"} {
			answer := get(h, path, func(r *http.Request) {
				r.Host = "gleapsync.example.com" // by any name: the password keeps others out
				if test.name != "" {
					r.SetBasicAuth(test.name, test.password)
				}
			})
			if got := answer.Code; (got == 401) != (test.want == 401) || got == 401 && answer.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s as %s: %d", path, test.name, got)
			}
		}
	}
	for _, probe := range []string{"/healthz", "/readyz"} {
		if got := get(h, probe).Code; got != 200 {
			t.Errorf("%s: %d", probe, got)
		}
	}
}

func TestReadAuth(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"":                          "there is no user",
		"# nobody\n":                "there is no user",
		"ada:hunter2\n":             ":1: it takes NAME:HASH",
		"\nada\n":                   ":2: it takes NAME:HASH",
		":$2y$05$x\n":               ":1: it takes NAME:HASH",
		"ada:{SHA}fEqNCco3Yq9h5Z=":  ":1: it takes NAME:HASH",
		strings.Repeat("a", 100000): "token too long",
	} {
		path := filepath.Join(dir, "users")
		os.WriteFile(path, []byte(text), 0o600)
		if _, err := ReadAuth(path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.30q: %v, want %s", text, err, want)
		}
	}
	if _, err := ReadAuth(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there")
	}
}

// TestHost: another site cannot read the page by having a browser take its name for an
// address that the browser reaches.
func TestHost(t *testing.T) {
	h := newWorld(t, false).handler()
	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200, "localhost": 200, "10.1.2.3:8080": 200,
		"gleapsync:8080": 200, "gleapsync.default.svc.cluster.local:8080": 200, "gleapsync.default.svc": 200,
		"evil.example": 403, "evil.example:8080": 403, "evil.example.:8080": 403, "127.0.0.1.evil.example": 403, "localhost@evil.example": 403, "EVIL.example": 403,
	} {
		if got := get(h, "/api/status", func(r *http.Request) { r.Host = host }).Code; got != want {
			t.Errorf("%q: %d, want %d", host, got, want)
		}
	}
}

// TestReady: a process is ready for two slots after its start, and after each success.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		h := w.handler()
		expect := func(want int) {
			t.Helper()
			if got := get(h, "/readyz").Code; got != want {
				t.Errorf("%v: %d, want %d", time.Now(), got, want)
			}
		}
		w.gleap.set(func() { w.gleap.err = &gleap.UnreachableError{} })
		stop := w.serve()
		defer stop()
		expect(200)
		at(3, 0)
		expect(200)
		at(4, 1)
		expect(503)
		w.gleap.set(func() { w.gleap.err = nil })
		at(6, 1)
		expect(200)
		at(7, 0)
		w.export("u1", "u2", "u3")
		w.gleap.set(func() { w.gleap.err = &gleap.UnreachableError{} })
		at(9, 59)
		expect(200)
		at(10, 1)
		expect(503)
		if got := get(h, "/healthz").Code; got != 200 {
			t.Errorf("the process is alive: %d", got)
		}
	})
}

// TestReadyAfterAWrongClock: a success from the future is none, so that it keeps nobody quiet
// for years.
func TestReadyAfterAWrongClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		store, err := state.Open(w.server.config.Load().State)
		if err != nil {
			t.Fatal(err)
		}
		future := time.Now().AddDate(10, 0, 0).UTC()
		history, err := json.Marshal(runs.History{LastSuccess: &runs.Summary{Run: "x", Command: "sync", Outcome: runs.Complete, Started: future, Finished: future}})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Finish(state.Result{Run: "x", Report: []byte("{}"), History: history}); err != nil {
			t.Fatal(err)
		}
		w.gleap.set(func() { w.gleap.err = &gleap.UnreachableError{} })
		stop := w.serve()
		defer stop()
		h := w.handler()
		at(3, 0)
		if got := get(h, "/readyz").Code; got != 200 {
			t.Errorf("at the start: %d", got)
		}
		at(4, 1)
		if got := get(h, "/readyz").Code; got != 503 {
			t.Errorf("after two slots without a success: %d", got)
		}
		if text := get(h, "/metrics").Body.String(); strings.Contains(text, "gleapsync_last_success_timestamp_seconds ") {
			t.Error("there is a last success")
		}
	})
}

// TestDamagedState: the pages say so; nothing panics.
func TestDamagedState(t *testing.T) {
	w := newWorld(t, false)
	w.once()
	w.put("gleapsync.db", strings.Repeat("rubbish", 10000))
	h := w.handler()
	for path, want := range map[string]int{"/": 500, "/contact?id=u1": 500, "/runs/x": 500, "/api/status": 500, "/api/runs": 500, "/api/runs/x": 500, "/readyz": 503, "/metrics": 200} {
		answer := get(h, path)
		if answer.Code != want {
			t.Errorf("%s: %d %s", path, answer.Code, answer.Body)
		}
		if path != "/readyz" && path != "/metrics" && !strings.Contains(answer.Body.String(), "restore a backup") {
			t.Errorf("%s does not say what to do:\n%s", path, answer.Body)
		}
	}
	if text := get(h, "/metrics").Body.String(); !strings.Contains(text, "gleapsync_state_readable 0") {
		t.Error(text)
	}
}

// TestManyReaders: however many ask, the state is not read all the time, so that a run can
// commit to it.
func TestManyReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.once()
		h := w.handler()
		for path, test := range map[string]struct{ least, most time.Duration }{
			"/readyz": {0, pause}, "/api/status": {0, pause}, "/metrics": {0, pause}, // as it was a second ago
			"/": {99 * pause, 101 * pause}, "/api/runs": {99 * pause, 101 * pause}, "/runs/x": {99 * pause, 101 * pause}, "/contact?id=u1": {99 * pause, 101 * pause},
		} {
			time.Sleep(2 * fresh)
			started := time.Now()
			for range 100 {
				get(h, path)
			}
			if took := time.Since(started); took < test.least || took > test.most {
				t.Errorf("%s, 100 times: %v", path, took)
			}
		}
	})
}

// TestUnrecorded: a run whose report could not be stored is shown as what it is.
func TestUnrecorded(t *testing.T) {
	w := newWorld(t, false)
	w.once()
	run := w.server.o.Run
	w.server.o.Run = func(ctx context.Context, cfg *config.Config, watch func(runs.Progress)) (runs.Report, error) {
		r, _ := run(ctx, cfg, watch)
		r.Recorded, r.Outcome = false, runs.Failed
		return r, errors.New("no space left on device")
	}
	w.once()
	h := w.handler()
	for path, want := range map[string]string{"/": "could not begin or be recorded: no space left", "/api/status": `"last_error":"no space left on device"`} {
		if text := get(h, path).Body.String(); !strings.Contains(text, want) {
			t.Errorf("%s does not say %s:\n%s", path, want, text)
		}
	}
}

// TestOtherProcess: a sync of another process on the same state is seen here too.
func TestOtherProcess(t *testing.T) {
	w := newWorld(t, false)
	w.once()
	h := w.handler()
	store, err := state.Open(w.server.config.Load().State)
	if err != nil {
		t.Fatal(err)
	}
	release, err := store.Lock()
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now().UTC().Truncate(time.Second)
	store.Say(state.Running{Run: "run-7", Command: "retire", Started: begun, Phase: "sending", Done: 3, Total: 9, At: begun.Add(time.Second)})
	var s status
	if err := json.Unmarshal(get(h, "/api/status").Body.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	if r := s.Running; r == nil || r.Done != 3 || r.Total != 9 || r.Holder == nil || r.Holder.PID != os.Getpid() || r.Holder.Running.Run != "run-7" {
		t.Errorf("got %+v", s.Running)
	}
	if page, want := get(h, "/").Body.String(), fmt.Sprintf(": retire of process %d on ", os.Getpid()); !strings.Contains(page, want) || !strings.Contains(page, "3 of 9 contacts") {
		t.Errorf("the page does not say %q", want)
	}
	if text := get(h, "/metrics").Body.String(); !strings.Contains(text, "\ngleapsync_running 1\n") || !strings.Contains(text, "\ngleapsync_run_planned 9\n") {
		t.Error("the metrics do not have it")
	}
	release()
	if err := json.Unmarshal(get(h, "/api/status").Body.Bytes(), &s); err != nil || s.Running != nil {
		t.Errorf("%v, %+v", err, s.Running)
	}
}
