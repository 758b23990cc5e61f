package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestSecretURL(t *testing.T) {
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
		" ":                                                 false,
	} {
		r := &reader{}
		u := r.secretURL("notify.webhook", text)
		err := errors.Join(r.errs...)
		if (err == nil) != ok || ok && string(u) != strings.TrimSpace(text) {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the address: %v", err)
		}
	}
}

func TestAddressesAreNeverPrinted(t *testing.T) {
	n := Notify{Webhook: "https://example.com/secret", Ping: "https://example.com/secret"}
	text, err := json.Marshal(n)
	all := fmt.Sprintf("%v %+v %#v %s", n, n, n, text)
	if err != nil || strings.Contains(all, "secret") || strings.Count(all, "REDACTED") != 8 {
		t.Errorf("%s, %v", all, err)
	}
}
