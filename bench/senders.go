package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// sender is a program that sends what changed in a table to the server.
type sender struct {
	name  string
	run   func(day string) *exec.Cmd
	keeps string // the pattern of the files with what it keeps from run to run
}

//go:embed senders.py
var polarsScript []byte

// drtSync is a sync of drt. A REST destination cannot be read back, so drt cannot compare rows with
// what is there: it sends those whose cursor is beyond the last run's.
const drtSync = `name: contacts
model: SELECT user_id AS "userId", * EXCLUDE (user_id) FROM read_csv('${DAY}/table.csv')
destination:
  type: rest_api
  url: %s/admin/identify
  headers: {Api-Token: bench}
sync:
  mode: incremental
  cursor_field: changed_on
  batch_size: 1000
  rate_limit: {requests_per_second: 0}
`

// senders has gleapsync, drt and a script with polars send the same table to the same server: the
// first time, when 1 % of the rows changed, when none did, and after they were killed on the way.
func (b *bench) senders(dir string) error {
	w := &workload{contacts: int(1e5 * b.scale), wide: [2]int{12, 8}, shuffled: true, stamped: true}
	if _, _, err := w.write(dir, firstDay, secondDay); err != nil {
		return err
	}
	if err := w.configure(dir, b.server.url, 0); err != nil {
		return err
	}
	all := []sender{{
		name:  "gleapsync",
		run:   func(day string) *exec.Cmd { return command(dir, b.binary, day, "sync") },
		keeps: stateFile + "*",
	}}
	python, err := findPython()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: without drt and polars: %v\n", err)
	} else {
		files := map[string]string{
			"drt_project.yml":    "name: bench\nversion: '0.1'\nprofile: bench\n",
			".drt/profiles.yml":  "bench:\n  type: duckdb\n  database: ':memory:'\n",
			"syncs/contacts.yml": fmt.Sprintf(drtSync, b.server.url),
			"senders.py":         string(polarsScript),
		}
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
				return err
			}
		}
		all = append(all, sender{
			name: "drt " + drtVersion,
			run: func(day string) *exec.Cmd {
				cmd := inFolder(dir, filepath.Join(filepath.Dir(python), "drt"), "run")
				cmd.Env = append(os.Environ(), "DAY="+day, "HOME="+dir, "DO_NOT_TRACK=1")
				return cmd
			},
			keeps: ".drt/state*",
		}, sender{
			name: "script, polars " + polarsVersion,
			run: func(day string) *exec.Cmd {
				return inFolder(dir, python, "senders.py", b.server.url, day, "known.parquet")
			},
			keeps: "known.parquet*",
		})
	}
	for _, s := range all {
		if err := b.send(w, dir, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// send measures the runs of one sender, and looks after each whether the server knows all.
func (b *bench) send(w *workload, dir string, s sender) error {
	output, kept := filepath.Join(dir, "output"), filepath.Join(dir, s.keeps)
	run := func(name, day string) error {
		u, err := measure(output, s.run(day))
		if err = errors.Join(err, b.server.err, w.checkKnown(b.server.known, day == secondDay)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		bytes, err := sizeOf(kept)
		if err != nil {
			return err
		}
		b.addSent(s.name, name, b.server, u, bytes)
		b.server.reset(false)
		return nil
	}
	b.server.reset(false)
	defer func() { b.server.known = nil }() // what comes behind may send what is no call
	b.server.known = map[string]map[string]string{}
	if err := errors.Join(run("first", firstDay), run("1 % of the rows changed", secondDay), run("nothing changed", secondDay), removeAll(kept)); err != nil {
		return err
	}

	b.server.known = map[string]map[string]string{}
	cmd := s.run(firstDay)
	last := w.contacts / 10
	if err := cmd.Start(); err != nil {
		return err
	}
	b.server.atCall(last, func() { _ = cmd.Process.Kill() })
	if err := cmd.Wait(); err == nil {
		return errors.New("it ended before it was killed")
	}
	b.server.reset(false)
	name := fmt.Sprintf("first, after one that was killed at call %s", thousands(last))
	return errors.Join(run(name, firstDay), removeAll(kept))
}

func removeAll(pattern string) error {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, path := range files {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// checkKnown looks whether all is known of the contacts that a day's table says. Nobody has to be
// told false who was never told true.
func (w *workload) checkKnown(known map[string]map[string]string, second bool) error {
	audiences, traits := w.attributes()
	for i := range w.contacts {
		id := mix(seed + uint64(i))
		changed := w.changedColumn(id)
		contact := known[userID(id)]
		for column, key := range append(audiences, traits...) {
			want := string(w.appendCell(nil, id, column, second && column == changed))
			if got, ok := contact[key]; got != want && (ok || want != "false") {
				return fmt.Errorf("%s of %s is known as %q, it is %q", key, userID(id), got, want)
			}
		}
	}
	return nil
}
