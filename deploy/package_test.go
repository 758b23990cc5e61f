package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	_ "github.com/goreleaser/nfpm/v2/rpm"
	"sigs.k8s.io/yaml"
)

// TestPackages makes the packages as a release does, and looks into them: the units find the
// program, whose user the script makes.
func TestPackages(t *testing.T) {
	text, err := os.ReadFile("../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var release struct {
		NFPMs []map[string]any `json:"nfpms"`
	}
	if err := yaml.Unmarshal(text, &release); err != nil || len(release.NFPMs) != 1 {
		t.Fatalf("%d packages, %v", len(release.NFPMs), err)
	}
	t.Chdir("..") // where a release runs
	settings := release.NFPMs[0]
	formats := settings["formats"].([]any)
	contents := append(settings["contents"].([]any), map[string]any{
		"src": program, "dst": settings["bindir"].(string) + "/gleapsync", "file_info": map[string]any{"mode": 0o755},
	})
	for _, name := range []string{"formats", "bindir"} { // goreleaser's own
		delete(settings, name)
	}
	settings["name"], settings["arch"], settings["version"], settings["contents"] = "gleapsync", "amd64", "1.2.3", contents
	if text, err = yaml.Marshal(settings); err != nil {
		t.Fatal(err)
	}
	config, err := nfpm.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, format := range formats {
		info, err := config.Get(format.(string))
		if err != nil {
			t.Fatal(err)
		}
		packager, err := nfpm.Get(format.(string))
		if err != nil {
			t.Fatal(err)
		}
		info = nfpm.WithDefaults(info)
		file, err := os.Create(filepath.Join(dir, packager.ConventionalFileName(info)))
		if err != nil {
			t.Fatal(err)
		}
		if err := packager.Package(info, file); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("the packages were made; there is no dpkg-deb to look into one")
	}
	root := filepath.Join(dir, "root")
	deb := filepath.Join(dir, "gleapsync_1.2.3_amd64.deb")
	for _, args := range [][]string{{"-x", deb, root}, {"-e", deb, filepath.Join(dir, "about")}} {
		if out, err := exec.Command("dpkg-deb", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	run := exec.Command(filepath.Join(root, "usr/bin/gleapsync"), "sync", "--config", "config.example.toml")
	run.Dir = filepath.Join(root, "usr/share/doc/gleapsync")
	if out, err := run.CombinedOutput(); err != nil || !strings.Contains(string(out), "contacts sent") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, name := range []string{"usr/lib/systemd/system/gleapsync.timer", "usr/lib/systemd/system/gleapsync.service", "usr/lib/systemd/system/gleapsync-serve.service", "etc/gleapsync/gleapsync.toml"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
	for name, want := range map[string]string{"conffiles": "/etc/gleapsync/gleapsync.toml\n", "postinst": "useradd --system"} {
		if got, err := os.ReadFile(filepath.Join(dir, "about", name)); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
