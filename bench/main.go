// Command bench measures gleapsync against what a user would pick instead, on exports
// that it makes itself, and writes the figures into docs/performance.md:
//
//	go run -C bench .
//
// It needs Linux, GNU sort and comm, awk, 40 GB of disk in the folder for temporary files, and a
// C++ compiler; PostgreSQL and Python, where they are, for some of the contenders. It takes about 15
// minutes with -rounds 1, and three quarters of an hour with the 3 rounds that it makes if nothing is said.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run of the bench.
type bench struct {
	dir    string // for exports, states and results
	binary string // gleapsync
	self   string // this program
	server *server
	rounds int
	scale  float64
	figures
}

func run(args []string) error {
	if len(args) > 0 && slices.Contains([]string{"duckdb", "reader", "client"}, args[0]) {
		return runContender(args[0], args[1:])
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	rounds := flags.Int("rounds", 3, "how often each contender runs")
	scale := flags.Float64("scale", 1, "share of the contacts to measure with")
	only := flags.String("run", "", "a regular expression: measure only what it matches, and leave the document alone")
	dir := flags.String("dir", "", "where to make the folder for exports and states; where temporary files go if left out")
	keep := flags.Bool("keep", false, "leave that folder there, to look at one workload with -run")
	document := flags.String("write", "../docs/performance.md", "document to write the figures into")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	b := &bench{rounds: *rounds, scale: *scale}
	if b.dir, err = os.MkdirTemp(*dir, "gleapsync-bench-"); err != nil {
		return err
	}
	if *keep {
		fmt.Fprintf(os.Stderr, "bench: all is in %s\n", b.dir)
	} else {
		defer os.RemoveAll(b.dir)
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.server, err = newServer(); err != nil {
		return err
	}
	b.binary = filepath.Join(b.dir, "gleapsync")
	build := inFolder("..", "go", "build", "-trimpath", "-o", b.binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", build, err, text)
	}
	for _, m := range b.measurements() {
		if !chosen.MatchString(m.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s\n", m.name)
		folder := filepath.Join(b.dir, strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return r
			}
			return '_'
		}, m.name))
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		if err := m.run(folder); err != nil {
			fmt.Print(b.markdown()) // what was measured took long
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if !*keep {
			if err := os.RemoveAll(folder); err != nil {
				return err
			}
		}
	}
	text := b.markdown()
	fmt.Print(text)
	if *only != "" || *scale != 1 {
		return nil
	}
	return replaceFigures(*document, text)
}

// runContender is what this program does when it is started as one of the contenders.
func runContender(name string, args []string) error {
	switch name {
	case "duckdb":
		return runDuckDB(args[0])
	case "reader":
		return runReader(args[0], args[1])
	}
	numbers := make([]int, 3)
	for i := range numbers {
		n, err := strconv.Atoi(args[i+1])
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	return callBare(args[0], numbers[0], numbers[1], numbers[2])
}

// measurement is a part of the bench; it gets a folder of its own.
type measurement struct {
	name string
	run  func(dir string) error
}

func (b *bench) measurements() []measurement {
	all := []measurement{{"start-up", b.startUp}}
	sets := goal{.50, .33} // of DuckDB's time, and below it that of sort and comm
	sorted := goal{.40, .33}
	for _, w := range []workload{
		{name: "2 M contacts", contacts: 2e6, shares: tenAudiences, duckDB: sets, shell: sorted},
		{name: "2 M contacts, shuffled", contacts: 2e6, shares: tenAudiences, shuffled: true, duckDB: sets, shell: sorted},
		{name: "100 audiences of 20,000", contacts: 2e6, shares: equalAudiences(100, .01), shuffled: true, duckDB: sets, shell: sorted},
		{name: "one table of 20 columns", contacts: 2e6, wide: [2]int{12, 8}, shuffled: true, duckDB: goal{.33, .15}, shell: goal{.33, .15}},
		{name: "one table of 150 columns", contacts: 1e6, wide: [2]int{100, 50}, shuffled: true, duckDB: goal{.15, .05}, first: goal{.50, .35}},
		{name: "one Parquet table of 150 columns", contacts: 1e6, wide: [2]int{100, 50}, parquet: true, shuffled: true, duckDB: goal{.50, .25}, first: goal{1.5, 1.0}},
		{name: "10 M rows of 150 columns", contacts: 10e6, wide: [2]int{100, 50}, shuffled: true, alone: true, perRow: goal{1.1, 1}, smaller: "one table of 150 columns"},
		{name: "10 M contacts", contacts: 10e6, shares: tenAudiences, duckDB: sets, shell: sorted, perRow: goal{1.25, 1}, smaller: "2 M contacts"},
		{name: "10 M contacts, shuffled", contacts: 10e6, shares: tenAudiences, shuffled: true, duckDB: sets, shell: sorted, perRow: goal{1.25, 1}, smaller: "2 M contacts, shuffled"},
	} {
		w.contacts = int(float64(w.contacts) * b.scale)
		all = append(all, measurement{"plan: " + w.name, func(dir string) error { return b.plan(&w, dir) }})
	}
	return append(all, measurement{"PostgreSQL", b.postgres}, measurement{"senders", b.senders}, measurement{"push", b.push}, measurement{"pacing", b.pacing})
}

// plan measures how long the contenders take for a workload's plan.
func (b *bench) plan(w *workload, dir string) error {
	written := []string{firstDay, secondDay}
	contenders := []contender{gleapsync(b.binary, b.server.url), duckDB(b.self), sortAndComm}
	switch {
	case w.alone:
		written, contenders = written[:1], contenders[:1]
	case w.parquet: // the shell has nothing that reads it
		contenders = contenders[:2]
	}
	rows, truth, err := w.write(dir, written...)
	if err != nil {
		return err
	}
	if err := errors.Join(b.readParquet(w, dir), b.firstReading(w, dir, rows, contenders)); err != nil {
		return err
	}
	if w.alone {
		if err := os.RemoveAll(filepath.Join(dir, firstDay)); err != nil {
			return err
		}
		if _, _, err := w.write(dir, secondDay); err != nil {
			return err
		}
	}
	all := make([][]usage, len(contenders))
	for range b.rounds {
		for i, c := range contenders {
			output := filepath.Join(dir, "output")
			u, err := measure(output, c.plan(w, dir))
			if err != nil {
				return err
			}
			all[i] = append(all[i], u)
			if i == 0 {
				err = checkReport(output, truth)
			} else {
				err = checkChanges(filepath.Join(dir, result), truth)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	b.addPlan(w, rows, truth, contenders, all)
	if w.alone {
		return nil
	}
	return b.deliver(w, dir, rows, truth, all[0])
}

// firstReading takes the first day's exports as known, and measures where it is a target what it
// takes to read them.
func (b *bench) firstReading(w *workload, dir string, rows int, contenders []contender) error {
	all := make([][]usage, len(contenders))
	for _, c := range contenders {
		if c.configure == nil {
			continue
		}
		if err := c.configure(w, dir); err != nil {
			return err
		}
	}
	rounds := 1
	if w.first.limit > 0 {
		rounds = b.rounds
	}
	for range rounds {
		for i, c := range contenders {
			if w.alone {
				continue
			}
			u, err := measure(filepath.Join(dir, "output"), c.first(w, dir))
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			all[i] = append(all[i], u)
		}
	}
	if w.first.limit > 0 {
		b.addFirst(w, contenders, all)
	}
	for _, c := range contenders {
		if c.keep == nil {
			continue
		}
		u, err := measure(filepath.Join(dir, "output"), c.keep(w, dir))
		if err != nil {
			return err
		}
		b.addBaseline(w, u)
	}
	return b.lists(w, dir, "after a first delivery", rows)
}

// lists measures the lists of rows beside the state.
func (b *bench) lists(w *workload, dir, when string, rows int) error {
	bytes, err := sizeOf(filepath.Join(dir, stateFile+".rows-*"))
	if err != nil {
		return err
	}
	b.addLists(w, when, bytes, rows)
	return nil
}

// sizeOf returns what the files of a pattern hold together.
func sizeOf(pattern string) (bytes int64, err error) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return 0, err
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		bytes += info.Size()
	}
	return bytes, nil
}

// checkReport compares the numbers in gleapsync's plan with what changed.
func checkReport(path string, truth changes) error {
	r, err := readReport(path)
	if err == nil && (r.Contacts.Planned != truth.contacts || r.values() != truth.values) {
		err = fmt.Errorf("planned %d values of %d contacts, there are %d of %d", r.values(), r.Contacts.Planned, truth.values, truth.contacts)
	}
	return err
}

func checkChanges(path string, truth changes) error {
	found, err := readChanges(path)
	return errors.Join(err, found.compare(truth))
}

func (c changes) compare(truth changes) error {
	if c != truth {
		return fmt.Errorf("found %d values of %d contacts, with the sum %x; there are %d of %d, %x",
			c.values, c.contacts, c.sum, truth.values, truth.contacts, truth.sum)
	}
	return nil
}

// deliver sends the changes, looks at each of them, and measures the runs after that, in
// which nothing changed.
func (b *bench) deliver(w *workload, dir string, rows int, truth changes, plans []usage) error {
	output := filepath.Join(dir, "output")
	sync := command(dir, b.binary, secondDay, "sync", "--output", "json")
	b.server.reset(true)
	if _, err := measure(output, sync); err != nil {
		return err
	}
	if err := errors.Join(b.server.err, b.server.seen.compare(truth)); err != nil {
		return err
	}
	if err := b.lists(w, dir, "after a second one", rows); err != nil {
		return err
	}
	if b.scale == 1 && w.name != "2 M contacts" && w.first.limit == 0 {
		return nil
	}
	again := func(touch bool) ([]usage, error) {
		var all []usage
		for range b.rounds {
			if touch {
				if err := touchExports(dir); err != nil {
					return nil, err
				}
			}
			b.server.reset(false)
			u, err := measure(output, command(dir, b.binary, secondDay, "sync", "--output", "json"))
			if err != nil {
				return nil, err
			}
			if b.server.calls > 0 {
				return nil, fmt.Errorf("%d calls though nothing changed", b.server.calls)
			}
			all = append(all, u)
		}
		return all, nil
	}
	same, err := again(false)
	if err != nil {
		return err
	}
	rewritten, err := again(true)
	if err != nil {
		return err
	}
	b.addUnchanged(w, same, rewritten, plans)
	return nil
}

// touchExports makes the second day's exports look as if they were written again.
func touchExports(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, secondDay, "*"))
	if err != nil {
		return err
	}
	now := time.Now()
	for _, path := range files {
		if err := os.Chtimes(path, now, now); err != nil {
			return err
		}
	}
	return nil
}

// startUp measures the program where it has next to nothing to do, and its size.
func (b *bench) startUp(dir string) error {
	w := &workload{contacts: 10, wide: [2]int{1, 0}}
	if _, _, err := w.write(dir, firstDay); err != nil {
		return err
	}
	if err := w.configure(dir, b.server.url, 0); err != nil {
		return err
	}
	if err := runQuietly(command(dir, b.binary, firstDay, "baseline")); err != nil {
		return err
	}
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"--version"}, {"inspect"}, {"plan"}} {
		var all []usage
		for range 50 {
			u, err := measure(filepath.Join(dir, "output"), command(dir, b.binary, firstDay, args...))
			if err != nil {
				return err
			}
			all = append(all, u)
		}
		b.addStartUp(args[0], all)
	}
	b.addBinary(info.Size())
	return nil
}
