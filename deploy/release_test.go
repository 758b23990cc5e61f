package deploy

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// release is what of .goreleaser.yaml is looked at here.
type release struct {
	Version int
	Builds  []struct {
		Env, Goos, Goarch, Flags, Ldflags []string
		ModTimestamp                      string `json:"mod_timestamp"`
	}
	Checksum struct {
		NameTemplate string `json:"name_template"`
	}
	SBOMs []struct{ Artifacts string }
}

func readRelease() (release, error) {
	var r release
	text, err := os.ReadFile("../.goreleaser.yaml")
	if err != nil {
		return r, err
	}
	return r, yaml.Unmarshal(text, &r)
}

// build builds the program for this machine with the release's flags.
func (r release) build(path string) error {
	b := r.Builds[0]
	ldflags := strings.ReplaceAll(strings.Join(b.Ldflags, " "), "{{ .Version }}", "1.2.3")
	cmd := exec.Command("go", slices.Concat([]string{"build", "-C", ".."}, b.Flags, []string{"-ldflags", ldflags, "-o", path, "."})...)
	cmd.Env, cmd.Stderr = append(os.Environ(), b.Env...), os.Stderr
	return cmd.Run()
}

func TestRelease(t *testing.T) {
	r, err := readRelease()
	if err != nil {
		t.Fatal(err)
	}
	if r.Version != 2 || len(r.Builds) != 1 || len(r.SBOMs) != 1 || r.Checksum.NameTemplate == "" {
		t.Fatalf("version %d, %d builds, %d SBOMs, checksums in %q", r.Version, len(r.Builds), len(r.SBOMs), r.Checksum.NameTemplate)
	}
	b := r.Builds[0]
	if want := []string{"linux", "darwin", "windows"}; !slices.Equal(b.Goos, want) {
		t.Errorf("goos %v, want %v", b.Goos, want)
	}
	if want := []string{"amd64", "arm64"}; !slices.Equal(b.Goarch, want) {
		t.Errorf("goarch %v, want %v", b.Goarch, want)
	}
	if !slices.Contains(b.Env, "CGO_ENABLED=0") || !slices.Contains(b.Flags, "-trimpath") || b.ModTimestamp != "{{ .CommitTimestamp }}" {
		t.Errorf("not reproducible: env %v, flags %v, mod_timestamp %q", b.Env, b.Flags, b.ModTimestamp)
	}
	out, err := exec.Command(program, "--version").Output()
	if err != nil || string(out) != "gleapsync 1.2.3\n" {
		t.Errorf("--version of a build with the release's flags prints %q, %v", out, err)
	}
}
