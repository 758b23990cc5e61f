package notify

import (
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"

	"gleapsync/sync"
)

// Options are a notifier's settings. The zero value tells nobody anything.
type Options struct {
	Webhook    URL         // takes messages; "": none
	Slack      bool        // messages in Slack's form
	SizeChange *sync.Limit // of an audience's members that is no news yet; nil: none is news
	MinChange  int         // a change of fewer members is never news
	Ping       URL         // of a dead-man's switch; "": none
}

// URL is an address that is a secret, as those of webhooks are. It prints as REDACTED.
type URL string

const redacted = "REDACTED"

// String hides the address.
func (URL) String() string { return redacted }

// GoString hides the address.
func (URL) GoString() string { return redacted }

// LogValue hides the address.
func (URL) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the address.
func (URL) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// ParseURL takes an address that is https, or http to this machine or to a name that only
// a private network knows: one without a dot, or that ends in .svc or .local as names in
// a Kubernetes cluster do. The error does not show it.
func ParseURL(text string) (URL, error) {
	text = strings.TrimSpace(text)
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("it takes an address such as https://example.com/hook")
	case u.Scheme == "http" && !isPrivate(strings.ToLower(u.Hostname())):
		return "", errors.New("it takes https: plain http is for loopback, and for names without a dot or in .svc or .local")
	}
	return URL(text), nil
}

func isPrivate(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".local")
}

// with returns the address with one more element in its path. What is behind the path, such
// as ?create=1, stays behind it.
func (u URL) with(element string) URL {
	parsed, err := url.Parse(string(u))
	if err != nil {
		return u // ParseURL would not have taken it
	}
	return URL(parsed.JoinPath(element).String())
}
