package trino

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestWork: a statement counts once the server said that it is finished, texts go as they are, and
// what a right or a schema is missing for, the error says with what to paste.
func TestWork(t *testing.T) {
	const rows = `"columns":[{"name":"a","type":"varchar"}],"data":[["it's",null],["ü\"",7]],`
	refused := func(name, message string) answer {
		return pageOf(-1, "FAILED", fmt.Sprintf(`"error":{"errorName":%q,"message":%q},`, name, message))
	}
	for name, test := range map[string]struct {
		answers []answer
		want    string // of the rows, or a part of the error
	}{
		"well":           {[]answer{pageOf(1, "QUEUED", ""), pageOf(2, "RUNNING", rows), pageOf(-1, "FINISHED", "")}, "it's,nil ü\",7 "},
		"not finished":   {[]answer{pageOf(1, "QUEUED", ""), pageOf(-1, "RUNNING", rows)}, "did not finish"},
		"a worker":       {[]answer{pageOf(1, "RUNNING", rows), refused("REMOTE_HOST_GONE", "gone")}, "the rows are not complete: gone (REMOTE_HOST_GONE, query q1)"},
		"no right":       {[]answer{refused("PERMISSION_DENIED", "Access Denied: Cannot create table lake.kept.gleapsync_a_b")}, `let the owner run GRANT CREATE ON SCHEMA "lake"."kept" TO USER "reader"; or let a rule of Trino's access control allow it: {"user": "reader", "schema": "kept", "privileges": ["OWNERSHIP", "SELECT", "INSERT"]}`},
		"not to read":    {[]answer{refused("PERMISSION_DENIED", "Access Denied: Cannot select from table lake.s.users")}, `let the owner run GRANT SELECT ON "users" TO USER "reader"`},
		"no schema":      {[]answer{refused("NOT_FOUND", "Schema kept not found")}, `let an administrator run CREATE SCHEMA "lake"."kept"`},
		"only to read":   {[]answer{refused("NOT_SUPPORTED", "This connector does not support creating tables")}, "name one of another catalog"},
		"not a Trino":    {[]answer{{body: "<html>"}}, "its answer is none of Trino"},
		"nothing at all": {[]answer{{status: 404}}, "there is no Trino"},
	} {
		var statement string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				text, _ := io.ReadAll(r.Body)
				statement = string(text)
			}
			w.WriteHeader(max(test.answers[0].status, 200))
			_, _ = io.WriteString(w, test.answers[0].body)
			test.answers = test.answers[1:]
		}))
		w := &Work{Query{Address: "trino://reader@" + strings.TrimPrefix(server.URL, "http://") + "/lake/s?tls=off", Table: "users"}, "lake.kept"}
		got := ""
		err := w.Each(t.Context(), "SELECT '?', ?", []string{"it's"}, func(cells [][]byte) error {
			if got += string(cells[0]) + ","; cells[1] == nil {
				got += "nil"
			}
			got += string(cells[1]) + " "
			return nil
		})
		server.Close()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, test.want) || (err == nil) != (name == "well") {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
		if want := `EXECUTE IMMEDIATE 'SELECT ''?'', ?' USING 'it''s'`; statement != want {
			t.Errorf("%s: the server was sent %s, want %s", name, statement, want)
		}
	}
}
