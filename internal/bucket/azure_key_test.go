//go:build !nocloud

package bucket

import (
	"net/http"
	"testing"
)

// TestSharedKey: the signatures are those that Azure's own client made of the same requests.
func TestSharedKey(t *testing.T) {
	for address, test := range map[string]struct {
		header map[string]string
		want   string
	}{
		"http://127.0.0.1/acme/exports?comp=list&prefix=day%201%2F%C3%BC%26a&restype=container": {
			nil, "5OI98lxng7ZFPATIWHduVsrG6KXJNjnXpBrE3skxToc=",
		},
		"http://127.0.0.1/acme/exports/day%201%2Fa+b%20%C3%BC.csv": {
			map[string]string{"If-Match": `"0x1"`, "x-ms-range": "bytes=7-"}, "OxqVSKM0lhMPmvySd79Yw4HFD2j2SbtXjFnyfjWcVao=",
		},
	} {
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("x-ms-version", "2026-12-06")
		r.Header.Set("x-ms-date", "Sun, 29 Nov 2026 17:51:05 GMT")
		for name, value := range test.header {
			r.Header.Set(name, value)
		}
		if err := (sharedKey{"acme", []byte("hidden")}).authorize(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := r.Header.Get("Authorization"); got != "SharedKey acme:"+test.want {
			t.Errorf("%s: got %s, want %s", address, got, test.want)
		}
	}
}
