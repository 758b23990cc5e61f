// Command bench measures gleapsync against what a user would pick instead, on exports
// that it makes itself, and writes the figures into docs/performance.md:
//
//	go run -C bench .
//
// It needs Linux, GNU sort and comm, awk, 10 GB of disk in the folder for temporary files,
// a C++ compiler, and about 30 minutes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	if len(args) > 0 && (args[0] == "duckdb" || args[0] == "client") {
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
	if name == "duckdb" {
		return runDuckDB(args[0])
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
	for _, w := range []workload{
		{name: "2 M contacts", contacts: 2e6, shares: tenAudiences},
		{name: "2 M contacts, shuffled", contacts: 2e6, shares: tenAudiences, shuffled: true},
		{name: "100 audiences of 20,000", contacts: 2e6, shares: equalAudiences(100, .01), shuffled: true},
		{name: "one table of 20 columns", contacts: 2e6, wide: [2]int{12, 8}, shuffled: true},
		{name: "one table of 150 columns", contacts: 1e6, wide: [2]int{100, 50}, shuffled: true},
		{name: "one Parquet table of 150 columns", contacts: 1e6, wide: [2]int{100, 50}, parquet: true, shuffled: true},
		{name: "10 M contacts", contacts: 10e6, shares: tenAudiences},
		{name: "10 M contacts, shuffled", contacts: 10e6, shares: tenAudiences, shuffled: true},
	} {
		w.contacts = int(float64(w.contacts) * b.scale)
		all = append(all, measurement{"plan: " + w.name, func(dir string) error { return b.plan(&w, dir) }})
	}
	return append(all, measurement{"push", b.push}, measurement{"pacing", b.pacing})
}

// plan measures how long the contenders take for a workload's plan.
func (b *bench) plan(w *workload, dir string) error {
	rows, truth, err := w.write(dir)
	if err != nil {
		return err
	}
	contenders := []contender{gleapsync(b.binary, b.server.url), duckDB(b.self), sortAndComm}
	if w.parquet { // the shell has nothing that reads it
		contenders = contenders[:2]
	}
	all := make([][]usage, len(contenders))
	if err := b.firstReading(w, dir, contenders); err != nil {
		return err
	}
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
	return b.deliver(w, dir, truth, all[0])
}

// firstReading takes the first day's exports as known, and measures where it is a target what it
// takes to read them.
func (b *bench) firstReading(w *workload, dir string, contenders []contender) error {
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
	if w.isWide() {
		rounds = b.rounds
	}
	for range rounds {
		for i, c := range contenders {
			u, err := measure(filepath.Join(dir, "output"), c.first(w, dir))
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			all[i] = append(all[i], u)
		}
	}
	if w.isWide() {
		b.addFirst(w, contenders, all)
	}
	for _, c := range contenders {
		if c.keep == nil {
			continue
		}
		if err := runQuietly(c.keep(w, dir)); err != nil {
			return err
		}
	}
	return nil
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
func (b *bench) deliver(w *workload, dir string, truth changes, plans []usage) error {
	output := filepath.Join(dir, "output")
	sync := command(dir, b.binary, days[1], "sync", "--output", "json")
	b.server.reset(true)
	if _, err := measure(output, sync); err != nil {
		return err
	}
	if err := errors.Join(b.server.err, b.server.seen.compare(truth)); err != nil {
		return err
	}
	if b.scale == 1 && w.name != "2 M contacts" && !w.isWide() {
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
			u, err := measure(output, command(dir, b.binary, days[1], "sync", "--output", "json"))
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
	files, err := filepath.Glob(filepath.Join(dir, days[1], "*"))
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

// startUp measures the program that does nothing, and its size.
func (b *bench) startUp(dir string) error {
	var all []usage
	for range 20 * b.rounds {
		u, err := measure(filepath.Join(dir, "output"), exec.Command(b.binary, "--version"))
		if err != nil {
			return err
		}
		all = append(all, u)
	}
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	b.addStartUp(all, info.Size())
	return nil
}
