package metrics

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ContentType is that of what [Write] writes: the text format of Prometheus.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Source makes metrics of something.
type Source interface{ collect(samples) }

// Write writes the metrics of this moment.
func Write(w io.Writer, sources ...Source) error {
	s := samples{}
	for _, from := range sources {
		from.collect(s)
	}
	return s.write(w)
}

// metric is what is measured, with the names of its labels. What is called a total is a
// counter, all others are gauges.
type metric struct {
	name, help string
	labels     []string
}

func describe(name, help string, labels ...string) *metric {
	return &metric{"gleapsync_" + name, help, labels}
}

func (m *metric) kind() string {
	if strings.HasSuffix(m.name, "_total") {
		return "counter"
	}
	return "gauge"
}

var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// series is the metric's name with values for its labels.
func (m *metric) series(values []string) string {
	if len(values) == 0 {
		return m.name
	}
	var labels []string
	for i, value := range values {
		labels = append(labels, m.labels[i]+`="`+escaper.Replace(strings.ToValidUTF8(value, "\ufffd"))+`"`)
	}
	return m.name + "{" + strings.Join(labels, ",") + "}"
}

// samples are the values of metrics, by series: each is written once, whatever was set twice.
type samples map[*metric]map[string]sample

type sample struct {
	value  float64
	labels []string
}

func (s samples) set(m *metric, value float64, labels ...string) {
	if s[m] == nil {
		s[m] = map[string]sample{}
	}
	s[m][m.series(labels)] = sample{value, labels}
}

func (s samples) write(w io.Writer) error {
	var out bytes.Buffer
	for _, m := range slices.SortedFunc(maps.Keys(s), func(a, b *metric) int { return strings.Compare(a.name, b.name) }) {
		fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind())
		for _, series := range slices.Sorted(maps.Keys(s[m])) {
			fmt.Fprintf(&out, "%s %s\n", series, strconv.FormatFloat(s[m][series].value, 'g', -1, 64))
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}
