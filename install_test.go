package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstall: what the README says of installing works in a checkout. The module has no address
// that go install could find it by.
func TestInstall(t *testing.T) {
	if testing.Short() {
		t.Skip("it links the program")
	}
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil || !strings.Contains(string(readme), "\n```sh\ngo install .\n```\n") {
		t.Fatalf("the README says something else: %v", err)
	}
	bin := t.TempDir()
	cmd := exec.Command("go", "install", ".")
	cmd.Env = append(os.Environ(), "GOBIN="+bin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(filepath.Join(bin, "gleapsync"), "--version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "gleapsync ") {
		t.Errorf("%v: %s", err, out)
	}
}
