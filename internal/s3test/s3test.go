// Package s3test starts a real S3 server for tests: versitygw, which keeps its objects as files.
package s3test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Server is a server with one bucket, "exports".
type Server struct {
	Folder  string // its buckets
	Address string // host and port
}

// Start starts a server, which ends with the test, and sets the environment for it. Without
// versitygw the test is skipped.
func Start(t *testing.T) *Server {
	t.Helper()
	program, err := exec.LookPath("versitygw")
	if err != nil {
		t.Skip("there is no versitygw: go install github.com/versity/versitygw/cmd/versitygw@latest")
	}
	s := &Server{Folder: t.TempDir(), Address: FreeAddress(t)}
	if err := os.Mkdir(filepath.Join(s.Folder, "exports"), 0o700); err != nil {
		t.Fatal(err)
	}
	SetAWS(t, "test-access", "test-secret")
	server := exec.Command(program, "--quiet", "--port", s.Address, "--access", "test-access", "--secret", "test-secret", "posix", "--sidecar", t.TempDir(), s.Folder)
	var output bytes.Buffer
	server.Stdout, server.Stderr = &output, &output
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { server.Wait(); close(ended) }()
	t.Cleanup(func() { server.Process.Kill(); <-ended })
	for {
		if conn, err := net.Dial("tcp", s.Address); err == nil {
			conn.Close()
			return s
		}
		select {
		case <-ended:
			t.Fatalf("versitygw ended: %s", output.String())
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
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-east-1", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "",
	} {
		t.Setenv(name, value)
	}
}

// FreeAddress returns an address of loopback where nobody listens.
func FreeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
