package metrics

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

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
		err := push(ctx, o, c)
		if err != nil {
			errs = append(errs, fmt.Errorf("push to metrics.pushgateway: %w", err))
		}
	}
	return errors.Join(errs...)
}

// push adds the metrics to those of the project at a Pushgateway. Its errors do not show the
// address, which may hold a password, nor anything of an answer.
func push(ctx context.Context, o config.Metrics, c *Collector) error {
	var body bytes.Buffer
	if err := Write(&body, c); err != nil {
		return err
	}
	// A POST, unlike a PUT, leaves other names as they are there.
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, pushURL(o), &body)
	if err != nil {
		return errors.New("its address is no URL")
	}
	r.Header.Set("Content-Type", ContentType)
	client := http.Client{
		Transport: exchange.Answers(http.DefaultTransport),
		// A redirect would turn the POST into a GET, and nothing would arrive.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r)
	if err != nil {
		return errors.New(exchange.Why(err))
	}
	answer.Body.Close() // what it says does not matter
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("the answer has the status %d", answer.StatusCode)
	}
	return nil
}

// pushURL is where a Pushgateway takes the metrics of a project.
func pushURL(o config.Metrics) string {
	base := strings.TrimSuffix(o.Pushgateway, "/")
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	project := "/" + url.QueryEscape(o.Project)
	if strings.Contains(o.Project, "/") { // which would end it
		project = "@base64/" + base64.RawURLEncoding.EncodeToString([]byte(o.Project))
	}
	return base + "/metrics/job/gleapsync/project" + project
}

func writeTextfile(path string, c *Collector) error {
	s := samples{}
	c.collect(s)
	if at := lastSuccessAt(path); s[lastSuccess] == nil && at > 0 {
		s.set(lastSuccess, at)
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)) // node_exporter does not read what goes on behind .prom
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if err := errors.Join(s.write(file), os.Chmod(file.Name(), 0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// lastSuccessAt returns the last success that the file at path tells of, 0 if it tells of none.
// One that is ahead is of a clock that was wrong: an alert on its age would be quiet until then.
func lastSuccessAt(path string) float64 {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, lastSuccess.name+" "); ok {
			at, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err == nil && at <= unix(time.Now().Add(time.Hour)) {
				return at
			}
		}
	}
	return 0
}
