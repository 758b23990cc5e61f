package app

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/console"
	"gleapsync/internal/runs"
)

// results is where a command shows what came out, and in which form.
type results struct {
	flags flags
	out   io.Writer
	bar   *console.Bar   // nil: no terminal
	zone  *time.Location // of times that a person reads
}

// Close ends the progress bar.
func (r *results) Close() {
	if r.bar != nil {
		r.bar.Close()
	}
}

// watch draws a run's progress where there is a terminal.
func (r *results) watch() func(runs.Progress) {
	if r.bar == nil {
		return nil
	}
	return r.bar.Show
}

func (r *results) asJSON() bool { return r.flags.Output == "json" }

// screen returns where results go as text, with w in front.
func (r *results) screen(w io.Writer) console.Out {
	o := console.Out{Writer: w, Zone: r.zone}
	if r.flags.Config != defaultConfig && r.flags.Config != os.Getenv("GLEAPSYNC_CONFIG") {
		o.Config = r.flags.Config
	}
	if f, ok := r.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		columns, _, _ := term.GetSize(int(f.Fd()))
		o.Width = cmp.Or(columns, 80) // 0: not known
	}
	return o
}

// showsBoth reports whether the log and a result as text go to a terminal, where one of them is
// enough.
func (r *results) showsBoth() bool { return r.bar != nil && !r.asJSON() && r.screen(nil).Width > 0 }

// print writes a result in the form that was asked for.
func (r *results) print(result any, asText func(io.Writer)) error {
	r.Close()
	if !r.asJSON() {
		var text bytes.Buffer
		asText(&text)
		_, err := r.out.Write(text.Bytes())
		return err
	}
	encoder := json.NewEncoder(r.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(result)
}

// printRun shows a run's report, if the run began, and returns its error.
func (r *results) printRun(report runs.Report, shown console.Shown, embedded *sandbox.Sandbox, err error) error {
	if report.Run == "" {
		return err
	}
	result := struct {
		runs.Report
		Sandbox *sandbox.Counts `json:"sandbox,omitempty"`
	}{Report: report}
	if embedded != nil {
		counts := embedded.Counts()
		result.Sandbox = &counts
	}
	return errors.Join(err, r.print(result, func(w io.Writer) {
		console.Sync(r.screen(w), report, shown)
		if embedded != nil {
			console.Sandbox(w, embedded)
		}
	}))
}
