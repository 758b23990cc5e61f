package config

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"gleapsync/internal/exchange"
	"gleapsync/internal/guard"
	"gleapsync/internal/secret"
)

// Notify says who is told about syncs. The zero value tells nobody anything.
type Notify struct {
	Webhook    secret.Text  // the address that takes messages; "": none
	Slack      bool         // messages in Slack's form
	SizeChange *guard.Limit // of an audience's members that is no news yet; nil: none is news
	MinChange  int          // a change of fewer members is never news
	Ping       secret.Text  // the address of a dead-man's switch; "": none
}

func (l *loader) notify(minChange int) Notify {
	n := &l.f.Notify
	o := Notify{
		Webhook:   l.secretURL("notify.webhook", n.Webhook),
		Slack:     choice(l.reader, "notify.format", n.Format, map[string]bool{"json": false, "slack": true}),
		MinChange: minChange,
		Ping:      l.secretURL("notify.ping_url", n.PingURL),
	}
	if n.SizeChange != "" {
		limit := l.limit("notify.size_change", n.SizeChange)
		o.SizeChange = &limit
	}
	return o
}

// secretURL returns an address that must not be shown, "" if there is none.
func (r *reader) secretURL(key, value string) secret.Text {
	text := r.text(key, value)
	if text == "" {
		return ""
	}
	text = strings.TrimSpace(text)
	if err := checkSecretURL(text); err != nil {
		r.fail(key, err)
	}
	return secret.Text(text)
}

// checkSecretURL takes an address that is https, or http to where nobody listens in. The
// error does not show it.
func checkSecretURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("it takes an address such as https://example.com/hook")
	case u.Scheme == "http" && !mayBePlain(strings.ToLower(u.Hostname())):
		return errors.New("it takes https: plain http is for loopback, and for names without a dot or in .svc or .local")
	}
	return nil
}

// mayBePlain reports whether a host may be told secrets without encryption: it is this
// machine, or one with a name that only a private network knows.
func mayBePlain(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return exchange.IsPrivateName(host)
}
