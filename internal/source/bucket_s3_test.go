//go:build !nocloud

package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gleapsync/internal/bucket"
	"gleapsync/internal/rounds"
	"gleapsync/internal/s3test"
)

// s3Server is a real S3 server.
type s3Server struct {
	folder  string // its buckets
	address string
	bucket  *bucket.Bucket
}

// newS3Server starts one and sets the environment for it.
func newS3Server(t *testing.T) *s3Server {
	t.Helper()
	server := s3test.Start(t)
	a, err := bucket.Parse(server.URL("x"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := a.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &s3Server{server.Folder, server.Address, b}
}

func (s *s3Server) put(t *testing.T, key, text string) {
	t.Helper()
	if _, err := s.bucket.Put(t.Context(), key, []byte(text), bucket.Condition{}); err != nil {
		t.Fatal(err)
	}
}

func s3Place(pattern, address string) Place { return Place{Source: s3test.URL(address, pattern)} }

// manyRows returns a CSV of n users, and what reading it gives.
func manyRows(n int) (text string, want []string) {
	var b strings.Builder
	b.WriteString("user_id\n")
	for i := range n {
		fmt.Fprintf(&b, "user-%08d\n", i)
		want = append(want, fmt.Sprintf("user-%08d", i))
	}
	return b.String(), want
}

func equalRows(t *testing.T, got, want []string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("got %d rows, want %d: %.200q", len(got), len(want), got)
	}
}

func TestS3(t *testing.T) {
	t.Parallel()
	s := newS3Server(t)
	s.put(t, "day/a.csv", "user_id\nu1\n")
	s.put(t, "day/b.csv.gz", gzipped("user_id\nu2\n"))
	s.put(t, "day/deep/.hidden", "user_id\nu3\n")
	s.put(t, "day/deep/c.csv", "user_id\nu4\n")
	s.put(t, "day/empty.csv", "")
	s.put(t, "night=1/a b+c&d~e!(1)'é%20.csv", "user_id\nu5\n")

	for pattern, want := range map[string][]string{
		"day/a.csv":    {"u1"},
		"day/*.gz":     {"u2"},
		"*/[a-b].csv*": {"u1", "u2"},
		"day/deep/":    {"u4"},
		"night=1/*":    {"u5"},
	} {
		e := s3Place(pattern, s.address)
		e.Pick = PickAll
		got, err := rows(e)
		equalRows(t, got, want, err)
	}
	for pattern, want := range map[string]string{
		"day/*.csv":     "day/*.csv?use_path_style=true&endpoint=http://" + s.address + ` matches 2 files: set pick to "newest", or to "all" if they are parts of one snapshot`,
		"day/x*.csv":    "no object matches s3://exports/day/x*.csv",
		"day/a":         "no object matches s3://exports/day/a",
		"night/":        "there is no object in the folder s3://exports/night/",
		"day/empty.csv": "s3://exports/day/empty.csv: the file is empty",
	} {
		if _, err := rows(s3Place(pattern, s.address)); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
}

func TestS3Version(t *testing.T) {
	t.Parallel()
	s := newS3Server(t)
	fingerprint := func() string {
		inputs, err := s3Place("a.csv", s.address).Find(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if age := time.Since(inputs.AsOf()); age < -time.Minute || age > time.Minute {
			t.Errorf("the object is %s old", age)
		}
		return identified(t, s3Place("a.csv", s.address))
	}
	s.put(t, "a.csv", "user_id\nu1\n")
	first := fingerprint()
	if again := fingerprint(); again != first || first == "" {
		t.Errorf("%q became %q", first, again)
	}
	s.put(t, "a.csv", "user_id\nu2\n")
	if changed := fingerprint(); changed == first {
		t.Error("another object of the same size has the same fingerprint")
	}
}

func TestS3ManyObjects(t *testing.T) {
	t.Parallel()
	s := newS3Server(t)
	objects := rounds.Of(2_500, 10_000) // S3 lists 1,000 at once
	for i := range objects {
		if err := os.WriteFile(filepath.Join(s.folder, "exports", fmt.Sprintf("part-%05d.csv", i)), []byte("user_id\nu1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e := s3Place("part-*.csv", s.address)
	e.Pick = PickAll
	began := time.Now()
	inputs, err := e.Find(context.Background())
	if err != nil || len(inputs.All) != objects {
		t.Fatal(err)
	}
	t.Logf("%d objects listed in %s", objects, time.Since(began))
	// Files that came into the folder by another way have no tag.
	e.Source = strings.Replace(e.Source, "part-*", "part-00007", 1)
	got, err := rows(e)
	equalRows(t, got, []string{"u1"}, err)
}

func TestS3ConnectionBreaks(t *testing.T) {
	t.Parallel()
	s := newS3Server(t)
	text, want := manyRows(200_000)
	s.put(t, "plain.csv", text)
	s.put(t, "zipped.csv.gz", gzipped(text))
	for key, size := range map[string]int64{"plain.csv": 1 << 20, "zipped.csv.gz": 100 << 10} {
		t.Run(key, func(t *testing.T) {
			t.Parallel() // it waits
			address, cuts := cuttingProxy(t, s.address, size, 2)
			got, err := rows(s3Place(key, address))
			equalRows(t, got, want, err)
			if cuts.Load() != 0 {
				t.Error("the connection was not cut")
			}
		})
	}
}

func TestS3ChangedWhileRead(t *testing.T) {
	t.Parallel()
	s := newS3Server(t)
	text, _ := manyRows(200_000)
	read := func(t *testing.T, address string, replace func()) error {
		s.put(t, "a.csv", text)
		inputs, err := s3Place("a.csv", address).Find(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		in := inputs.All[0]
		r, err := in.Raw(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		replace()
		_, err = io.Copy(io.Discard, r)
		if closeErr := r.Close(); err == nil {
			err = closeErr
		}
		return err
	}
	another := func() { s.put(t, "a.csv", strings.Replace(text, "user-00000001", "user-99999999", 1)) }
	if err := read(t, s.address, func() {}); err != nil {
		t.Errorf("not replaced: %v", err)
	}
	if err := read(t, s.address, another); err == nil || err.Error() != "s3://exports/a.csv changed while it was read" {
		t.Errorf("replaced: %v", err)
	}
	address, _ := cuttingProxy(t, s.address, 1<<20, 1)
	if err := read(t, address, another); err != bucket.ErrChanged {
		t.Errorf("replaced, and the connection broke: %v", err)
	}
	if err := read(t, s.address, func() { os.Remove(filepath.Join(s.folder, "exports", "a.csv")) }); err == nil || err.Error() != "s3://exports/a.csv changed while it was read" {
		t.Errorf("deleted: %v", err)
	}
}

func TestS3Refuses(t *testing.T) {
	t.Parallel()
	s := newS3Server(t)
	noBucket := s3Place("a.csv", s.address)
	noBucket.Source = strings.Replace(noBucket.Source, "exports", "imports", 1)
	isRefused(t, noBucket, "s3://imports cannot be read: it answers 404 NoSuchBucket: there is no such bucket")
}

func TestS3RefusesCredentials(t *testing.T) {
	s := newS3Server(t)
	s.put(t, "a.csv", "user_id\nu1\n")
	place := s3Place("a.csv", s.address)
	s3test.SetAWS(t, "test-access", "wrong-secret")
	isRefused(t, place, "s3://exports cannot be read: it answers 403 SignatureDoesNotMatch: the credentials are wrong")
	s3test.SetAWS(t, "nobody", "wrong-secret")
	isRefused(t, place, "s3://exports cannot be read: it answers 40")
	s3test.SetAWS(t, "", "")
	isRefused(t, place, "s3://exports cannot be read: no credentials were found: set AWS_ACCESS_KEY_ID")
}

// isRefused checks that a place cannot be read, and that the error says so much and not more.
func isRefused(t *testing.T, e Place, want string) {
	t.Helper()
	_, err := rows(e)
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	} else if !errors.As(err, new(*UnreadableError)) {
		t.Errorf("%v is a %T", err, err)
	} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "Signature=") || strings.Contains(err.Error(), "\n") {
		t.Errorf("it says too much: %v", err)
	}
}

// TestS3OtherRegion: a bucket says where it is.
func TestS3OtherRegion(t *testing.T) {
	s3test.SetAWS(t, "test-access", "test-secret")
	for want, answer := range map[string]http.HandlerFunc{
		"it answers 301 Moved Permanently: the bucket is in another region: name it with region=eu-west-1 behind the question mark of its address": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			w.WriteHeader(http.StatusMovedPermanently)
		},
		"it answers 400 AuthorizationHeaderMalformed: the bucket is in another region: name it with region=eu-west-2 behind": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-2</Region></Error>")
		},
		"it answers 301 PermanentRedirect: the bucket is in another region: name it with region": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusMovedPermanently)
			fmt.Fprint(w, "<Error><Code>PermanentRedirect</Code><Region>no region</Region></Error>")
		},
		"it answers 403 AccessDenied: the credentials need": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<Error><Code>AccessDenied</Code></Error>")
		},
	} {
		server := httptest.NewServer(answer)
		_, err := rows(s3Place("a.csv", strings.TrimPrefix(server.URL, "http://")))
		server.Close()
		if err == nil || !strings.HasPrefix(err.Error(), "s3://exports cannot be read: "+want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// TestS3Pages: a list goes on where its page says, and what is no list is no answer.
func TestS3Pages(t *testing.T) {
	pages := map[string]string{
		"":     `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>true</IsTruncated><NextContinuationToken>a+/=</NextContinuationToken><Contents><Key>day/1.csv</Key><LastModified>2026-03-01T12:00:00.000Z</LastModified><ETag>&quot;1&quot;</ETag><Size>11</Size></Contents></ListBucketResult>`,
		"a+/=": `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>day/2.csv</Key><LastModified>2026-03-01T12:00:00.000Z</LastModified><Size>11</Size></Contents></ListBucketResult>`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/exports" || r.FormValue("list-type") != "2" || r.FormValue("prefix") != "day/" || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=access/") {
			t.Errorf("asked for %s, signed %q", r.RequestURI, r.Header.Get("Authorization"))
		}
		io.WriteString(w, pages[r.FormValue("continuation-token")])
	}))
	defer server.Close()
	s3test.SetAWS(t, "access", "secret")
	e := s3Place("day/*.csv", strings.TrimPrefix(server.URL, "http://"))
	e.Pick = PickAll
	inputs, err := e.Find(t.Context())
	if err != nil || len(inputs.All) != 2 || inputs.All[0].Version != fmt.Sprintf("%q 11 %d", `"1"`, storedAt.UnixNano()) {
		t.Errorf("%v, %+v", err, inputs)
	}
	pages[""] = "<html>hello</html>"
	if _, err := e.Find(t.Context()); err == nil || !strings.Contains(err.Error(), "its answer was malformed") {
		t.Error(err)
	}
}
