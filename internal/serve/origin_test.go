package serve

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// post asks for a look-up that reads the exports.
func post(h http.Handler, id string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	return get(h, "/contact", append([]func(*http.Request){func(r *http.Request) {
		body := strings.NewReader(url.Values{"id": {id}}.Encode())
		form := httptest.NewRequest(http.MethodPost, r.URL.String(), body)
		form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		*r = *form
	}}, change...)...)
}

// counted gives a world an export by a command, and returns how often that was started. The
// command waits as long as there is a file with the name wait.
func (w *world) counted() (starts func() int) {
	w.t.Helper()
	if runtime.GOOS == "windows" {
		w.t.Skip("there is no sh")
	}
	w.configure("0 */2 * * *", "[[audience]]\nname = \"Told\"\ncommand = [\"sh\", \"-c\", \"echo >> starts; while test -e wait; do sleep 0.01; done; cat vip.csv\"]\n")
	w.server.reload(true)
	return func() int {
		text, _ := os.ReadFile(filepath.Join(w.dir, "starts"))
		return len(text)
	}
}

// TestForeign: whatever a page of another site makes a browser ask for, nothing is started,
// and only a link that a person follows is answered. Who asks from here is answered.
func TestForeign(t *testing.T) {
	t.Parallel() // it waits
	w := newWorld(t, false)
	starts := w.counted()
	run := w.once().Run
	before := starts()
	h := w.handler()
	headers := func(site, mode, dest, origin string) func(*http.Request) {
		return func(r *http.Request) {
			for name, value := range map[string]string{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest, "Origin": origin} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
		}
	}
	const here = "http://localhost:8080"
	for name, test := range map[string]struct {
		headers   func(*http.Request)
		get, post bool // is answered
	}{
		"no browser":                {headers("", "", "", ""), true, true},
		"our form":                  {headers("same-origin", "navigate", "document", here), true, true},
		"our form, no Sec-Fetch":    {headers("", "", "", here), true, true},
		"behind TLS of a proxy":     {headers("", "", "", "https://localhost:8080"), true, true},
		"typed":                     {headers("none", "navigate", "document", ""), true, true},
		"a link in a chat":          {headers("cross-site", "navigate", "document", ""), true, false},
		"a form elsewhere":          {headers("cross-site", "navigate", "document", "https://evil.example"), true, false},
		"a form in a sandbox":       {headers("cross-site", "navigate", "document", "null"), true, false},
		"an image":                  {headers("cross-site", "no-cors", "image", ""), false, false},
		"a script's fetch":          {headers("cross-site", "no-cors", "empty", ""), false, false},
		"a script's fetch, cors":    {headers("cross-site", "cors", "empty", "https://evil.example"), false, false},
		"a frame":                   {headers("cross-site", "navigate", "iframe", ""), false, false},
		"an object":                 {headers("cross-site", "navigate", "object", ""), false, false},
		"another port":              {headers("same-site", "no-cors", "image", "http://localhost:3000"), false, false},
		"another port's link":       {headers("same-site", "navigate", "document", ""), true, false},
		"something new":             {headers("of-the-future", "no-cors", "empty", ""), false, false},
		"an old browser, elsewhere": {headers("", "", "", "https://evil.example"), false, false},
		"an old browser, sandbox":   {headers("", "", "", "null"), false, false},
		"an old browser, port":      {headers("", "", "", "http://localhost:3000"), false, false},
		"an origin that is none":    {headers("", "", "", "http://%zz"), false, false},
	} {
		for _, path := range []string{"/", "/contact", "/contact?id=u1", "/runs/" + run, "/api/status", "/api/runs", "/api/runs/" + run, "/metrics", "/healthz", "/readyz"} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				answer := get(h, path, func(r *http.Request) { r.Method = method }, test.headers)
				if ok := answer.Code == http.StatusOK; ok != test.get || !ok && answer.Code != http.StatusForbidden {
					t.Errorf("%s: %s %s: %d", name, method, path, answer.Code)
				}
			}
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
				if path == "/contact?id=u1" || path == "/contact" && method == http.MethodPost {
					continue // below
				}
				answer := get(h, path, func(r *http.Request) { r.Method = method }, test.headers)
				if want := map[bool]int{true: http.StatusMethodNotAllowed, false: http.StatusForbidden}[test.post]; answer.Code != want {
					t.Errorf("%s: %s %s: %d, want %d", name, method, path, answer.Code, want)
				}
			}
		}
		// A query is no form: what is not in the body is not asked for.
		get(h, "/contact?id=u1", func(r *http.Request) { r.Method = http.MethodPost }, test.headers)
		if starts() != before {
			t.Errorf("%s: a command was started", name)
		}
		answer := post(h, "u1", test.headers)
		if ok := answer.Code == http.StatusOK; ok != test.post || ok != (starts() > before) {
			t.Errorf("%s: the form: %d, %d starts", name, answer.Code, starts()-before)
		}
		before = starts()
	}
}

