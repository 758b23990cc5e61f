package deploy

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// image is the name under which the test's image is kept while it runs.
const image = "localhost/gleapsync-test:1.2.3"

// TestImage makes the images with the script that people use, and syncs in them: as their user,
// with nothing writable but the state and /tmp, and no other file than their own.
func TestImage(t *testing.T) {
	if _, err := exec.LookPath("buildah"); err != nil {
		t.Skip("there is no buildah: apt-get install buildah")
	}
	if os.Geteuid() != 0 {
		t.Skip("a root file system that is read-only can be mounted by root alone")
	}
	t.Setenv("STORAGE_DRIVER", "vfs")
	t.Run("as released", func(t *testing.T) { testImage(t, "") })
	t.Run("with OpenTelemetry", func(t *testing.T) { testImage(t, "otel") })
}

// testImage makes the image with these build tags. Only with otel a collector hears of the runs.
func testImage(t *testing.T, tags string) {
	t.Setenv("TAGS", tags)
	var traces atomic.Int32
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/traces" {
			traces.Add(1)
		}
	}))
	defer collector.Close()
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("./image.sh", "1.2.3", image)
	defer run("buildah", "rmi", image)
	about := run("buildah", "inspect", "--type", "image", "--format", "{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Env}}", image)
	if !strings.HasPrefix(about, "65532:65532 [/usr/local/bin/gleapsync] ") || !strings.Contains(about, "GLEAPSYNC_CONFIG="+configPath+"]") {
		t.Errorf("user, command and environment: %s", about)
	}
	t.Log(run("buildah", "images", "--format", "{{.Size}}", image))

	container := run("buildah", "from", image)
	defer run("buildah", "rm", container)
	root := run("buildah", "mount", container)
	settings := t.TempDir()
	if err := os.Chmod(filepath.Dir(settings), 0o755); err != nil { // the image's user goes through it
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(settings, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("vip.csv", "user_id\nu1\nu2\n")
	write("gleapsync.toml", `project = "acme"
[gleap]
base_url = "sandbox"
[state]
path = "/var/lib/gleapsync/gleapsync.db"
[sync]
time_zone = "Europe/Berlin"
[[audience]]
name = "VIP"
source = "vip.csv"
`)
	// What a container's runtime does for --read-only, --user and two volumes.
	script := `set -e
mkdir -p "$0/etc/gleapsync" "$0/proc"
mount --bind "$0" "$0"
mount -o remount,bind,ro "$0"
mount --bind "$1" "$0/etc/gleapsync"
mount -t tmpfs -o mode=1777 none "$0/tmp"
mount -t tmpfs -o uid=65532,gid=65532,mode=0700 none "$0/var/lib/gleapsync"
mount -t proc none "$0/proc"
export GLEAPSYNC_CONFIG=` + configPath + ` OTEL_EXPORTER_OTLP_ENDPOINT=` + collector.URL + `
gleapsync() { chroot --userspec=65532:65532 "$0" /usr/local/bin/gleapsync "$@"; }
gleapsync --version
gleapsync sync
gleapsync sync
gleapsync inspect`
	out := run("unshare", "--mount", "--pid", "--fork", "bash", "-c", script, root, settings)
	for _, want := range []string{"gleapsync 1.2.3\n", "2 of 2 contacts sent", "Nothing to send", " CET"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing:\n%s", want, out)
		}
	}
	want := int32(0)
	if tags == "otel" {
		want = 2 // syncs
	}
	if traces.Load() != want {
		t.Errorf("a collector got %d traces, want %d:\n%s", traces.Load(), want, out)
	}
}

// TestDockerfile: the image is the same build as a release's.
func TestDockerfile(t *testing.T) {
	script, err := os.ReadFile("image.sh")
	if err != nil {
		t.Fatal(err)
	}
	r, err := readRelease()
	if err != nil {
		t.Fatal(err)
	}
	b := r.Builds[0]
	want := strings.Join(b.Flags, " ") + ` -ldflags "` + strings.ReplaceAll(b.Ldflags[0], "{{ .Version }}", "$version") + `" `
	if !strings.Contains(string(script), want) || !strings.Contains(string(script), "\n"+b.Env[0]+" ") {
		t.Errorf("image.sh does not build with %s %s", b.Env[0], want)
	}
}
