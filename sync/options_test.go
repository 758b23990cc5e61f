package sync

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"gleapsync/internal/inputs"
)

func TestTempDirIsNotThere(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.options.TempDir = filepath.Join(w.dir, "no", "such", "folder")
	w.options.Memory = 1
	var ids []string
	for i := range 100_000 {
		ids = append(ids, fmt.Sprint(i))
	}
	w.write(t, "a.csv", list(ids...))
	if _, err := w.runner(t).Plan(t.Context(), inputs.Request{}); err == nil || !bytes.Contains([]byte(err.Error()), []byte("sync.temp_dir")) {
		t.Errorf("got %v", err)
	}
}
