package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	stdsync "sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gleapsync/internal/config"
	"gleapsync/internal/inputs"
	"gleapsync/internal/projects"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// folder is a folder with the configurations of several projects, and a server of them.
type folder struct {
	t      *testing.T
	dir    string
	gleap  fakeGleap
	reload chan os.Signal
	took   time.Duration // each run
	server *Several

	mu        stdsync.Mutex
	begun     map[string]time.Time // the last run of each project
	now, most int                  // runs
}

func newFolder(t *testing.T, names ...string) *folder {
	f := &folder{t: t, dir: t.TempDir(), reload: make(chan os.Signal, 1), begun: map[string]time.Time{}}
	for i, name := range names {
		f.configure(fmt.Sprintf("p%d", i), name, "0 */2 * * *")
	}
	f.put("vip.csv", "user_id\nu1\nu2\n")
	return f
}

func (f *folder) put(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) configure(file, name, schedule string) {
	f.put(file+".toml", fmt.Sprintf("project = %q\nstate.path = %q\ngleap.base_url = \"sandbox\"\nsync.schedule = %q\nsync.time_zone = \"UTC\"\n[[audience]]\nname = \"VIP\"\nsource = \"vip.csv\"\n", name, file+".db", schedule))
}

func (f *folder) options(atOnce int) SeveralOptions {
	return SeveralOptions{
		AtOnce: atOnce, Version: "v1", Log: slog.New(slog.DiscardHandler), Reload: f.reload,
		Find: func() ([]*projects.Project, error) { return projects.Load(filepath.Join(f.dir, "*.toml"), config.Load) },
		Job: func(*projects.Project) Job {
			return Job{Log: slog.New(slog.DiscardHandler), Usable: func(*config.Config) error { return nil }, Run: f.run}
		},
	}
}

func (f *folder) run(ctx context.Context, cfg *config.Config, watch func(runs.Progress)) (runs.Report, error) {
	f.mu.Lock()
	f.now++
	f.most = max(f.most, f.now)
	f.begun[cfg.Sync.Project] = time.Now()
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.now--
	}()
	time.Sleep(f.took)
	store, err := state.Open(cfg.State)
	if err != nil {
		return runs.Report{}, err
	}
	return sync.New(cfg.Sync, store, &f.gleap, slog.New(slog.DiscardHandler), watch).Sync(ctx, inputs.Request{})
}

// serve begins to serve; the function that it returns ends that.
func (f *folder) serve(atOnce int) (stop func()) {
	f.t.Helper()
	var err error
	if f.server, err = NewSeveral(f.options(atOnce)); err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(f.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.server.Serve(ctx)
	}()
	return func() {
		cancel(sync.ErrInterrupted)
		<-ended
	}
}

// ran returns when the last run of each project began, and forgets it.
func (f *folder) ran() map[string]time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.begun
	f.begun = map[string]time.Time{}
	return all
}

// TestSeveralSlots: projects with the same slots begin one after the other, each of them always
// as late.
func TestSeveralSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t, "acme", "bolt", "corp", "dune")
		defer f.serve(4)()
		at(2, 11)
		first := f.ran()
		at(4, 11)
		second := f.ran()
		seen := map[time.Time]bool{}
		for name, begun := range first {
			if late := begun.Sub(begun.Truncate(2 * time.Hour)); late <= 0 || late >= 10*time.Minute {
				t.Errorf("%s begins %s after its slot", name, late)
			}
			if later := second[name].Sub(begun); later.Round(time.Second) != 2*time.Hour {
				t.Errorf("%s begins %s later", name, later)
			}
			seen[begun.Truncate(time.Second)] = true
		}
		if len(first) != 4 || len(seen) != 4 {
			t.Errorf("%d projects began at %d times", len(first), len(seen))
		}
	})
}

