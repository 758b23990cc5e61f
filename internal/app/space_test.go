package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleapsync/internal/config"
)

// TestSpace: where there is not enough address space, a sentence says so before Go does.
func TestSpace(t *testing.T) {
	const mebi = 1 << 20
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 500*mebi); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		limit, memory uint64 // in MiB
		state         string
		needed        string // "": enough
	}{
		{noLimit / mebi, 256, path, ""},
		{683, 256, "", "1536"}, // ulimit -v 700000
		{1536, 256, "", ""},
		{1535, 256, "", "1536"},
		{2000, 256, path, "2036"},
		{2036, 256, path, ""},
		{2036, 257, path, "2037"},
	} {
		var cfg config.Config
		cfg.Sync.Memory, cfg.State.Path = int64(test.memory*mebi), test.state
		err := checkSpace(&cfg, test.limit*mebi)
		if (err == nil) != (test.needed == "") || err != nil && !strings.Contains(err.Error(), "needs "+test.needed+" MiB") {
			t.Errorf("%d of %d with %q: %v, want that it needs %q", test.limit, test.memory, test.state, err, test.needed)
		}
	}
}
