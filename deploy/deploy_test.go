package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// program is the path of gleapsync, built as .goreleaser.yaml builds it.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gleapsync-deploy")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "gleapsync")
	release, err := readRelease()
	if err == nil {
		err = release.build(program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the program:", err)
		return 1
	}
	return m.Run()
}

// config is what of a configuration the ways to run it must agree with.
type config struct {
	Gleap struct {
		TokenFile string `toml:"api_token_file"`
	}
	State struct{ Path string }
	Sync  struct{ Schedule, Deadline string }
}

func parseConfig(t *testing.T, text string) config {
	t.Helper()
	var c config
	if err := toml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c config) deadline(t *testing.T) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(c.Sync.Deadline)
	if err != nil {
		t.Fatalf("sync.deadline: %v", err)
	}
	return d
}

// syncWith syncs two small exports with a configuration whose paths lead into a temporary
// folder, and whose Gleap takes the token of the file that it names.
func syncWith(t *testing.T, text, exports, token string, env ...string) {
	t.Helper()
	var calls atomic.Int32
	gleap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Api-Token") != "the-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		calls.Add(1)
		fmt.Fprint(w, "{}")
	}))
	defer gleap.Close()

	root := t.TempDir()
	for from, to := range map[string]string{
		"../examples/day1/order_completed_last_30days.csv": filepath.Join(exports, "order_completed_last_30days_1.csv"),
		"../examples/day1/total_revenue_180_days.csv":      filepath.Join(exports, "total_revenue_180_days_1.csv"),
	} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, to), data)
	}
	write(t, filepath.Join(root, token), []byte("the-token\n"))
	if err := os.MkdirAll(filepath.Dir(filepath.Join(root, parseConfig(t, text).State.Path)), 0o700); err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, `"/`, `"`+root+"/")
	text = strings.ReplaceAll(text, ":-/", ":-"+root+"/")
	text = strings.Replace(text, "[gleap]\n", fmt.Sprintf("[gleap]\nbase_url = %q\n", gleap.URL), 1)
	write(t, filepath.Join(root, "gleapsync.toml"), []byte(text))

	cmd := exec.Command(program, "sync", "--output=json")
	cmd.Env = append(os.Environ(), "GLEAPSYNC_CONFIG="+filepath.Join(root, "gleapsync.toml"))
	for _, e := range env {
		cmd.Env = append(cmd.Env, strings.ReplaceAll(e, "=/", "="+root+"/"))
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("sync: %v\n%s", err, &errs)
	}
	var report struct {
		Outcome string
		Exports []struct{ Status string }
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if report.Outcome != "complete" || len(report.Exports) != 2 || calls.Load() == 0 {
		t.Errorf("outcome %s, %d exports, %d calls; want complete, 2, some", report.Outcome, len(report.Exports), calls.Load())
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
