package engage

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// What no error may hold: a secret, and an address of somebody.
const (
	knownSecret = "s3cret-of-ours"
	somebody    = "ada@example.com"
)

// TestDatabaseRepeats: whatever a database says, and when, the password is not in the error.
func TestDatabaseRepeats(t *testing.T) {
	message := "no: \x1b[31m" + knownSecret + " of " + somebody + ", line\nbreak " + strings.Repeat("x", 5000)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(knownSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, give := range map[string]func(*Export){
		"in the source":  func(e *Export) { e.Password = knownSecret },
		"in a file":      func(e *Export) { e.PasswordFile = file },
		"in the process": func(e *Export) { t.Setenv("PGPASSWORD", knownSecret) },
	} {
		for _, code := range []string{"28P01", "28000", "42501", "42601", "42P01", "57P01", "57014", "53300", "22P02", "XX000", knownSecret, ""} {
			for _, late := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, late: %t", name, code, late), func(t *testing.T) {
					t.Setenv("PGPASSWORD", "")
					refusal := &pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: message, Detail: message, Hint: message}
					e := fromServer(t, func(backend *pgproto3.Backend) {
						if _, err := backend.ReceiveStartupMessage(); err != nil {
							return
						}
						if late {
							backend.Send(&pgproto3.AuthenticationOk{})
							backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
							_ = backend.Flush()
							if _, err := backend.Receive(); err != nil {
								return
							}
						}
						backend.Send(refusal)
						_ = backend.Flush()
					})
					give(&e)
					e.Attributes = []Attribute{audience}
					_, _, err := rows(e)
					isShown(t, err)
				})
			}
		}
	}
}

// fromServer is a table of a database that answers so.
func fromServer(t *testing.T, answer func(*pgproto3.Backend)) Export {
	address := listen(t, func(conn net.Conn) { answer(pgproto3.NewBackend(conn, conn)) })
	return Export{Source: "postgres://reader@" + address + "/x?sslmode=disable", Table: "members"}
}

// isShown checks an error that may be shown.
func isShown(t *testing.T, err error) {
	t.Helper()
	if err == nil || !errors.As(err, new(*UnreadableError)) {
		t.Errorf("got %v, want that it cannot be read", err)
		return
	}
	text := err.Error()
	if strings.Contains(text, knownSecret) || strings.Contains(text, somebody) || strings.ContainsAny(text, "\n\x1b") || len(text) > 1000 {
		t.Errorf("the error shows what it must not: %q", text)
	}
}

// listen serves each connection to the address that it returns, and closes it then.
func listen(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}
