package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	configFile  = "gleapsync.toml"
	stateFile   = "gleapsync.db"
	concurrency = 16
)

// gleapsync is the program itself.
func gleapsync(binary, url string) contender {
	return contender{
		name:      "gleapsync",
		configure: func(w *workload, dir string) error { return w.configure(dir, url, 0) },
		first: func(w *workload, dir string) *exec.Cmd {
			return command(dir, binary, firstDay, "plan", "--output", "json")
		},
		keep: func(w *workload, dir string) *exec.Cmd {
			return command(dir, binary, firstDay, "baseline")
		},
		plan: func(w *workload, dir string) *exec.Cmd {
			return command(dir, binary, secondDay, "plan", "--output", "json")
		},
	}
}

// command runs gleapsync on a day's exports.
func command(dir, binary, day string, args ...string) *exec.Cmd {
	cmd := inFolder(dir, binary, args...)
	cmd.Env = append(os.Environ(), "DAY="+day, "GLEAP_API_TOKEN=bench", "GLEAPSYNC_CONFIG="+configFile)
	return cmd
}

// configure writes gleapsync's configuration; a rate of 0 is no limit.
func (w *workload) configure(dir, url string, rate int) error {
	var b strings.Builder
	fmt.Fprintf(&b, `project = "bench"
[gleap]
base_url = %q
api_token_env = "GLEAP_API_TOKEN"
rate = %d
concurrency = %d
[state]
path = %q
[sync]
memory = "256MiB"
`, url, rate, concurrency, stateFile)
	if w.shares == nil {
		form := "csv"
		if w.parquet {
			form = "parquet"
		}
		b.WriteString("[[table]]\nsource = \"${DAY}/table." + form + "\"\n" + w.columns())
	} else {
		audiences, _ := w.attributes()
		for _, key := range audiences {
			fmt.Fprintf(&b, "[[audience]]\nname = %q\nsource = \"${DAY}/%[1]s.csv\"\n", key)
		}
	}
	return os.WriteFile(filepath.Join(dir, configFile), []byte(b.String()), 0o600)
}

// columns are the settings that name a table's columns.
func (w *workload) columns() string {
	audiences, traits := w.attributes()
	text := fmt.Sprintf("audiences = %q\ntraits = %q\n", audiences, traits)
	if w.stamped {
		text += "exclude = [\"changed_on\"]\n"
	}
	return strings.ReplaceAll(text, `" "`, `", "`)
}

// report is the part of gleapsync's report that is looked at here.
type report struct {
	Outcome string
	Exports []struct {
		Entered, Exited, Changed int
	}
	Contacts struct{ Planned, Sent int }
	Calls    struct{ Identify int }
}

func readReport(path string) (r report, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}

// values returns how many values the report says are to change.
func (r *report) values() (n int) {
	for _, e := range r.Exports {
		n += e.Entered + e.Exited + e.Changed
	}
	return n
}
