package metrics

import (
	"maps"
	"slices"
	"strings"
)

// Metric is what is measured.
type Metric struct {
	Name, Help string
	IsTotal    bool // it only grows; else it goes up and down
	Samples    []Sample
}

// Sample is one value of a metric.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// All returns the metrics of this moment, for those who do not take the text of [Write].
func (c *Collector) All() []Metric {
	s := samples{}
	c.collect(s)
	var all []Metric
	for m, values := range s {
		x := Metric{Name: m.name, Help: m.help, IsTotal: m.kind() == "counter"}
		for _, series := range slices.Sorted(maps.Keys(values)) {
			labels := map[string]string{}
			for i, value := range values[series].labels {
				labels[m.labels[i]] = strings.ToValidUTF8(value, "\ufffd")
			}
			x.Samples = append(x.Samples, Sample{labels, values[series].value})
		}
		all = append(all, x)
	}
	return all
}
