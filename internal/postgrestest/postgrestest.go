//go:build linux

// Package postgrestest runs a PostgreSQL for a test.
package postgrestest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgconn"

	"gleapsync/internal/rounds"
)

// Password is that of the role postgres, which may do everything.
const Password = "owner-password"

// Server is a PostgreSQL that listens on loopback.
type Server struct {
	port    int
	start   func() *exec.Cmd
	process *os.Process
	ready   chan struct{} // gets one whenever the server is ready
	ended   chan struct{}
	said    []string // in its log
	asking  sync.Mutex
	conn    *pgconn.PgConn // of Exec, nil: none yet
}

// Start starts a server with data of its own, which ends with the test. Where there is no
// PostgreSQL it skips the test.
func Start(t testing.TB) *Server {
	t.Helper()
	programs, attributes := findPrograms(t), notRoot(t)
	made.Do(func() { fresh = initialise(t, programs, attributes) })
	dir := newFolder(t, attributes)
	data := filepath.Join(dir, "data")
	if err := errors.Join(os.CopyFS(data, fresh), os.Chmod(data, 0o700), give(attributes, data)); err != nil {
		t.Fatal(err)
	}
	s := &Server{port: freePort(t), ready: make(chan struct{}, 16)}
	s.start = func() *exec.Cmd {
		server := exec.Command(filepath.Join(programs, "postgres"), "-D", data, "-p", strconv.Itoa(s.port),
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=256MB")
		server.SysProcAttr, server.Dir = attributes, dir
		return server
	}
	s.run(t)
	t.Cleanup(func() {
		s.Stop(t)
		if t.Failed() {
			t.Logf("the server said:\n%s", strings.Join(s.said, "\n"))
		}
	})
	s.Ready(t)
	return s
}

// What initdb makes: to copy that is much less work than to have it made for each server.
var (
	made  sync.Once
	fresh fstest.MapFS
)

// initialise has initdb make data, and reads them.
func initialise(t testing.TB, programs string, attributes *syscall.SysProcAttr) fstest.MapFS {
	t.Helper()
	dir := newFolder(t, attributes)
	passwordFile := filepath.Join(dir, "password")
	if err := errors.Join(os.WriteFile(passwordFile, []byte(Password), 0o600), give(attributes, passwordFile)); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(programs, "initdb"), "-D", data, "-U", "postgres",
		"--pwfile", passwordFile, "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync", "--wal-segsize", "1")
	initdb.SysProcAttr, initdb.Dir = attributes, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	files := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS(data), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		file := &fstest.MapFile{Mode: fs.ModeDir}
		if !entry.IsDir() {
			file.Mode = 0o600
			file.Data, err = os.ReadFile(filepath.Join(data, path))
		}
		files[path] = file
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// newFolder makes a folder for a server, which goes with the test: in memory, where there is
// plenty of that, because a server makes and removes many small files.
func newFolder(t testing.TB, attributes *syscall.SysProcAttr) string {
	t.Helper()
	dir, err := os.MkdirTemp(rounds.Memory(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := give(attributes, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs the server until it ends.
func (s *Server) run(t testing.TB) {
	server := s.start()
	log, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	s.process, s.ended = server.Process, make(chan struct{})
	go func() {
		defer close(s.ended)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			s.said = append(s.said, lines.Text())
			if strings.Contains(lines.Text(), "ready to accept connections") {
				s.ready <- struct{}{}
			}
		}
		_ = server.Wait()
	}()
}

func findPrograms(t testing.TB) string {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(all) == 0 {
		t.Skip("PostgreSQL is not installed (Debian's package postgresql)")
	}
	return filepath.Dir(all[len(all)-1])
}

// notRoot returns how to run a program that refuses to be root.
func notRoot(t testing.TB) *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil
	}
	postgres, err := user.Lookup("postgres")
	if err != nil {
		t.Skip("there is no user postgres, and PostgreSQL refuses to be run by root")
	}
	uid, _ := strconv.Atoi(postgres.Uid)
	gid, _ := strconv.Atoi(postgres.Gid)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// give gives a file, or a folder with all that is in it, to whom programs are run as.
func give(attributes *syscall.SysProcAttr, path string) error {
	if attributes == nil {
		return nil
	}
	return filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(attributes.Credential.Uid), int(attributes.Credential.Gid)))
	})
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Ready waits until the server is ready: after its start, and after a process of it was
// killed.
func (s *Server) Ready(t testing.TB) {
	t.Helper()
	select {
	case <-s.ready:
	case <-s.ended:
		t.Fatal("PostgreSQL ended")
	}
	s.asking.Lock()
	defer s.asking.Unlock()
	if s.conn != nil { // that of the process before
		_ = s.conn.Conn().Close()
		s.conn = nil
	}
}

// Stop ends the server at once. Its data stay, see [Server.Again].
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	_ = s.process.Signal(syscall.SIGQUIT)
	<-s.ended
}

// Again starts a server that was stopped.
func (s *Server) Again(t testing.TB) {
	t.Helper()
	s.run(t)
	s.Ready(t)
}

// Kill kills the server and the process of one connection, and gives them no time.
func (s *Server) Kill(t testing.TB, connection int) {
	t.Helper()
	for _, pid := range []int{s.process.Pid, connection} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
}

// URL returns the address of the database for a user, which may hold a password behind a
// colon.
func (s *Server) URL(user string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/postgres?sslmode=disable", user, s.port)
}

// Exec runs SQL and returns the rows of the last statement, each with its fields joined by
// blanks.
func (s *Server) Exec(t testing.TB, sql string) (rows []string) {
	t.Helper()
	s.asking.Lock()
	defer s.asking.Unlock()
	if s.conn == nil {
		conn, err := pgconn.Connect(context.Background(), s.URL("postgres:"+Password))
		if err != nil {
			t.Fatal(err)
		}
		s.conn = conn
	}
	results, err := s.conn.Exec(context.Background(), sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range results[len(results)-1].Rows {
		fields := make([]string, len(row))
		for i, field := range row {
			fields[i] = string(field)
		}
		rows = append(rows, strings.Join(fields, " "))
	}
	return rows
}
