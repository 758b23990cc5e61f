//go:build !nocloud

package starter

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// TestBucket: the objects under an address are what files in a folder would be.
func TestBucket(t *testing.T) {
	objects := map[string]string{
		"engage/vip_2026-11-20.csv": "user_id\nu1\n", "engage/vip_2026-11-21.csv": "user_id\nu1\n", "engage/deep/users.csv": "user_id,orders\nu1,7\n", "engage/notes.md": "no export",
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/bucket"), "/")
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Last-Modified", "Fri, 20 Nov 2026 08:00:00 GMT")
		if key != "" {
			fmt.Fprint(w, objects[key])
			return
		}
		fmt.Fprint(w, `<ListBucketResult><IsTruncated>false</IsTruncated>`)
		for key, text := range objects {
			if strings.HasPrefix(key, r.URL.Query().Get("prefix")) {
				fmt.Fprintf(w, `<Contents><Key>%s</Key><LastModified>2026-11-20T08:00:00Z</LastModified><ETag>"1"</ETag><Size>%d</Size></Contents>`, key, len(text))
			}
		}
		fmt.Fprint(w, `</ListBucketResult>`)
	}))
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "key")
	query := "?endpoint=" + server.URL + "&use_path_style=true"
	path := filepath.Join(t.TempDir(), "c.toml")
	r, err := Write(t.Context(), Options{Place: "s3://bucket/engage" + query, Config: path})
	want := fmt.Sprintf("[{audience s3://bucket/engage/vip_[0-9]*.csv%[1]s [vip]} {table s3://bucket/engage/deep/users.csv%[1]s [orders]}]", query)
	if got := fmt.Sprint(r.Exports); err != nil || got != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
	checkWritten(t, path, r)
}
