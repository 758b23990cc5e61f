package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleapsync/internal/bucket"
)

// TestReplica: the state and the log live in folders of a bucket, if this build knows buckets.
func TestReplica(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"s3://bucket/gleapsync/acme": "",
		"gs://bucket/acme/":          "",
		"azblob://container/acme?storage_account=acme": "",
		"folder":              "begins with s3://",
		"s3://bucket":         "a folder of its own in the bucket",
		"s3://bucket//":       "a folder of its own in the bucket",
		"s3://bucket/acme/*":  "it is a folder, without wildcards",
		"s3://bucket/a?key=x": "takes these: endpoint",
	} {
		if !bucket.Built && strings.Contains(text, "://") && (want == "" || strings.HasPrefix(want, "a folder") || strings.HasPrefix(want, "it is a folder")) {
			want = "this build of gleapsync has no object storage"
		}
		path := filepath.Join(t.TempDir(), "c.toml")
		if strings.Contains(text, "://") {
			testLogAddress(t, text, want)
		}
		lines := "project = \"p\"\n[state]\nreplica = \"" + text + "\"\n[[audience]]\nname = \"a\"\nsource = \"a.csv\"\n"
		if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		switch {
		case want != "":
			if err == nil || !strings.Contains(err.Error(), "c.toml:3: state.replica: ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %s", text, err, want)
			}
		case err != nil:
			t.Errorf("%q: %v", text, err)
		case (c.Replica != nil) != (text != ""):
			t.Errorf("%q: %+v", text, c.Replica)
		}
	}
}

func testLogAddress(t *testing.T, text, want string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.toml")
	lines := "project = \"p\"\n[log]\npath = \"" + text + "\"\n[[audience]]\nname = \"a\"\nsource = \"a.csv\"\n"
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	switch {
	case want != "":
		if err == nil || !strings.Contains(err.Error(), "c.toml:3: log.path: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	case err != nil:
		t.Errorf("%q: %v", text, err)
	case c.Sync.Deliveries.Bucket == nil || c.Sync.Deliveries.Dir != "":
		t.Errorf("%q: %+v", text, c.Sync.Deliveries)
	}
}