// TestSeveralAtOnce: however many slots there are at a time, so many runs go on and no more, and
// each has its turn.
func TestSeveralAtOnce(t *testing.T) {
	for _, atOnce := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			f := newFolder(t, "acme", "bolt", "corp", "dune", "echo")
			f.took = 20 * time.Minute
			defer f.serve(atOnce)()
			at(2, 10)
			page := get(f.server.Handler(nil), "/").Body.String()
			if waiting := strings.Count(page, ">waiting for other projects<"); waiting != 5-atOnce {
				t.Errorf("%d at once: %d wait: %s", atOnce, waiting, page)
			}
			at(3, 59)
			if ran := f.ran(); len(ran) != 5 || f.most != atOnce {
				t.Errorf("%d at once: %d projects ran, %d at a time", atOnce, len(ran), f.most)
			}
		})
	}
}

// TestSeveralStops: who waits for its turn does not keep the process from its end.
func TestSeveralStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t, "acme", "bolt", "corp")
		f.took = time.Hour
		stop := f.serve(1)
		at(2, 10)
		stop()
		if ran := f.ran(); len(ran) != 1 {
			t.Errorf("%d projects ran", len(ran))
		}
	})
}

// TestSeveralBroken: a configuration that cannot be used stops no other, is shown, and is served
// once it is mended; one that comes later is served too.
func TestSeveralBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFolder(t, "acme")
		f.configure("p1", "bolt", "hourly")
		defer f.serve(2)()
		h := f.server.Handler(nil)
		at(2, 11)
		if ran := f.ran(); len(ran) != 1 || ran["acme"].IsZero() {
			t.Errorf("%v ran", ran)
		}
		if answer := get(h, "/"); answer.Code != 200 || !strings.Contains(answer.Body.String(), "p1.toml:4: sync.schedule: it takes five fields") {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
		if answer := get(h, "/readyz"); answer.Code != 503 || !strings.Contains(answer.Body.String(), "1 of 2 projects are not ready") {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
		if answer := get(h, "/metrics"); !strings.Contains(answer.Body.String(), "gleapsync_config_last_reload_successful{project=\"acme\"} 1\ngleapsync_config_last_reload_successful{project=\"bolt\"} 0\n") {
			t.Errorf("%s", answer.Body)
		}
		f.configure("p1", "bolt", "0 */2 * * *")
		f.configure("p2", "corp", "0 */2 * * *")
		at(4, 11)
		if ran := f.ran(); len(ran) != 3 {
			t.Errorf("%v ran", ran)
		}
		if answer := get(h, "/readyz"); answer.Code != 200 {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}

		// One that is served goes on with what it had, whatever comes beside it.
		f.put("p3.toml", strings.Replace(read(t, filepath.Join(f.dir, "p0.toml")), "p0.db", "p3.db", 1))
		f.reload <- syscall.SIGHUP
		at(6, 11)
		if ran := f.ran(); len(ran) != 3 || ran["acme"].IsZero() {
			t.Errorf("%v ran", ran)
		}
		if text := get(h, "/").Body.String(); strings.Count(text, "p3.toml both have project = ")+strings.Count(text, "p0.toml both have project = ") != 2 {
			t.Error(text)
		}
		if err := os.Remove(filepath.Join(f.dir, "p2.toml")); err != nil {
			t.Fatal(err)
		}
		at(8, 11)
		if ran := f.ran(); len(ran) != 3 {
			t.Errorf("%v ran", ran)
		}
		if text := get(h, "/").Body.String(); !strings.Contains(text, "its file is gone") {
			t.Error(text)
		}
	})
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSeveralNone: where no configuration can be used there is nothing to serve.
func TestSeveralNone(t *testing.T) {
	f := newFolder(t)
	if _, err := NewSeveral(f.options(1)); err == nil || !strings.Contains(err.Error(), "there is no configuration") {
		t.Error(err)
	}
	f.configure("p0", "acme", "hourly")
	if _, err := NewSeveral(f.options(1)); err == nil || !strings.Contains(err.Error(), "p0.toml:4: sync.schedule") {
		t.Error(err)
	}
	f.configure("p0", "acme", "0 * * * *")
	o := f.options(1)
	o.Job = func(*projects.Project) Job {
		return Job{Log: o.Log, Usable: func(*config.Config) error { return errors.New("no token") }}
	}
	if _, err := NewSeveral(o); err == nil || err.Error() != "no token" {
		t.Error(err)
	}
}

