package config

import "gleapsync/internal/notify"

func (l *loader) notify(f *file, minChange int) notify.Options {
	n := &f.Notify
	o := notify.Options{
		Webhook:   l.secretURL("notify.webhook", n.Webhook),
		Slack:     choice(l, "notify.format", n.Format, map[string]bool{"json": false, "slack": true}),
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
func (l *loader) secretURL(key, value string) notify.URL {
	text := l.text(key, value)
	if text == "" {
		return ""
	}
	u, err := notify.ParseURL(text)
	if err != nil {
		l.fail(key, err)
	}
	return u
}
