package serve

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"gleapsync/internal/human"
	"gleapsync/internal/metrics"
	"gleapsync/internal/page"
	"gleapsync/internal/runs"
)

// below is what the addresses of a project begin with, before its name.
const below = "/projects/"

// Web returns a web server of [Several.Handler].
func (s *Several) Web(a *Auth) *http.Server { return s.web(s.Handler(a)) }

// Handler answers with a page that has a row for each project, the sites of all of them, JSON,
// metrics and probes. Who may look at one may look at all.
func (s *Several) Handler(a *Auth) http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", s.made(s.front))
	pages.HandleFunc("GET "+below+"{project}/{rest...}", s.project)
	pages.HandleFunc("POST "+below+"{project}/{rest...}", s.project)
	pages.HandleFunc("GET /api/projects", s.made(s.apiProjects))
	pages.HandleFunc("GET /metrics", s.made(s.metrics))
	pages.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { s.notFound(w, "There is no such page.") })
	return guarded(a, pages, s.ready)
}

// name returns the project's name, or its file if it has none that can be read.
func (m *member) name() string {
	if m.server == nil {
		return m.label
	}
	return m.server.config.Load().Sync.Project
}

// project has the site of one project answer.
func (s *Several) project(w http.ResponseWriter, r *http.Request) {
	for _, m := range s.members() {
		if m.server == nil || m.name() != r.PathValue("project") {
			continue
		}
		inner := *r
		inner.URL = &url.URL{Path: "/" + r.PathValue("rest"), RawQuery: r.URL.RawQuery}
		m.server.pages().ServeHTTP(w, &inner)
		return
	}
	s.notFound(w, "There is no such project.")
}

func (s *Several) common() page.Site {
	return page.Site{Version: s.o.Version, Zone: time.Local, Several: true}
}

func (s *Several) notFound(w http.ResponseWriter, what string) {
	s.html(w, http.StatusNotFound, func(w io.Writer) error { return page.NotFound(w, s.common(), what) })
}

func (s *Several) front(w http.ResponseWriter, r *http.Request) {
	p := page.Projects{Site: s.common(), At: time.Now()}
	for _, m := range s.members() {
		p.Rows = append(p.Rows, m.row(r.Context()))
	}
	s.html(w, http.StatusOK, func(w io.Writer) error { return page.Overview(w, p) })
}

// row returns what the page says of a project.
func (m *member) row(ctx context.Context) page.Project {
	row := page.Project{Name: m.name(), Config: m.path, Problem: m.problem}
	if m.server == nil {
		row.Problem = "The configuration cannot be used: " + human.Commands(m.problem, m.path)
		return row
	}
	row.Link, row.Now = m.server.common().Base+"/", m.server.now()
	seen := m.server.look(ctx)
	_, last := m.server.live.snapshot()
	switch {
	case seen.err != nil:
		row.Last, row.Problem = last, "The state cannot be read: "+human.Commands(seen.err.Error(), m.path)
		return row
	case row.Now.Failed != "":
		row.Problem = "The last run could not begin or be recorded: " + human.Commands(row.Now.Failed, m.path)
	case row.Now.Config != "":
		row.Problem = "The configuration was changed and cannot be used; runs go on with the one before: " + human.Commands(row.Now.Config, m.path)
	}
	row.Last = metrics.NewSnapshot(&seen.overview, seen.last, last).Last
	row.Parked = seen.overview.Parked
	if success := seen.overview.History.LastSuccess; success != nil {
		row.Success = success.Finished
	}
	return row
}

// projectStatus is what /api/projects says of each project.
type projectStatus struct {
	Project     string       `json:"project"`
	Config      string       `json:"config"`
	Page        string       `json:"page,omitempty"` // none: the project is not served
	Running     bool         `json:"running"`
	Next        time.Time    `json:"next,omitzero"` // when the next run begins, while idle
	Outcome     runs.Outcome `json:"outcome,omitempty"`
	Finished    time.Time    `json:"finished,omitzero"` // the last sync
	LastSuccess time.Time    `json:"last_success,omitzero"`
	Held        int          `json:"held"`
	Remaining   int          `json:"remaining"`
	Parked      int          `json:"parked"`
	Problem     string       `json:"problem,omitempty"`
}

func (s *Several) apiProjects(w http.ResponseWriter, r *http.Request) {
	answer := []projectStatus{}
	for _, m := range s.members() {
		row := m.row(r.Context())
		p := projectStatus{
			Project: row.Name, Config: row.Config, Page: row.Link, Running: row.Now.Running, Next: row.Now.Next,
			LastSuccess: row.Success, Held: row.Held(), Remaining: row.Left(), Parked: row.Parked, Problem: row.Problem,
		}
		if row.Last != nil {
			p.Outcome, p.Finished = row.Last.Outcome, row.Last.Finished
		}
		answer = append(answer, p)
	}
	s.json(w, answer, nil)
}

// metrics answers with those of all projects. Of one that is not served they say that its
// configuration cannot be used.
func (s *Several) metrics(w http.ResponseWriter, _ *http.Request) {
	var all []metrics.Source
	for _, m := range s.members() {
		sources := []metrics.Source{metrics.LiveCollector(func() metrics.Live { return metrics.Live{} })}
		if m.server != nil {
			sources = m.server.collectors()
		}
		all = append(all, metrics.OfProject(m.name(), sources...))
	}
	w.Header().Set("Content-Type", metrics.ContentType)
	_ = metrics.Write(w, all...)
}

// ready says whether all projects are.
func (s *Several) ready(w http.ResponseWriter, r *http.Request) {
	all, late := s.members(), 0
	for _, m := range all {
		if m.server == nil || m.server.late(r.Context()) != "" {
			late++
		}
	}
	if late > 0 {
		http.Error(w, fmt.Sprintf("%d of %d projects are not ready: the page and the log say why", late, len(all)), http.StatusServiceUnavailable)
		return
	}
	io.WriteString(w, "ok\n")
}
