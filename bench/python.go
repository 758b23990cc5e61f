package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const (
	drtVersion    = "1.2.1"
	polarsVersion = "2.1.0"
)

// findPython returns the Python of a virtual environment with drt and polars, in the user's cache
// folder. It makes it if it is not there.
func findPython() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "gleapsync-bench", "drt-"+drtVersion+"-polars-"+polarsVersion)
	python := filepath.Join(dir, "bin", "python")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return python, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	for _, cmd := range []*exec.Cmd{
		exec.Command("python3", "-m", "venv", dir),
		exec.Command(python, "-m", "pip", "install", "--quiet", "drt-core[duckdb]=="+drtVersion, "polars=="+polarsVersion),
	} {
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", cmd, err, text)
		}
	}
	return python, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o600)
}
