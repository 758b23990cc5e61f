package trino

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gleapsync/internal/source"
)

// fake is a Trino that has answers ready, one for each request: the first is for the query of the
// columns.
type fake struct {
	t       *testing.T
	answers []answer
	asked   []string // method, path and text of each request
}

// answer is what the fake does with one request.
type answer struct {
	status int // 0: 200
	body   string
	cut    bool // breaks off in the middle of the body
	fail   bool // breaks off before
}

// pageOf returns an answer: the number of the next page, -1 for none, its state, and what else it has.
func pageOf(next int, state, more string) answer {
	uri := ""
	if next >= 0 {
		// A server behind another one names a host that is not there.
		uri = fmt.Sprintf(`"nextUri":"http://internal.invalid:1/v1/statement/executing/q1/%d?slug=x",`, next)
	}
	return answer{body: fmt.Sprintf(`{"id":"q1",%s%s"stats":{"state":%q}}`, uri, more, state)}
}

const (
	columns = `"columns":[{"name":"user_id","type":"varchar"},{"name":"n","type":"bigint"}],`
	rowsA   = columns + `"data":[["u1",1],["u2",9007199254740993]],`
	rowsB   = columns + `"data":[["u3",null]],`
)

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	text, _ := io.ReadAll(r.Body)
	f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.URL.Host+r.URL.RequestURI()+" "+string(text)))
	if r.Method == http.MethodDelete {
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
	}
	if len(f.answers) == 0 {
		f.t.Errorf("it was asked once more: %s", f.asked)
		return nil, io.EOF
	}
	a := f.answers[0]
	f.answers = f.answers[1:]
	if a.fail {
		return nil, io.ErrUnexpectedEOF
	}
	body := io.Reader(strings.NewReader(a.body))
	if a.cut {
		body = io.MultiReader(strings.NewReader(a.body[:len(a.body)/2]), broken{})
	}
	return &http.Response{StatusCode: max(a.status, 200), Body: io.NopCloser(body)}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// read reads both columns from the fake.
func (f *fake) read(ctx context.Context) (said string, err error) {
	q := Query{Address: "trino://reader@db/lake/s", Table: "users"}
	target, _ := parse(q.Address)
	d := &database{Query: q, clean: func(s string) string { return s }, client: newClient(target, "pass-word", q.Timeout, f)}
	rows, err := d.open(ctx)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	rows.Ask([]int{0, 1})
	for {
		cells, err := rows.Next()
		if err == io.EOF {
			return said, nil
		}
		if err != nil {
			return said, err
		}
		said += fmt.Sprintf("%s=%s ", cells[0], cells[1])
	}
}

// TestFaults: whatever happens between, all rows come once, or there is an error.
func TestFaults(t *testing.T) {
	head := pageOf(-1, "FINISHED", columns)
	queued := pageOf(1, "QUEUED", "")
	a, b := pageOf(2, "RUNNING", rowsA), pageOf(3, "RUNNING", rowsB)
	last := pageOf(-1, "FINISHED", columns)
	cut := func(a answer) answer { a.cut = true; return a }
	busy := func(status int) answer { return answer{status: status, body: "<html>"} }
	const all = "u1=1 u2=9007199254740993 u3= "
	for name, test := range map[string]struct {
		answers []answer
		want    string // what is said, or a part of the error
	}{
		"well":                 {[]answer{head, queued, a, b, last}, all},
		"no rows":              {[]answer{head, queued, last}, ""},
		"in the last page":     {[]answer{head, queued, a, pageOf(-1, "FINISHED", rowsB)}, all},
		"busy at first":        {[]answer{busy(503), head, busy(429), queued, a, b, last}, all},
		"busy between":         {[]answer{head, queued, busy(503), busy(502), a, busy(504), b, last}, all},
		"cut in the middle":    {[]answer{head, queued, cut(a), a, cut(b), b, cut(last), last}, all},
		"no connection":        {[]answer{head, queued, {fail: true}, a, {fail: true}, b, last}, all},
		"a page twice":         {[]answer{head, queued, a, a}, "came twice"},
		"an error at last":     {[]answer{head, queued, a, b, pageOf(-1, "FAILED", `"error":{"errorName":"REMOTE_HOST_GONE","message":"gone http://10.0.0.1:80/x"},`)}, "the rows are not complete: gone a server (REMOTE_HOST_GONE, query q1): the next run reads again"},
		"a value in an error":  {[]answer{head, queued, pageOf(-1, "FAILED", `"error":{"errorName":"INVALID_CAST_ARGUMENT","message":"Cannot cast 'SECRET'"},`)}, "the server gave up with INVALID_CAST_ARGUMENT (query q1), in words that may hold a row's values"},
		"ends without an end":  {[]answer{head, queued, a, pageOf(-1, "RUNNING", rowsB)}, "did not finish"},
		"cancelled by another": {[]answer{head, queued, a, pageOf(-1, "FAILED", `"error":{"errorName":"USER_CANCELED","message":"x"},`)}, "the query was ended on the server (USER_CANCELED, query q1)"},
		"forgotten":            {[]answer{head, queued, a, busy(404)}, "knows nothing of the query any more, and the rows are not complete"},
		"gone":                 {[]answer{head, queued, a, busy(410)}, "knows nothing of the query any more"},
		"another query":        {[]answer{head, queued, {body: strings.Replace(a.body, "q1", "q2", 1)}}, "its answer is none of Trino"},
		"a row too short":      {[]answer{head, queued, pageOf(2, "RUNNING", columns+`"data":[["u1"]],`)}, "its answer is none of Trino"},
		"no row":               {[]answer{head, queued, pageOf(2, "RUNNING", columns+`"data":[7],`)}, "its answer is none of Trino"},
		"a redirect":           {[]answer{{status: 307}}, "status 307, a redirect, which is not followed"},
		"another server":       {[]answer{{body: "<html>"}}, "its answer is none of Trino"},
		"nothing there":        {[]answer{busy(404)}, "there is no Trino at the address"},
		"password":             {[]answer{busy(401)}, "look at the user of the source, and at its password"},
		"no right":             {[]answer{busy(403)}, "its user may not run queries there"},
		"not well":             {[]answer{busy(500)}, "it answers with status 500"},
		"unreachable":          {[]answer{{fail: true}}, "it cannot be reached: the connection was closed before the answer"},
		"a long row":           {[]answer{head, queued, pageOf(2, "RUNNING", columns+`"data":[["`+strings.Repeat("x", 17<<20)+`",1]],`)}, "a row is longer than 16 MiB"},
		"a long page":          {[]answer{head, queued, {body: strings.Repeat(" ", maxPage+1)}}, "a row is longer than 16 MiB"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{t: t, answers: test.answers}
			said, err := f.read(t.Context())
			if err != nil && !errors.As(err, new(*source.UnreadableError)) {
				t.Errorf("%s: it is no UnreadableError: %v", name, err)
			}
			if err == nil && said != test.want || err != nil && !strings.Contains(err.Error(), test.want) || (err != nil) == (test.want == all || test.want == "") {
				t.Errorf("%s: got %s, %v; want %s", name, said, err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "SECRET") {
				t.Errorf("%s: %v", name, err)
			}
			for _, asked := range f.asked { // with the password
				if !strings.Contains(asked, " db/") {
					t.Errorf("%s: it asked another host: %s", name, asked)
				}
			}
		})
	}
}

