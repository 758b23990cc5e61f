package notify

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for text, ok := range map[string]bool{
		"https://hooks.slack.com/services/secret":           true,
		" https://hc-ping.com/secret\n":                     true,
		"HTTPS://example.com/secret?a=b":                    true,
		"http://127.0.0.1:8080/secret":                      true,
		"http://[::1]/secret":                               true,
		"http://localhost/secret":                           true,
		"http://alerts:9000/secret":                         true,
		"http://alerts.monitoring.svc/secret":               true,
		"http://alerts.monitoring.svc.cluster.local/secret": true,
		"http://Printer.Local/secret":                       true,
		"http://example.com/secret":                         false,
		"http://svc.example.com/secret":                     false,
		"http://example.notlocal/secret":                    false,
		"http://10.0.0.1/secret":                            false,
		"http://[2001:db8::1]/secret":                       false,
		"http://[::ffff:8.8.8.8]/secret":                    false,
		"ftp://alerts/secret":                               false,
		"alerts/secret":                                     false,
		"https:///secret":                                   false,
		"https://secret\x00":                                false,
		"":                                                  false,
	} {
		u, err := ParseURL(text)
		if (err == nil) != ok || ok && string(u) != strings.TrimSpace(text) {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the address: %v", err)
		}
	}
}

func TestURLWith(t *testing.T) {
	for text, want := range map[string]string{
		"https://hc-ping.com/uuid":              "https://hc-ping.com/uuid/fail",
		"https://hc-ping.com/uuid/":             "https://hc-ping.com/uuid/fail",
		"https://hc-ping.com/key/slug?create=1": "https://hc-ping.com/key/slug/fail?create=1",
		"https://example.com":                   "https://example.com/fail",
		"https://example.com/a%2Fb":             "https://example.com/a%2Fb/fail",
	} {
		if got := URL(text).with("fail"); string(got) != want {
			t.Errorf("%s: %s, want %s", text, string(got), want)
		}
	}
}

func TestURLIsNeverPrinted(t *testing.T) {
	o := Options{Webhook: "https://example.com/secret", Ping: "https://example.com/secret"}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "url", o.Webhook, "options", o)
	text, err := json.Marshal(o)
	all := fmt.Sprintf("%v %+v %#v %s %q %s %s", o, o, o, o.Webhook, o.Ping, logged.String(), text)
	if err != nil || strings.Contains(all, "secret") || !strings.Contains(all, "REDACTED") {
		t.Errorf("%s, %v", all, err)
	}
}
