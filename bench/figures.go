package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

const (
	pacingRate   = 1000
	pacingWindow = time.Minute
	pacingTime   = 3 * time.Minute
)

// figures is what was measured, as rows of Markdown tables.
type figures struct {
	plans, pushes, targets strings.Builder
	perRow                 map[string]time.Duration // of gleapsync's plan, by workload
}

// target adds a row to the table of targets.
func (f *figures) target(what, limit, figure string, met bool) {
	verdict := "met"
	if !met {
		verdict = "**missed**"
	}
	fmt.Fprintf(&f.targets, "| %s | %s | %s | %s |\n", what, limit, figure, verdict)
}

func medianUsage(all []usage) usage {
	return usage{
		wall:      median(all, func(u usage) time.Duration { return u.wall }, cmp.Compare),
		cpu:       median(all, func(u usage) time.Duration { return u.cpu }, cmp.Compare),
		anonymous: median(all, func(u usage) int64 { return u.anonymous }, cmp.Compare),
		read:      median(all, func(u usage) int64 { return u.read }, cmp.Compare),
		temporary: median(all, func(u usage) int64 { return u.temporary }, cmp.Compare),
	}
}

// ratio returns the median of the ratios of wall times, round by round.
func ratio(ours, theirs []usage) float64 {
	var all []float64
	for i := range ours {
		all = append(all, ours[i].wall.Seconds()/theirs[i].wall.Seconds())
	}
	return median(all, func(r float64) float64 { return r }, cmp.Compare)
}

func (f *figures) addPlan(w *workload, rows int, truth changes, contenders []contender, all [][]usage) {
	for i, c := range contenders {
		u := medianUsage(all[i])
		fmt.Fprintf(&f.plans, "| %s: %s rows, %s contacts changed | %s | %s | %s | %s | %s | %.2f |\n",
			w.name, thousands(rows), thousands(truth.contacts), c.name, seconds(u.wall), seconds(u.cpu), mib(u.anonymous), mib(u.read), ratio(all[0], all[i]))
	}
	ours := medianUsage(all[0])
	f.target("plan, "+w.name+": wall time / DuckDB's", "≤ 0.50, aim 0.33", fmt.Sprintf("%.2f", ratio(all[0], all[1])), ratio(all[0], all[1]) <= 0.5)
	if len(all) > 2 {
		f.target("plan, "+w.name+": wall time / that of sort and comm", "≤ 0.40", fmt.Sprintf("%.2f", ratio(all[0], all[2])), ratio(all[0], all[2]) <= 0.4)
	}
	f.target("plan, "+w.name+": peak anonymous memory", "≤ 384 MiB", mib(ours.anonymous), ours.anonymous <= 384<<20)
	if f.perRow == nil {
		f.perRow = map[string]time.Duration{}
	}
	f.perRow[w.name] = ours.wall / time.Duration(rows/1000)
	small, large := strings.Replace(w.name, "10 M", "2 M", 1), w.name
	if small != large && f.perRow[small] > 0 {
		growth := f.perRow[large].Seconds() / f.perRow[small].Seconds()
		f.target(large+": time per row / that at 2 M", "≤ 1.25", fmt.Sprintf("%.2f", growth), growth <= 1.25)
	}
}

// addFirst adds what it takes to read a wide table for the first time.
func (f *figures) addFirst(w *workload, contenders []contender, all [][]usage) {
	for i, c := range contenders {
		u := medianUsage(all[i])
		fmt.Fprintf(&f.plans, "| %s: first reading | %s | %s | %s | %s | %s | %.2f |\n",
			w.name, c.name, seconds(u.wall), seconds(u.cpu), mib(u.anonymous), mib(u.read), ratio(all[0], all[i]))
	}
	ours, r, limit := medianUsage(all[0]), ratio(all[0], all[1]), 0.5
	if w.parquet {
		limit = 1.5
	}
	f.target("first reading, "+w.name+": wall time / DuckDB's", fmt.Sprintf("≤ %.2f", limit), fmt.Sprintf("%.2f", r), r <= limit)
	f.target("first reading, "+w.name+": peak anonymous memory", "≤ 384 MiB", mib(ours.anonymous), ours.anonymous <= 384<<20)
}

func (f *figures) addUnchanged(w *workload, same, rewritten, plans []usage) {
	u := medianUsage(same)
	f.target("nothing changed, "+w.name+": wall time", "≤ 0.1 s", seconds(u.wall), u.wall <= 100*time.Millisecond)
	f.target("nothing changed, "+w.name+": bytes read", "no export", mib(u.read), u.read < 1<<20)
	r := ratio(rewritten, plans)
	f.target("exports rewritten, nothing changed, no call, "+w.name+": wall time / the plan's", "≤ 1", fmt.Sprintf("%.2f", r), r <= 1)
}

