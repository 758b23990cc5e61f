//go:build unix && !nocloud

package engage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"gleapsync/internal/rounds"
)

// TestEndlessSources: at a deadline the reading of every source ends, whatever it waits for.
// What an object or a command says is never more than line breaks.
func TestEndlessSources(t *testing.T) {
	for name, export := range map[string]func(t *testing.T) Export{
		"a file of 26 MB that is 25 GB": func(t *testing.T) Export {
			return Export{Source: "x.csv.gz", Dir: write(t, "x.csv.gz", gzipped("user_id\n")+strings.Repeat(gzipped(strings.Repeat("\n", 64<<20)), 400))}
		},
		"a command that goes on":     func(t *testing.T) Export { return script(t, `echo user_id; while :; do echo; done`) },
		"a command that is silent":   func(t *testing.T) Export { return script(t, `sleep 1000`) },
		"a command's child, outside": func(t *testing.T) Export { return script(t, `echo user_id; setsid sleep 30 & sleep 1000`) },
		"standard input, silent":     func(t *testing.T) Export { return fromStdin(t, func(io.Writer) {}) },
		"standard input, goes on": func(t *testing.T) Export {
			return fromStdin(t, func(w io.Writer) { _, _ = io.Copy(w, &endless{again: []byte("\n")}) })
		},
		"a storage that never lists":     func(t *testing.T) Export { return fromStorage(t, hang, hang) },
		"a storage whose list goes on":   func(t *testing.T) Export { return fromStorage(t, goOn(`{"items":[`, " "), hang) },
		"a storage without an object":    func(t *testing.T) Export { return fromStorage(t, oneObject, hang) },
		"a storage whose object hangs":   func(t *testing.T) Export { return fromStorage(t, oneObject, begins) },
		"a storage whose object goes on": func(t *testing.T) Export { return fromStorage(t, oneObject, goOn("user_id\n", "\n")) },
		"a storage without a token":      withoutToken,
		"a database that is silent":      func(t *testing.T) Export { return fromDatabase(t, 0, nil) },
		"a database that lets nobody in": func(t *testing.T) Export { return fromDatabase(t, 1, nil) },
		"a database that never begins":   func(t *testing.T) Export { return fromDatabase(t, 2, nil) },
		"a database without rows":        func(t *testing.T) Export { return fromDatabase(t, 6, nil) },
		"a database whose rows go on":    func(t *testing.T) Export { return fromDatabase(t, 6, [][]byte{nil}) },
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(name, "storage") && !strings.Contains(name, "standard input") { // they change what all share
				t.Parallel()
			}
			e := export(t)
			e.Attributes = []Attribute{audience}
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rounds.Of(400, 1000))*time.Millisecond)
			defer cancel()
			err, late := endsInTime(ctx, func() error {
				_, _, err := readLines(ctx, e, " ")
				return err
			})
			if late || err == nil || ctx.Err() == nil {
				t.Errorf("got %v, late: %t, want an error at the deadline", err, late)
			}
		})
	}
}

func fromStdin(t *testing.T, say func(io.Writer)) Export {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = r
	t.Cleanup(func() { os.Stdin = before; w.Close() })
	go say(w)
	return Export{Source: Stdin}
}

// fromStorage is an object of a bucket whose server answers so.
func fromStorage(t *testing.T, list, get http.HandlerFunc) Export {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /storage/v1/b/exports/o", list)
	mux.HandleFunc("GET /storage/v1/b/exports/o/{key}", get)
	server := newServer(t, mux)
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
	return Export{Source: "gs://exports/a.csv"}
}

func newServer(t *testing.T, handler http.Handler) *httptest.Server {
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections() // some wait for an answer
		server.Close()
	})
	return server
}

func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // else nobody sees that the other side has gone
	<-r.Context().Done()
}

func begins(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "1000000000000")
	io.WriteString(w, "user_id\n")
	w.(http.Flusher).Flush()
	hang(w, r)
}

