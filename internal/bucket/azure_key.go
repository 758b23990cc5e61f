//go:build !nocloud

package bucket

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// sharedKey signs requests to Azure's storage with the key of an account. Source: Azure,
// "Authorize with Shared Key".
type sharedKey struct {
	account string
	key     []byte
}

func (k sharedKey) authorize(_ context.Context, r *http.Request) error {
	mac := hmac.New(sha256.New, k.key)
	mac.Write([]byte(k.text(r)))
	r.Header.Set("Authorization", "SharedKey "+k.account+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

// text returns what is signed of a request.
func (k sharedKey) text(r *http.Request) string {
	lines := []string{r.Method}
	for _, name := range []string{
		"Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type", "Date",
		"If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range",
	} {
		value := r.Header.Get(name)
		if name == "Content-Length" && r.ContentLength > 0 { // net/http writes it
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		lines = append(lines, value)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-ms-") {
			lines = append(lines, lower+":"+strings.TrimSpace(r.Header.Get(name)))
		}
	}
	lines = append(lines, "/"+k.account+r.URL.EscapedPath())
	query := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := slices.Sorted(slices.Values(query[name]))
		lines = append(lines, strings.ToLower(name)+":"+strings.Join(values, ","))
	}
	return strings.Join(lines, "\n")
}