// TestPatience: a server that has no time is asked for a minute, and the query that is not wanted
// any more ends.
func TestPatience(t *testing.T) {
	head, queued := pageOf(-1, "FINISHED", columns), pageOf(1, "QUEUED", "")
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, answers: []answer{head, queued}}
		for range 100 {
			f.answers = append(f.answers, answer{status: 503})
		}
		began := time.Now()
		_, err := f.read(t.Context())
		if took := time.Since(began); err == nil || took > patience || took < patience-6*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		if last := f.asked[len(f.asked)-1]; last != "DELETE db/v1/statement/executing/q1/1?slug=x" {
			t.Errorf("it was not ended: %s", last)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, answers: []answer{head, queued, {status: 503}, {status: 503}, {status: 503}}}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err := f.read(ctx)
		if err != context.DeadlineExceeded || !strings.HasPrefix(f.asked[len(f.asked)-1], "DELETE ") {
			t.Errorf("%v, %s", err, f.asked)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a server that does not keep the time-out
		f := &fake{t: t, answers: []answer{head}}
		for n := range 1000 {
			f.answers = append(f.answers, pageOf(n, "RUNNING", ""))
		}
		slow := slowly{f}
		target, _ := parse("trino://reader@db/lake/s")
		d := &database{Query: Query{Table: "users", Timeout: time.Minute}, client: newClient(target, "", time.Minute, slow)}
		rows, err := d.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rows.Ask([]int{0})
		if _, err = rows.Next(); err == nil || !strings.HasPrefix(err.Error(), "the query took longer than 1m0s: make it cheaper, or raise timeout") {
			t.Error(err)
		}
	})
}

// slowly answers after a second.
type slowly struct{ http.RoundTripper }

func (s slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(time.Second)
	return s.RoundTripper.RoundTrip(r)
}

// TestHeaders: a server learns who asks and for how long, and a redirect does not lead the
// password away.
func TestHeaders(t *testing.T) {
	away := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was led away", r.Header) }))
	defer away.Close()
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		http.Redirect(w, r, away.URL, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for address, want := range map[string]string{
		"trino://reader@" + host + "/lake/s?tls=off":     "reader lake s query_max_run_time=90000ms Basic cmVhZGVyOmhpZGRlbg==",
		"trino://" + host + "/lake?tls=off&auth=jwt":     " lake  query_max_run_time=90000ms Bearer hidden",
		"trino://reader@" + host + "?auth=jwt&tls=off":   "reader   query_max_run_time=90000ms Bearer hidden",
		"trino://reader@" + host + "/?auth=jwt&tls=off/": "parameter",
	} {
		got = http.Header{}
		_, err := Query{Address: address, Password: "hidden", SQL: "SELECT 1", Timeout: 90 * time.Second}.Open(t.Context())
		said := strings.Join([]string{got.Get("X-Trino-User"), got.Get("X-Trino-Catalog"), got.Get("X-Trino-Schema"), got.Get("X-Trino-Session"), got.Get("Authorization")}, " ")
		if err == nil || strings.Contains(err.Error(), "hidden") || said != want && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s, %v", address, said, err)
		}
	}
}
