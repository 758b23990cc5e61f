//go:build !nocloud

package bucket

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kept is what the fakes keep.
type kept map[string]*struct {
	text    string
	version int
}

var keptAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// write keeps a body if the version is as it should be: 0: there is none, -1: whatever it is.
func (k kept) write(key string, r *http.Request, wanted int) (version int, ok bool) {
	body, _ := io.ReadAll(r.Body)
	last := 0
	if o := k[key]; o != nil {
		last = o.version
	}
	if wanted >= 0 && wanted != last {
		return 0, false
	}
	k[key] = &struct {
		text    string
		version int
	}{string(body), last + 1}
	return last + 1, true
}

func (k kept) open(w http.ResponseWriter, version int, key string) bool {
	o := k[key]
	switch {
	case o == nil:
		w.WriteHeader(http.StatusNotFound)
	case version >= 0 && o.version != version:
		w.WriteHeader(http.StatusPreconditionFailed)
	default:
		w.Header().Set("Last-Modified", keptAt.Format(http.TimeFormat))
		return true
	}
	return false
}

func number(text string) int {
	if text == "" {
		return -1
	}
	n, _ := strconv.Atoi(strings.Trim(text, `"`))
	return n
}

func TestGCSWrites(t *testing.T) {
	objects := kept{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /storage/v1/b/exports/o", func(w http.ResponseWriter, r *http.Request) {
		items := []map[string]string{}
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			items = append(items, map[string]string{"name": key, "generation": strconv.Itoa(objects[key].version), "size": strconv.Itoa(len(objects[key].text)), "updated": keptAt.Format(time.RFC3339)})
		}
		json.NewEncoder(w).Encode(map[string]any{"items": items})
	})
	mux.HandleFunc("GET /storage/v1/b/exports/o/{key}", func(w http.ResponseWriter, r *http.Request) {
		key := r.PathValue("key")
		if objects.open(w, number(r.FormValue("ifGenerationMatch")), key) {
			w.Header().Set("X-Goog-Generation", strconv.Itoa(objects[key].version))
			io.WriteString(w, objects[key].text)
		}
	})
	mux.HandleFunc("POST /upload/storage/v1/b/exports/o", func(w http.ResponseWriter, r *http.Request) {
		version, ok := objects.write(r.FormValue("name"), r, number(r.FormValue("ifGenerationMatch")))
		if !ok {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		json.NewEncoder(w).Encode(map[string]string{"generation": strconv.Itoa(version)})
	})
	mux.HandleFunc("DELETE /storage/v1/b/exports/o/{key}", func(w http.ResponseWriter, r *http.Request) {
		key := r.PathValue("key")
		if objects.open(w, -1, key) {
			delete(objects, key)
			w.WriteHeader(http.StatusNoContent)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
	testWritesAt(t, "gs://exports/x")
}

func TestAzureWrites(t *testing.T) {
	objects := kept{}
	signed := func(w http.ResponseWriter, r *http.Request) bool {
		got := r.Header.Get("Authorization")
		r.Header.Del("Content-Length") // the signature has that of the request, unless it is 0
		r.URL.Host = r.Host
		_ = sharedKey{"acme", []byte("hidden")}.authorize(r.Context(), r)
		if got != r.Header.Get("Authorization") {
			t.Errorf("%s %s is signed wrongly", r.Method, r.URL)
			w.WriteHeader(http.StatusForbidden)
			return false
		}
		return true
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /acme/exports", func(w http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			b.WriteString("<Blob><Name>")
			xml.EscapeText(&b, []byte(key))
			fmt.Fprintf(&b, "</Name><Properties><Last-Modified>%s</Last-Modified><Etag>%d</Etag><Content-Length>%d</Content-Length></Properties></Blob>",
				keptAt.Format(http.TimeFormat), objects[key].version, len(objects[key].text))
		}
		fmt.Fprintf(w, "<EnumerationResults><Blobs>%s</Blobs></EnumerationResults>", b.String())
	})
	mux.HandleFunc("GET /acme/exports/{key...}", func(w http.ResponseWriter, r *http.Request) {
		key := r.PathValue("key")
		if signed(w, r) && objects.open(w, number(r.Header.Get("If-Match")), key) {
			w.Header().Set("ETag", fmt.Sprintf(`"%d"`, objects[key].version))
			io.WriteString(w, objects[key].text)
		}
	})
	mux.HandleFunc("PUT /acme/exports/{key...}", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Ms-Blob-Type") != "BlockBlob" {
			t.Errorf("a blob of the type %q", r.Header.Get("X-Ms-Blob-Type"))
		}
		if !signed(w, r) {
			return
		}
		wanted := number(r.Header.Get("If-Match"))
		if r.Header.Get("If-None-Match") == "*" {
			wanted = 0
		}
		version, ok := objects.write(r.PathValue("key"), r, wanted)
		if !ok {
			if wanted == 0 {
				w.Header().Set("X-Ms-Error-Code", "BlobAlreadyExists")
				w.WriteHeader(http.StatusConflict)
			} else {
				w.WriteHeader(http.StatusPreconditionFailed)
			}
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, version))
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("DELETE /acme/exports/{key...}", func(w http.ResponseWriter, r *http.Request) {
		key := r.PathValue("key")
		if signed(w, r) && objects.open(w, -1, key) {
			delete(objects, key)
			w.WriteHeader(http.StatusAccepted)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	key := base64.StdEncoding.EncodeToString([]byte("hidden"))
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "DefaultEndpointsProtocol=http;AccountName=acme;AccountKey="+key+";BlobEndpoint="+server.URL+"/acme;")
	testWritesAt(t, "azblob://exports/x")
}
