//go:build !nocloud

package source

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gleapsync/internal/s3test"
)

// What no error may hold: a secret, and an address of somebody.
const (
	knownSecret = "s3cret-of-ours"
	somebody    = "ada@example.com"
)

// isShown checks an error that may be shown.
func isShown(t *testing.T, err error) {
	t.Helper()
	if err == nil || !errors.As(err, new(*UnreadableError)) {
		t.Errorf("got %v, want that it cannot be read", err)
		return
	}
	text := err.Error()
	if strings.Contains(text, knownSecret) || strings.Contains(text, somebody) || strings.ContainsAny(text, "\n\x1b") || len(text) > 1000 {
		t.Errorf("the error shows what it must not: %q", text)
	}
}

// evilAnswers are answers of a storage that hold what it was sent, and more. Of some the
// protocol knows nothing.
var evilAnswers = []string{
	"HTTP/1.1 " + somebody + " " + knownSecret + "\r\n\r\n",
	"HTTP/1.1 403 " + somebody + "\r\nContent-Length: 0\r\n\r\n",
	somebody + " " + knownSecret + "\r\n\r\n",
	"HTTP/1.1 200 OK\r\n" + somebody + " " + knownSecret + "\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: " + somebody + "\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + knownSecret + "\r\n\r\n",
	"HTTP/1.1 403 Forbidden\r\nX-Ms-Error-Code: " + somebody + "\r\nConnection: close\r\n\r\n<Error><Code>" + somebody + "</Code><Message>" + knownSecret + "</Message></Error>",
	"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n<" + somebody + "><" + knownSecret + ">&" + knownSecret + ";",
	"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<ListBucketResult><" + somebody + "></" + knownSecret + ">",
	"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<ListBucketResult><Contents><Size>" + somebody + "</Size></Contents></ListBucketResult>",
	"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + `{"items":[{"name":"a.csv","generation":"1","size":"` + somebody + `"}]}`,
	"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + `{"items":` + somebody + knownSecret,
	"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<EnumerationResults><Blobs><Blob></Blob></Blobs></EnumerationResults>",
	"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/" + somebody + "/" + knownSecret + "\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 302 Found\r\nLocation: " + knownSecret + "://%zz\r\nContent-Length: 0\r\n\r\n",
}

// TestStorageRepeats: whatever a storage answers, nothing of it is in the error, and there is one also
// if it never ends to answer, or does not listen: all in one test, since each is asked for seconds.
func TestStorageRepeats(t *testing.T) {
	number := regexp.MustCompile(`evil-(\d+)`) // in the name of the bucket
	address := listen(t, func(conn net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		if strings.Contains(request.URL.Path, "silent") {
			_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\n\r\n"))
			<-t.Context().Done()
			return
		}
		found := number.FindStringSubmatch(request.URL.Path)
		if found == nil {
			return
		}
		n, _ := strconv.Atoi(found[1])
		_, _ = conn.Write([]byte(evilAnswers[n]))
	})
	s3test.SetAWS(t, "ours", knownSecret)
	t.Setenv("STORAGE_EMULATOR_HOST", address)
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "DefaultEndpointsProtocol=http;AccountName=acme;AccountKey="+
		base64.StdEncoding.EncodeToString([]byte(knownSecret))+";BlobEndpoint=http://"+address+"/acme")
	var all sync.WaitGroup
	for n := range evilAnswers {
		for _, source := range []string{"s3://evil-%d/a.csv?use_path_style=true&endpoint=http://" + address, "gs://evil-%d/a.csv", "azblob://evil-%d/a.csv"} {
			all.Go(func() {
				_, err := Place{Source: fmt.Sprintf(source, n)}.Find(context.Background())
				isShown(t, err)
			})
		}
	}
	// One that answers 101 leaves the connection as the body, which never ends: it is an error, and not
	// after a time of silence. Repeats take some seconds.
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	for _, source := range []string{"s3://silent/a.csv?use_path_style=true&endpoint=http://" + address, "gs://silent/a.csv", "azblob://silent/a.csv"} {
		all.Go(func() {
			if _, err := (Place{Source: source}).Find(ctx); err == nil || !strings.Contains(err.Error(), "status 101, which is no answer") {
				t.Errorf("%s: %v", source, err)
			}
		})
	}
	all.Go(func() {
		isRefused(t, s3Place("a.csv", s3test.FreeAddress(t)), "s3://exports cannot be read: connection refused: check the address and the network")
	})
	all.Wait()
}

// TestStorageRedirect: credentials do not go where an answer says.
func TestStorageRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL.Path) }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/elsewhere", http.StatusTemporaryRedirect))
	defer server.Close()
	s3test.SetAWS(t, "ours", knownSecret)
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "DefaultEndpointsProtocol=http;AccountName=acme;AccountKey=AAAA;BlobEndpoint="+server.URL+"/acme")
	for _, source := range []string{"s3://bucket/a.csv?use_path_style=true&endpoint=" + server.URL, "gs://bucket/a.csv", "azblob://bucket/a.csv"} {
		if _, err := (Place{Source: source}).Find(t.Context()); err == nil || !strings.Contains(err.Error(), "it answers 307") {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// listen serves each connection to the address that it returns, and closes it then.
func listen(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// cuttingProxy breaks so many connections when they have answered so many bytes.
func cuttingProxy(t *testing.T, to string, size int64, cuts int32) (address string, left *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	left = new(atomic.Int32)
	left.Store(cuts)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer server.Close()
				go io.Copy(server, client)
				if n, _ := io.CopyN(client, server, size); n < size {
					return
				}
				if left.Add(-1) >= 0 {
					return
				}
				left.Add(1)
				io.Copy(client, server)
			}()
		}
	}()
	return listener.Addr().String(), left
}