// TestLookUp: the state answers without an export being read; the exports are read on a button
// only, and for one at a time.
func TestLookUp(t *testing.T) {
	w := newWorld(t, false)
	starts := w.counted()
	w.once()
	h := w.handler()
	w.export("u2", "u3") // after the sync
	before := starts()
	for id, want := range map[string][]string{
		"u1": {"<td data-label=\"Acknowledged by Gleap\">true</td>", "<td data-label=\"Last sync\">applied</td>", "Read the exports"},
		"u3": {"Gleap was told nothing of this user id.", "<td data-label=\"Last sync\">applied</td>", "<input type=\"hidden\" name=\"id\" value=\"u3\">"},
	} {
		text := get(h, "/contact?id="+id).Body.String()
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %s in\n%s", id, part, text)
			}
		}
	}
	if starts() != before {
		t.Error("a command was started")
	}
	for id, want := range map[string]string{"u1": "not in it", "u3": "true", "u4": "no export has it"} {
		if text := post(h, id).Body.String(); !strings.Contains(text, want) || !strings.Contains(text, "Present export") {
			t.Errorf("%s: no %s in\n%s", id, want, text)
		}
	}
	for id, want := range map[string]int{"": 200, "\xff": 400, long: 400} {
		if answer := post(h, id); answer.Code != want {
			t.Errorf("%.10q: %d, want %d", id, answer.Code, want)
		}
	}

	// Two at a time: one has the exports read, and the other hears so at once. What the state
	// says is there for both.
	before = starts()
	w.put("wait", "")
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- post(h, "u3") }()
	for starts() == before {
		runtime.Gosched()
	}
	if answer := post(h, "u2"); answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "try again") || answer.Header().Get("Retry-After") == "" {
		t.Errorf("the second look-up: %d %s", answer.Code, answer.Body)
	}
	for path, want := range map[string]string{"/contact?id=u1": "true", "/": "Exports", "/readyz": "ok"} {
		if answer := get(h, path); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s beside it: %d", path, answer.Code)
		}
	}
	if err := os.Remove(filepath.Join(w.dir, "wait")); err != nil {
		t.Fatal(err)
	}
	if answer := <-first; answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "true") {
		t.Errorf("the first look-up: %d %s", answer.Code, answer.Body)
	}
	if answer := post(h, "u2"); answer.Code != http.StatusOK {
		t.Errorf("the third look-up: %d", answer.Code)
	}
	if n := starts() - before; n != 2 {
		t.Errorf("%d starts", n)
	}
}

// TestLookUpOfLastRun: what the last sync made of an export is there without it being read.
func TestLookUpOfLastRun(t *testing.T) {
	w := newWorld(t, false)
	w.once()
	w.put("vip.csv", "")
	w.once()
	if text := get(w.handler(), "/contact?id=u1").Body.String(); !strings.Contains(text, fmt.Sprintf("<td data-label=%q>held: ", "Last sync")) {
		t.Errorf("it does not say that the export is held:\n%s", text)
	}
}