func (f *figures) addStartUp(all []usage, size int64) {
	u := medianUsage(all)
	f.target("start-up (`gleapsync --version`)", "≤ 25 ms", fmt.Sprintf("%.1f ms", float64(u.wall.Microseconds())/1000), u.wall <= 25*time.Millisecond)
	f.target("binary", "≤ 70 MB", fmt.Sprintf("%.1f MB", float64(size)/1e6), size <= 70e6)
}

func (f *figures) addPush(ours, bare []pushed) {
	var ratios []float64
	for i := range ours {
		ratios = append(ratios, ours[i].perSecond/bare[i].perSecond)
	}
	share := median(ratios, func(r float64) float64 { return r }, cmp.Compare)
	rate := func(all []pushed) float64 {
		return median(all, func(p pushed) float64 { return p.perSecond }, cmp.Compare)
	}
	for i, all := range [][]pushed{ours, bare} {
		name := []string{"gleapsync, with commits", "bare net/http client"}[i]
		u := medianUsage(usages(all))
		fmt.Fprintf(&f.pushes, "| %s | %s | %s | %s | %s | %s |\n", name, thousands(all[0].calls), thousands(int(rate(all))),
			seconds(u.wall), seconds(u.cpu), mib(u.anonymous))
	}
	f.target("push with commits / bare client, calls per second", "≥ 0.80", fmt.Sprintf("%.2f", share), share >= 0.8)
	f.target("push with commits, calls per second", "≥ 15,000", thousands(int(rate(ours))), rate(ours) >= 15000)
	u := medianUsage(usages(ours))
	f.target("first sync of 1 M contacts × 10 audiences: peak anonymous memory", "≤ 384 MiB", mib(u.anonymous), u.anonymous <= 384<<20)
	last := ours[len(ours)-1]
	f.target("first sync of 1 M contacts × 10 audiences: calls", "= contacts", thousands(last.calls), true)
	perContact := (u.temporary + last.state) / int64(last.calls)
	f.target("first sync of 1 M contacts × 10 audiences: plan file + state, per contact", "≤ 200 bytes",
		fmt.Sprintf("%d + %d bytes", u.temporary/int64(last.calls), last.state/int64(last.calls)), perContact <= 200)
}

func usages(all []pushed) (u []usage) {
	for _, p := range all {
		u = append(u, p.usage)
	}
	return u
}

func (f *figures) addPacing(stamps []time.Time, first time.Time) {
	used := 0
	for _, t := range stamps {
		if t.Sub(first) < pacingTime {
			used++
		}
	}
	share := float64(used) / float64(pacingRate*int(pacingTime/pacingWindow))
	most := fullest(stamps, pacingWindow)
	f.target("pacing at 1,000 in 60 s: used over 3 minutes", "≥ 99 %", fmt.Sprintf("%.1f %%", 100*share), share >= 0.99)
	f.target("pacing at 1,000 in 60 s: calls in the fullest window", "≤ 1,000", thousands(most), most <= pacingRate)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// markdown returns all tables.
func (f *figures) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s: %s.\n\n", time.Now().Format(time.DateOnly), machine())
	b.WriteString("| Target | Limit | Figure | |\n|---|---|---|---|\n" + f.targets.String())
	if f.plans.Len() > 0 {
		b.WriteString("\n| Plan | Contender | Wall time | CPU time | Peak anonymous memory | Read | gleapsync's wall time / its |\n|---|---|---|---|---|---|---|\n" + f.plans.String())
	}
	if f.pushes.Len() > 0 {
		b.WriteString("\n| Push | Calls | Calls per second | Wall time, plan included | CPU time | Peak anonymous memory |\n|---|---|---|---|---|---|\n" + f.pushes.String())
	}
	return b.String()
}

// machine describes where and with what was measured.
func machine() string {
	model := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name\t: "); ok {
			model = strings.TrimSpace(name)
			break
		}
	}
	versions := []string{
		fmt.Sprintf("%d cores of %s", runtime.NumCPU(), model),
		fmt.Sprintf("%d GiB of memory", field("/proc/meminfo", "MemTotal:")>>20),
		firstLine("uname", "-sr"), runtime.Version(), firstLine("sort", "--version"), firstLine("awk", "-W", "version"),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if strings.HasPrefix(m.Path, "github.com/duckdb/duckdb-go/") {
				versions = append(versions, "duckdb-go "+m.Version)
			}
		}
	}
	return strings.Join(append(versions, "gleapsync at "+firstLine("git", "describe", "--always", "--dirty")), ", ")
}

func firstLine(name string, args ...string) string {
	text, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return name + " " + err.Error()
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return string(line)
}

const (
	figuresStart = "<!-- figures, written by go run -C bench . -->\n"
	figuresEnd   = "<!-- end of the figures -->\n"
)

// replaceFigures puts text between the two marks of a document.
func replaceFigures(path, text string) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(document), figuresStart)
	_, after, ok2 := strings.Cut(rest, figuresEnd)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the figures", path)
	}
	return os.WriteFile(path, []byte(before+figuresStart+"\n"+text+"\n"+figuresEnd+after), 0o644)
}
