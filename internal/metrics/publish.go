package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"gleapsync/internal/config"
	"gleapsync/internal/exchange"
)

// pushTimeout bounds what a Pushgateway that does not answer costs a run.
const pushTimeout = 10 * time.Second

// Publish leaves the collector's metrics where o says, after a run. The time of the last
// success stays there if the collector has none, since its state cannot be read. The file
// can be read by everybody, as node_exporter is another user.
func Publish(ctx context.Context, o config.Metrics, c *Collector) error {
	var errs []error
	if o.Textfile != "" {
		if err := writeTextfile(o.Textfile, c); err != nil {
			errs = append(errs, fmt.Errorf("write metrics.textfile: %w", err))
		}
	}
	if o.Pushgateway != "" {
		ctx, cancel := context.WithTimeout(ctx, pushTimeout)
		defer cancel()
		// What is added, unlike what is pushed, leaves other names as they are there.
		err := push.New(o.Pushgateway, "gleapsync").Grouping("project", o.Project).Collector(c).Client(pushClient{}).AddContext(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("push to metrics.pushgateway: %w", err))
		}
	}
	return errors.Join(errs...)
}

// pushClient makes the requests. Its errors do not show the address, which may hold a
// password, nor anything of an answer.
type pushClient struct{}

func (pushClient) Do(r *http.Request) (*http.Response, error) {
	client := http.Client{
		Transport: exchange.Answers(http.DefaultTransport),
		// A redirect would turn the POST into a GET, and nothing would arrive.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, errors.New(exchange.Why(err))
	}
	answer.Body.Close() // what it says does not matter
	if answer.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("the answer has the status %d", answer.StatusCode)
	}
	answer.StatusCode = http.StatusOK // of another one the caller shows the address
	return answer, nil
}

func writeTextfile(path string, c *Collector) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	return prometheus.WriteToTextfile(path, prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := registry.Gather()
		if err != nil {
			return nil, err
		}
		return keepLastSuccess(families, path), nil
	}))
}

const lastSuccessName = "gleapsync_last_success_timestamp_seconds"

// isAhead reports whether a time is one of a clock that was wrong: an alert on its age would
// be quiet until then.
func isAhead(f *dto.MetricFamily) bool {
	return slices.ContainsFunc(f.GetMetric(), func(m *dto.Metric) bool { return m.GetGauge().GetValue() > unix(time.Now().Add(time.Hour)) })
}

// keepLastSuccess adds the last success of the file at path to metrics that have none.
func keepLastSuccess(families []*dto.MetricFamily, path string) []*dto.MetricFamily {
	for _, f := range families {
		if f.GetName() == lastSuccessName {
			return families
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return families
	}
	defer file.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	before, err := parser.TextToMetricFamilies(file)
	if f := before[lastSuccessName]; err == nil && f != nil && !isAhead(f) {
		return append(families, f)
	}
	return families
}
