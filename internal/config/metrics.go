package config

import (
	"errors"
	"net/url"
	"strings"
)

// Metrics says where a run leaves its metrics. Without any, it leaves none.
type Metrics struct {
	Pushgateway string // URL
	Textfile    string // path, ending in .prom for node_exporter
	Project     string // label of what is pushed
}

func (l *loader) metrics(project string) Metrics {
	o := Metrics{
		Pushgateway: l.text("metrics.pushgateway", l.f.Metrics.Pushgateway), Textfile: l.file("metrics.textfile", l.f.Metrics.Textfile), Project: project,
	}
	if u, err := url.Parse(o.Pushgateway); o.Pushgateway != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		l.fail("metrics.pushgateway", errors.New("it takes an address such as http://pushgateway:9091"))
	}
	if o.Textfile != "" && !strings.HasSuffix(o.Textfile, ".prom") {
		l.fail("metrics.textfile", errors.New("it takes a name that ends in .prom: node_exporter reads no other"))
	}
	return o
}
