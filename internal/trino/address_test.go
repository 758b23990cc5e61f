package trino

import (
	"strings"
	"testing"
)

func TestCutPassword(t *testing.T) {
	for address, want := range map[string]string{
		"trino://reader@db/lake/engage_default":           "trino://reader@db/lake/engage_default  https://db",
		"trino://reader:se%2Fcret@db:8443/lake":           "trino://reader@db:8443/lake se/cret https://db:8443",
		"trino://db/lake?auth=jwt":                        "trino://db/lake?auth=jwt  https://db",
		"trino://reader@db?tls=off":                       "trino://reader@db?tls=off  http://db:8080",
		"trino://reader:x@127.0.0.1/lake?tls=off":         "trino://reader@127.0.0.1/lake?tls=off x http://127.0.0.1:8080",
		"trino://reader:x@[::1]:81/lake?tls=off&auth=jwt": "trino://reader@[::1]:81/lake?tls=off&auth=jwt x http://[::1]:81",
	} {
		shown, password, err := CutPassword(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		target, err := parse(shown)
		if err != nil {
			t.Errorf("%s: %v", address, err)
		} else if got := shown + " " + string(password) + " " + target.base.String(); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
	for address, want := range map[string]string{
		"trino://u:12/SECRET@db/x": "no address", "trino://u:SECRET/x@db/x": "no address", "trino://u:12#SECRET@db/x": "no address",
		"trino://u:12?SECRET@db/x": "no address", "trino://u:1%zzSECRET@db/x": "no address",
		"trino://u@db/x?password=SECRET": `"password" that is not understood`, "trino://u@db/x?tls=maybe": `"tls"`, "trino://u@db/x?tls=off&tls=off": `"tls"`,
		"trino://db/x": "names no user", "trino://u@/x": "names no host", "trino://u@db/a/b/c": "more parts",
		"trino://u@db/l%0Aake":          "plain ASCII",
		"trino://u:SECRET@db/x?tls=off": "over TLS only",
	} {
		shown, password, err := CutPassword(address)
		if err == nil || strings.Contains(err.Error(), "SECRET") || shown+string(password) != "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q %q: %v", address, shown, string(password), err)
		}
	}
}
