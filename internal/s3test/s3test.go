// Package s3test starts a real S3 server for tests: versitygw, which keeps its objects as files.
package s3test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// Server is a server with one bucket, "exports".
type Server struct {
	Folder  string // its buckets
	Address string // host and port
}

// Start starts a server, which ends with the test, and sets the environment for it, which all
// servers share: so it stays, for tests beside this one. Without versitygw the test is skipped.
func Start(t *testing.T) *Server {
	t.Helper()
	s := &Server{Folder: t.TempDir()}
	for name, value := range Environment(access, secret) {
		if err := os.Setenv(name, value); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.Address, err = Serve(s.Folder, t.Cleanup)
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("there is no versitygw: go install github.com/versity/versitygw/cmd/versitygw@latest")
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const access, secret = "test-access", "test-secret"

// Serve starts a server with its buckets in a folder, and returns its address. It ends with what
// is given to cleanup. Without versitygw the error is [exec.ErrNotFound].
func Serve(folder string, cleanup func(func())) (address string, err error) {
	program, err := exec.LookPath("versitygw")
	if err != nil {
		return "", exec.ErrNotFound
	}
	sidecar, err := os.MkdirTemp("", "sidecar") // not beside the folder, whose name it would begin with
	if err := errors.Join(err, os.MkdirAll(filepath.Join(folder, "exports"), 0o700)); err != nil {
		return "", err
	}
	if address, err = freeAddress(loopback()); err != nil {
		return "", err
	}
	server := exec.Command(program, "--quiet", "--port", address, "--access", access, "--secret", secret, "posix", "--sidecar", sidecar, folder)
	var output bytes.Buffer
	server.Stdout, server.Stderr = &output, &output
	if err := server.Start(); err != nil {
		return "", err
	}
	ended := make(chan struct{})
	go func() { server.Wait(); close(ended) }()
	cleanup(func() { server.Process.Kill(); <-ended; os.RemoveAll(sidecar) })
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return address, nil
		}
		select {
		case <-ended:
			return "", fmt.Errorf("versitygw ended: %s", output.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// URL is what a configuration calls a key, a folder or a pattern of the bucket.
func (s *Server) URL(key string) string { return URL(s.Address, key) }

// URL is what a configuration calls a key of the bucket at an address.
func URL(address, key string) string {
	return "s3://exports/" + key + "?use_path_style=true&endpoint=http://" + address
}

// SetAWS makes these the only credentials that can be found.
func SetAWS(t *testing.T, access, secret string) {
	for name, value := range Environment(access, secret) {
		t.Setenv(name, value)
	}
}

// Environment is what makes these the only credentials that can be found.
func Environment(access, secret string) map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-east-1", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "",
	}
}

// FreeAddress returns an address of loopback where nobody listens.
func FreeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeAddress("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// loopback returns an address of this machine that no other server of a test has: else two that
// start at a time might find the same port free, and the tests of one use the other.
func loopback() string {
	if runtime.GOOS != "linux" { // where all of 127 is loopback
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), 1+rand.IntN(254), 1+rand.IntN(254))
}

func freeAddress(host string) (string, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
