package app

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/runs"
)

// brokenRows names rows that were broken as a whole, a few of each source: whoever mends the first
// one only has to run the check again for the next.
func brokenRows(r runs.Report) (texts []string) {
	const most = 3
	told := map[string]bool{} // sources
	for _, e := range r.Exports {
		rows := slices.DeleteFunc(slices.Clone(e.Problems), func(p engage.Problem) bool { return p.Column != "" || p.Line == 0 })
		if len(rows) == 0 || told[e.Source] {
			continue
		}
		told[e.Source] = true
		var named []string
		for _, p := range rows[:min(len(rows), most)] {
			text := fmt.Sprintf("line %d: %s", p.Line, p.Reason)
			if file := cmp.Or(p.File, e.Source); file != e.Source {
				text = file + ", " + text
			}
			named = append(named, text)
		}
		if len(rows) > most {
			named = append(named, "and more, see gleapsync plan")
		}
		texts = append(texts, fmt.Sprintf("%s has rows that cannot be read: %s", e.Source, strings.Join(named, "; ")))
	}
	return texts
}