// TestSeveralPages: each project has its site below the page of all, whatever its name has in it.
func TestSeveralPages(t *testing.T) {
	f := newFolder(t, "acme", "b c/d & <e>")
	s, err := NewSeveral(f.options(2))
	if err != nil {
		t.Fatal(err)
	}
	h := s.Handler(nil)
	for _, m := range s.members() {
		m.server.run(t.Context())
	}
	odd := "/projects/" + url.PathEscape("b c/d & <e>")
	_, last := s.members()[1].server.live.snapshot()
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/":                         {200, `<a href="/projects/acme/">acme</a>`},
		"/projects/acme/":           {200, `action="/projects/acme/#exports"`},
		"/projects/acme/contact":    {200, `<form action="/projects/acme/contact"`},
		"/projects/acme/metrics":    {200, "gleapsync_state_readable 1"},
		"/projects/acme/nowhere":    {404, "no such page"},
		"/projects/corp/":           {404, "no such project"},
		"/nowhere":                  {404, "no such page"},
		odd + "/":                   {200, "<title>gleapsync: b c/d &amp; &lt;e&gt;</title>"},
		odd + "/runs/" + last.Run:   {200, "2 acknowledged"},
		odd + "/contact?id=u1":      {200, "applied"},
		odd + "/api/runs?limit=1":   {200, last.Run},
		"/metrics":                  {200, "gleapsync_calls_total{project=\"acme\",result=\"acknowledged\"} 2\n"},
		"/healthz":                  {200, "ok"},
		"/readyz":                   {200, "ok"},
		"/projects/acme/healthz":    {404, "no such page"},
		"/projects/acme/api/status": {200, `"project":"acme"`},
	} {
		if answer := get(h, path); answer.Code != want.status || !strings.Contains(answer.Body.String(), want.text) {
			t.Errorf("%s: %d, want %d with %s: %s", path, answer.Code, want.status, want.text, answer.Body)
		}
	}
	if text := get(h, "/").Body.String(); !strings.Contains(text, strings.ReplaceAll(odd, "&", "&amp;")+"/") {
		t.Errorf("no link to %s: %s", odd, text)
	}
	if text := get(h, "/nowhere").Body.String(); strings.Contains(text, "/contact") || !strings.Contains(text, `<a href="/">All projects</a>`) {
		t.Errorf("it leads to a page that is not there: %s", text)
	}
	if text := get(h, "/metrics").Body.String(); strings.Count(text, "# TYPE gleapsync_build_info gauge") != 1 {
		t.Error("metrics are described more than once")
	}
	var all []projectStatus
	if err := json.Unmarshal(get(h, "/api/projects").Body.Bytes(), &all); err != nil || len(all) != 2 || all[1].Project != "b c/d & <e>" || all[1].Outcome != runs.Complete || all[1].Page != odd+"/" {
		t.Errorf("%+v, %v", all, err)
	}
	if answer := get(h, "/", func(r *http.Request) { r.Host = "evil.example.com" }); answer.Code != 403 {
		t.Errorf("a public name: %d", answer.Code)
	}
}

// TestSeveralRemedies: a command that a project's page or its status has names the project's
// configuration: without that it would be about no project.
func TestSeveralRemedies(t *testing.T) {
	f := newFolder(t, "acme", "bolt")
	s, err := NewSeveral(f.options(2))
	if err != nil {
		t.Fatal(err)
	}
	h := s.Handler(nil)
	run := func() {
		for _, m := range s.members() {
			m.server.run(t.Context())
		}
	}
	run()
	f.put("vip.csv", "user_id\n")
	run()
	for i, m := range s.members() {
		path := filepath.Join(f.dir, fmt.Sprintf("p%d.toml", i))
		remedy := "gleapsync sync --config " + path + " --max-exits vip=2"
		_, last := m.server.live.snapshot()
		for page, want := range map[string]string{
			"/":                 "<code>" + remedy + "</code>",
			"/runs/" + last.Run: "run " + remedy + " once",
			"/contact?id=u1":    "run " + remedy + " once",
			"/api/status":       "run " + remedy + " once",
		} {
			text := get(h, "/projects/"+m.name()+page).Body.String()
			if !strings.Contains(text, want) || strings.Contains(text, "gleapsync sync --max-exits") {
				t.Errorf("%s of %s: no %s in %s", page, m.name(), want, text)
			}
		}
	}
}
