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
	targets, contenders, sent strings.Builder
	perRow                    map[string]float64 // seconds of gleapsync's plan, by workload
}

// below adds a target that a figure stays below a goal.
func (f *figures) below(what string, g goal, figure float64) {
	limit := fmt.Sprintf("≤ %.2f", g.limit)
	if g.aim > 0 {
		limit += fmt.Sprintf(", aim %.2f", g.aim)
	}
	f.target(what, limit, fmt.Sprintf("%.2f", figure), figure <= g.limit)
}

// memory adds the target that all have for their memory.
func (f *figures) memory(what string, anonymous int64) {
	f.target(what+": peak anonymous memory", "≤ 384 MiB", mib(anonymous), anonymous <= 384<<20)
}

// took adds what one contender took.
func (f *figures) took(what, who string, u usage, ratio string) {
	fmt.Fprintf(&f.contenders, "| %s | %s | %s | %s | %s | %s | %s |\n", what, who, seconds(u.wall), seconds(u.cpu), mib(u.anonymous), mib(u.read), ratio)
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
		what := fmt.Sprintf("plan, %s: %s rows, %s contacts changed", w.name, thousands(rows), thousands(truth.contacts))
		f.took(what, c.name, medianUsage(all[i]), fmt.Sprintf("%.2f", ratio(all[0], all[i])))
	}
	what := "plan, " + w.name
	if w.duckDB.limit > 0 {
		f.below(what+": wall time / DuckDB's", w.duckDB, ratio(all[0], all[1]))
	}
	if w.shell.limit > 0 {
		f.below(what+": wall time / that of sort and comm", w.shell, ratio(all[0], all[2]))
	}
	ours := medianUsage(all[0])
	f.memory(what, ours.anonymous)
	if f.perRow == nil {
		f.perRow = map[string]float64{}
	}
	f.perRow[w.name] = ours.wall.Seconds() / float64(rows)
	if small := f.perRow[w.smaller]; small > 0 {
		f.below(what+": time per row / that of "+w.smaller, w.perRow, f.perRow[w.name]/small)
	}
}

// addReaders adds what decoding all columns takes.
func (f *figures) addReaders(w *workload, all [][]usage) {
	for i, r := range readers {
		f.took("decoding all columns, "+w.name, r.name, medianUsage(all[i]), fmt.Sprintf("%.2f", ratio(all[0], all[i])))
	}
}

// addFirst adds what it takes to read a wide table for the first time.
func (f *figures) addFirst(w *workload, contenders []contender, all [][]usage) {
	what := "first reading, " + w.name
	for i, c := range contenders {
		f.took(what, c.name, medianUsage(all[i]), fmt.Sprintf("%.2f", ratio(all[0], all[i])))
	}
	f.below(what+": wall time / DuckDB's load", w.first, ratio(all[0], all[1]))
	f.memory(what, medianUsage(all[0]).anonymous)
}

// addBaseline adds what it took to read the first day's exports and keep them.
func (f *figures) addBaseline(w *workload, u usage) {
	if w.shares != nil {
		return
	}
	f.took("baseline, "+w.name, "gleapsync", u, "")
	f.memory("baseline, "+w.name, u.anonymous)
}

// addLists adds how long the lists of rows are.
func (f *figures) addLists(w *workload, when string, bytes int64, rows int) {
	perRow := float64(bytes) / float64(rows)
	f.target("list of rows, "+w.name+", "+when+": on disk, per row", "≤ 40 bytes", fmt.Sprintf("%.1f bytes", perRow), 0 < perRow && perRow <= 40)
}

func (f *figures) addUnchanged(w *workload, same, rewritten, plans []usage) {
	u := medianUsage(same)
	f.target("nothing changed, "+w.name+": wall time", "≤ 0.1 s", seconds(u.wall), u.wall <= 100*time.Millisecond)
	f.target("nothing changed, "+w.name+": bytes read", "no export", mib(u.read), u.read < 1<<20)
	f.took("written again, nothing changed, "+w.name, "gleapsync", medianUsage(rewritten), "")
	f.below("written again, nothing changed, no call, "+w.name+": wall time / the plan's", goal{limit: 0.9}, ratio(rewritten, plans))
	f.memory("written again, nothing changed, "+w.name, medianUsage(rewritten).anonymous)
}

// addPostgres adds what it takes to plan a table of a database, beside psql.
func (f *figures) addPostgres(w *workload, ours, theirs []usage) {
	what := "plan, " + w.name
	f.took(what, "gleapsync", medianUsage(ours), "1.00")
	f.took(what, "psql, COPY", medianUsage(theirs), fmt.Sprintf("%.2f", ratio(ours, theirs)))
	share := ratio(theirs, ours)
	f.target(what+": wall time of psql's COPY / ours", "≥ 0.70, aim 0.90", fmt.Sprintf("%.2f", share), share >= 0.7)
	f.memory(what, medianUsage(ours).anonymous)
}

// addSent adds what a run of a sender took.
func (f *figures) addSent(sender, run string, s *server, u usage, kept int64) {
	fmt.Fprintf(&f.sent, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", sender, run, thousands(s.calls), thousands(s.nothing), seconds(u.wall), seconds(u.cpu), mib(u.anonymous), mib(kept))
}

// startUps are the limits of what a command takes that has next to nothing to do.
var startUps = map[string]time.Duration{"--version": 25 * time.Millisecond, "inspect": 15 * time.Millisecond, "plan": 15 * time.Millisecond}

func (f *figures) addStartUp(command string, all []usage) {
	u, limit := medianUsage(all), startUps[command]
	f.target("start-up, `gleapsync "+command+"`", fmt.Sprintf("≤ %d ms", limit.Milliseconds()), fmt.Sprintf("%.1f ms", float64(u.wall.Microseconds())/1000), u.wall <= limit)
}

func (f *figures) addBinary(size int64) {
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
		what := fmt.Sprintf("push, plan included: %s calls, %s a second", thousands(all[0].calls), thousands(int(rate(all))))
		f.took(what, name, medianUsage(usages(all)), "")
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
	if f.contenders.Len() > 0 {
		b.WriteString("\n| What | Contender | Wall time | CPU time | Peak anonymous memory | Read | gleapsync's wall time / its |\n|---|---|---|---|---|---|---|\n" + f.contenders.String())
	}
	if f.sent.Len() > 0 {
		b.WriteString("\n| Sender | Run | Calls | of which said nothing new | Wall time | CPU time | Peak anonymous memory | Kept on disk |\n|---|---|---|---|---|---|---|---|\n" + f.sent.String())
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