func goOn(begin, again string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000000000")
		_, _ = io.Copy(w, &endless{begin: []byte(begin), again: []byte(again)})
	}
}

func oneObject(w http.ResponseWriter, _ *http.Request) {
	io.WriteString(w, `{"items":[{"name":"a.csv","generation":"1","size":"1000000000000","updated":"2026-03-01T00:00:00Z"}]}`)
}

// withoutToken is an object of a bucket, where the server hangs that gives tokens.
func withoutToken(t *testing.T) Export {
	server := newServer(t, http.HandlerFunc(hang))
	file := filepath.Join(t.TempDir(), "key.json")
	text := fmt.Sprintf(`{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c","token_uri":%q}`, server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	return Export{Source: "gs://exports/a.csv"}
}

// fromDatabase is a table of a server that answers that many messages, and then sends row
// for ever if there is one, else nothing.
func fromDatabase(t *testing.T, answers int, row [][]byte) Export {
	t.Helper()
	address := listen(t, func(conn net.Conn) { answerDatabase(conn, answers, row) })
	return Export{Source: "redshift://ada@" + address + "/x?sslmode=disable", Table: "members"}
}

func answerDatabase(conn net.Conn, answers int, row [][]byte) {
	backend := pgproto3.NewBackend(conn, conn)
	answer := func(messages ...pgproto3.BackendMessage) {
		for _, m := range messages {
			backend.Send(m)
		}
		_ = backend.Flush()
	}
	ready := &pgproto3.ReadyForQuery{TxStatus: 'T'}
	fields := &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("user_id"), DataTypeOID: 25}}}
	for n := 0; n < answers; n++ {
		if n == 0 {
			if _, err := backend.ReceiveStartupMessage(); err != nil {
				return
			}
			answer(&pgproto3.AuthenticationOk{})
			if answers > 1 {
				answer(ready)
			}
			continue
		}
		message, err := backend.Receive()
		if err != nil {
			return
		}
		switch message.(type) {
		case *pgproto3.Query: // the settings
			answer(&pgproto3.CommandComplete{CommandTag: []byte("BEGIN")}, ready)
		case *pgproto3.Describe:
			answer(&pgproto3.ParseComplete{}, &pgproto3.ParameterDescription{}, fields)
		case *pgproto3.Sync:
			answer(ready)
		}
	}
	if row != nil {
		answer(&pgproto3.ParseComplete{}, &pgproto3.BindComplete{}, fields)
	}
	for ; row != nil; answer(&pgproto3.DataRow{Values: row}) {
		if _, err := conn.Write(nil); err != nil || errors.Is(conn.SetDeadline(time.Now().Add(time.Minute)), net.ErrClosed) {
			return
		}
	}
	_, _ = io.Copy(io.Discard, conn)
}

// TestPipe: what is no file is refused, also if it became so after it was found.
func TestPipe(t *testing.T) {
	for name, replace := range map[string]func(path string) error{
		"pipe":             func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link to a device": func(path string) error { return os.Symlink(os.DevNull, path) },
		"folder":           func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		dir := write(t, "x.csv", "user_id\nu1\n")
		e := Export{Source: "x.csv", Dir: dir, Attributes: []Attribute{audience}}
		source, err := e.Open(t.Context())
		path := filepath.Join(dir, "x.csv")
		if err := errors.Join(err, os.Remove(path), replace(path)); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		for read, f := range endlessReaders {
			go func() { ended <- f(t.Context(), source) }()
			select {
			case err := <-ended:
				if err == nil || !bytes.HasSuffix([]byte(err.Error()), []byte("x.csv is not a file")) {
					t.Errorf("%s, %s: %v", name, read, err)
				}
			case <-time.After(bound):
				t.Fatalf("%s, %s: it hangs", name, read)
			}
		}
		if _, err := e.Open(t.Context()); name != "folder" && (err == nil || err.Error() != "x.csv is not a file") {
			t.Errorf("%s, found so: %v", name, err)
		}
	}
}
