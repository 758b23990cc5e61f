//go:build !nocloud

package source

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// storedAt is when all objects of the fakes were written.
var storedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// serve answers with an object from where the request wants it. It breaks off the first
// answer in the middle.
func serve(w http.ResponseWriter, r *http.Request, text string, broken *bool) {
	offset := 0
	wanted := r.Header.Get("Range")
	if wanted == "" {
		wanted = r.Header.Get("X-Ms-Range")
	}
	w.Header().Set("Last-Modified", storedAt.Format(http.TimeFormat))
	if wanted != "" {
		offset, _ = strconv.Atoi(strings.Trim(strings.TrimPrefix(wanted, "bytes="), "-"))
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, len(text)-1, len(text)))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(text)-offset))
	if wanted != "" {
		w.WriteHeader(http.StatusPartialContent)
	}
	rest := text[offset:]
	if !*broken {
		*broken = true
		io.WriteString(w, rest[:len(rest)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	io.WriteString(w, rest)
}

// fakeGCS is what is used of Google's JSON API.
func fakeGCS(t *testing.T, objects map[string]string, generation *string) *httptest.Server {
	broken := false
	mux := http.NewServeMux()
	mux.HandleFunc("GET /storage/v1/b/exports/o", func(w http.ResponseWriter, r *http.Request) {
		// Each page has one object.
		type item map[string]string
		var items []item
		for _, key := range sortedKeys(objects) {
			if strings.HasPrefix(key, r.FormValue("prefix")) {
				items = append(items, item{"name": key, "generation": *generation, "size": strconv.Itoa(len(objects[key])), "updated": storedAt.Format(time.RFC3339)})
			}
		}
		page, _ := strconv.Atoi(r.FormValue("pageToken"))
		answer := map[string]any{}
		if page < len(items) {
			answer["items"] = items[page : page+1]
			if page+1 < len(items) {
				answer["nextPageToken"] = strconv.Itoa(page + 1)
			}
		}
		json.NewEncoder(w).Encode(answer)
	})
	mux.HandleFunc("GET /storage/v1/b/exports/o/{key}", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" || r.FormValue("alt") != "media" {
			t.Errorf("%s with %v", r.URL, r.Header)
		}
		if r.FormValue("ifGenerationMatch") != *generation {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		w.Header().Set("Content-Encoding", "gzip") // as if it had been stored so
		w.Header().Set("X-Goog-Generation", *generation)
		serve(w, r, objects[r.PathValue("key")], &broken)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
	return server
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func TestGCS(t *testing.T) {
	generation := "1"
	objects := map[string]string{"day 1/a.csv.gz": gzipped("user_id\nu1\n"), "day 1/b.csv.gz": gzipped("user_id\nu2\n"), "day 2/c.csv.gz": ""}
	fakeGCS(t, objects, &generation)
	e := Place{Source: "gs://exports/day 1/*.gz", Pick: PickAll}
	got, err := rows(e)
	equalRows(t, got, []string{"u1", "u2"}, err)

	inputs, err := e.Find(context.Background())
	if err != nil || !inputs.AsOf().Equal(storedAt) {
		t.Fatal(inputs.AsOf(), err)
	}
	generation = "2"
	if err := rowsOf(context.Background(), inputs.All[0], func(string) error { return nil }); err == nil || err.Error() != "gs://exports/day 1/a.csv.gz: it changed while it was read" {
		t.Errorf("replaced: %v", err)
	}
	e.Source = "gs://imports/a"
	if _, err := e.Find(context.Background()); err == nil || err.Error() != "gs://imports cannot be read: it answers 404 Not Found: there is no such bucket, or the object is gone" {
		t.Errorf("no bucket: %v", err)
	}
}

// TestObjectParts: in a bucket parts are what they are in a folder.
func TestObjectParts(t *testing.T) {
	generation, tag := "1", "0x1"
	objects := map[string]string{}
	fakeGCS(t, objects, &generation)
	server := fakeAzure(t, objects, &tag)
	key := base64.StdEncoding.EncodeToString([]byte("hidden"))
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "DefaultEndpointsProtocol=http;AccountName=acme;AccountKey="+key+";BlobEndpoint="+server.URL+"/acme;")
	put := func(all map[string]string) {
		clear(objects)
		maps.Copy(objects, all)
	}
	for name, test := range partCases {
		put(map[string]string{"day/part-0.csv": "user_id\nu0\n", "night/_SUCCESS": "", "night/manifest": "x"})
		for file, text := range test.files {
			objects["day/"+file] = text
		}
		for _, bucket := range []string{"gs://exports/", "azblob://exports/"} {
			for _, pattern := range []string{"day/", "day/*", "day/part-*", "d*/part-*"} {
				checkParts(t, name, bucket+pattern, "", test.want)
			}
		}
	}
	put(map[string]string{"day/part-0": "user_id\nu0\n", "day/_SUCCESS": "", "day/empty-1": ""})
	missing := func(pattern string) string {
		t.Helper()
		inputs, err := Place{Source: "gs://exports/" + pattern, Pick: PickAll}.Find(t.Context())
		if err != nil || len(inputs.All) != 1 {
			t.Fatalf("%s: %v", pattern, err)
		}
		return inputs.Missing(2)
	}
	for _, pattern := range []string{"day/", "day/part-*", "day/*", "d*/part-*"} {
		if got := missing(pattern); got != "" {
			t.Errorf("%s: %s", pattern, got)
		}
	}
	delete(objects, "day/_SUCCESS")
	for _, pattern := range []string{"day/", "day/part-*", "day/*", "d*/part-*"} {
		if got := missing(pattern); !strings.HasPrefix(got, "1 part is there, 2 were in the snapshot applied last") {
			t.Errorf("%s: %s", pattern, got)
		}
	}
}

// A token is asked for before anything else. What refuses it, or the key file, is not quoted.
func TestGCSCredentials(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":"invalid_grant","error_description":"hidden"}`)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "key.json")
	text := fmt.Sprintf(`{"type":"authorized_user","client_id":"a","client_secret":"hidden","refresh_token":"hidden","token_uri":%q}`, server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	for _, name := range []string{file, filepath.Join(t.TempDir(), "none.json"), os.DevNull} {
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", name)
		_, err := Place{Source: "gs://exports/a"}.Find(context.Background())
		if err == nil || !strings.HasPrefix(err.Error(), "gs://exports cannot be read: no credentials were found: set GOOGLE_APPLICATION_CREDENTIALS") || !errors.As(err, new(*UnreadableError)) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v", err)
		}
	}
}

// fakeAzure is what is used of Azure's API.
func fakeAzure(t *testing.T, objects map[string]string, tag *string) *httptest.Server {
	broken := false
	type properties struct {
		LastModified  string `xml:"Last-Modified"`
		Etag          string
		ContentLength int `xml:"Content-Length"`
	}
	type item struct {
		Name       string
		Properties properties
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /acme/exports", func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "SharedKey acme:") {
			w.Header().Set("X-Ms-Error-Code", "AuthenticationFailed")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		var list struct {
			XMLName xml.Name `xml:"EnumerationResults"`
			Blobs   struct {
				Blob []item
			}
			NextMarker string
		}
		var items []item
		for _, key := range sortedKeys(objects) {
			if strings.HasPrefix(key, r.FormValue("prefix")) {
				items = append(items, item{key, properties{storedAt.Format(http.TimeFormat), *tag, len(objects[key])}})
			}
		}
		page, _ := strconv.Atoi(r.FormValue("marker"))
		if page < len(items) {
			list.Blobs.Blob = items[page : page+1]
			if page+1 < len(items) {
				list.NextMarker = strconv.Itoa(page + 1)
			}
		}
		w.Header().Set("Content-Type", "application/xml")
		xml.NewEncoder(w).Encode(list)
	})
	mux.HandleFunc("GET /acme/exports/{key...}", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-Match") != `"`+*tag+`"` {
			w.Header().Set("X-Ms-Error-Code", "ConditionNotMet")
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		w.Header().Set("Etag", `"`+*tag+`"`)
		w.Header().Set("Content-Encoding", "gzip")
		serve(w, r, objects[r.PathValue("key")], &broken)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestAzure(t *testing.T) {
	tag := "0x1"
	objects := map[string]string{"day 1/a.csv.gz": gzipped("user_id\nu1\n"), "day 1/b.csv.gz": gzipped("user_id\nu2\n"), "day 2/c.csv.gz": ""}
	server := fakeAzure(t, objects, &tag)
	key := base64.StdEncoding.EncodeToString([]byte("hidden"))
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "DefaultEndpointsProtocol=http;AccountName=acme;AccountKey="+key+";BlobEndpoint="+server.URL+"/acme;")
	e := Place{Source: "azblob://exports/day 1/*.gz", Pick: PickAll}
	got, err := rows(e)
	equalRows(t, got, []string{"u1", "u2"}, err)

	inputs, err := e.Find(context.Background())
	if err != nil || !inputs.AsOf().Equal(storedAt) {
		t.Fatal(inputs.AsOf(), err)
	}
	tag = "0x2"
	if err := rowsOf(context.Background(), inputs.All[0], func(string) error { return nil }); err == nil || err.Error() != "azblob://exports/day 1/a.csv.gz: it changed while it was read" {
		t.Errorf("replaced: %v", err)
	}
	refused := func(want string) {
		t.Helper()
		_, err := e.Find(context.Background())
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), key) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "BlobEndpoint="+server.URL+"/acme;SharedAccessSignature=sv=1&sig=hidden")
	refused("azblob://exports cannot be read: it answers 403 AuthenticationFailed: the credentials are wrong")
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "hidden")
	refused("azblob://exports cannot be read: no credentials were found: AZURE_STORAGE_CONNECTION_STRING is not")
}
