package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"gleapsync/engage"
	"gleapsync/internal/config"
	"gleapsync/internal/guard"
	"gleapsync/internal/runs"
)

// report returns a report of an outcome, with exports that [export] describes.
func report(outcome runs.Outcome, exports ...runs.ExportReport) *runs.Report {
	return &runs.Report{
		Run: "run-2", Project: "acme", Outcome: outcome, Exports: exports, Contacts: runs.ContactCounts{Planned: 1},
	}
}

func audience(key string, status runs.Status, members int) runs.ExportReport {
	e := runs.ExportReport{Key: key, Name: strings.ToUpper(key), Kind: engage.Audience, Source: key + ".csv", Status: status, Members: members}
	if status == runs.StatusHeld {
		e.Reason = key + ".csv does not exist"
	}
	return e
}

func trait(key string, status runs.Status, members int) runs.ExportReport {
	e := audience(key, status, members)
	e.Kind = engage.Trait
	return e
}

// changed is an audience whose members came and went.
func changed(key string, members, entered, exited int) runs.ExportReport {
	e := audience(key, runs.StatusApplied, members)
	e.Entered, e.Exited = entered, exited
	return e
}

func failed(reason string) *runs.Report {
	return &runs.Report{Project: "acme", Outcome: runs.Failed, Error: reason}
}

// TestNews: when something is said, and what.
func TestNews(t *testing.T) {
	const held, applied, unchanged = runs.StatusHeld, runs.StatusApplied, runs.StatusUnchanged
	noPlan := &runs.Report{Project: "acme", Outcome: runs.Partial, Error: "no plan"}
	stuck := report(runs.Partial)
	stuck.Convergence = "does not converge: score alone costs 81 % of the calls"
	for name, test := range map[string]struct {
		before, after *runs.Report
		want          string // text without the project, "" for none
		recovered     bool
	}{
		"first run, complete":    {nil, report(runs.Complete, audience("a", applied, 7000)), "", false},
		"first run, partial":     {nil, report(runs.Partial, audience("a", applied, 7000)), "", false},
		"first run, failed":      {nil, failed("no token"), "the sync failed: no token", false},
		"first run, held":        {nil, report(runs.Held, audience("a", held, 0)), "exports are held\nHeld: a: a.csv does not exist\n`gleapsync check`", false},
		"first run, interrupted": {nil, report(runs.Interrupted), "the sync was interrupted", false},

		"all well":                     {report(runs.Complete), report(runs.Complete), "", false},
		"complete to partial":          {report(runs.Complete), report(runs.Partial), "", false},
		"complete to events left over": {report(runs.Complete), &runs.Report{Project: "acme", Outcome: runs.Partial, Events: runs.EventCounts{Planned: 9}}, "", false},
		"partial to complete":          {report(runs.Partial), report(runs.Complete), "", false},
		"failed":                       {report(runs.Complete), failed("Gleap is unreachable"), "the sync failed: Gleap is unreachable", false},
		"still failed":                 {failed("no token"), failed("Gleap is unreachable"), "", false},
		"works again":                  {failed("no token"), report(runs.Complete), "all is well again", true},
		"works again in part":          {failed("no token"), report(runs.Partial), "all is well again", true},
		"after a signal":               {report(runs.Interrupted), report(runs.Complete), "all is well again", true},
		"no plan in time":              {report(runs.Partial), noPlan, "the sync failed: no plan", false},
		"again no plan":                {noPlan, noPlan, "", false},
		"a plan at last":               {noPlan, report(runs.Partial), "all is well again", true},

		"newly held": {
			report(runs.Held, audience("a", held, 0), audience("b", applied, 9)),
			report(runs.Held, audience("a", held, 0), audience("b", held, 0)),
			"exports are held\nHeld: b: b.csv does not exist\n`gleapsync check`", false,
		},
		"still held":               {report(runs.Held, audience("a", held, 0)), report(runs.Held, audience("a", held, 0)), "", false},
		"still held at a deadline": {report(runs.Held, audience("a", held, 0)), report(runs.Partial, audience("a", held, 0)), "", false},
		"held after it failed": {
			report(runs.Failed, audience("a", held, 0)), report(runs.Held, audience("a", held, 0)),
			"exports are still held", false,
		},
		"one is released": {
			report(runs.Held, audience("a", held, 0), audience("b", held, 0)),
			report(runs.Held, audience("a", held, 0), audience("b", unchanged, 9)),
			"exports are still held\nNo longer held: b", false,
		},
		"all are released": {
			report(runs.Held, trait("a", held, 0)), report(runs.Complete, trait("a", applied, 9)),
			"all is well again\nNo longer held: a", true,
		},
		"a failed plan releases nothing": {report(runs.Held, audience("a", held, 0)), failed("disk full"), "the sync failed: disk full", false},

		"does not converge": {report(runs.Partial), stuck, "the sync is done\nIt does not converge: score alone costs 81 % of the calls", false},
		"still does not":    {stuck, stuck, "", false},
		"converges again":   {stuck, report(runs.Partial), "", false},

		"half more": {report(runs.Complete, audience("a", applied, 100)), report(runs.Complete, audience("a", applied, 150)), "", false},
		"above the limit": {
			report(runs.Complete, audience("a", unchanged, 100)), report(runs.Complete, audience("a", applied, 151)),
			"the sync is done\nSize: a had 100 members and has 151", false,
		},
		"shrunken": {
			report(runs.Partial, audience("a", applied, 100)), report(runs.Partial, audience("a", applied, 49)),
			"the sync is done\nSize: a had 100 members and has 49", false,
		},
		"too few to matter": {report(runs.Complete, audience("a", applied, 3)), report(runs.Complete, audience("a", applied, 12)), "", false},
		"of a trait":        {report(runs.Complete, trait("a", applied, 100)), report(runs.Complete, trait("a", applied, 900)), "", false},
		"not applied": {
			report(runs.Held, audience("a", held, 100)), report(runs.Held, audience("a", held, 900)), "", false,
		},
		"a new audience": {report(runs.Complete, audience("a", applied, 9)), report(runs.Complete, audience("a", unchanged, 9), changed("b", 900, 900, 0)), "", false},
		"what was held is no size": {
			report(runs.Held, audience("a", held, 40)), report(runs.Complete, changed("a", 40, 0, 60)),
			"all is well again\nNo longer held: a\nSize: a had 100 members and has 40", true,
		},
		"nothing known of the last size": {
			failed("disk full"), report(runs.Complete, changed("a", 300, 200, 0)),
			"all is well again\nSize: a had 100 members and has 300", true,
		},
	} {
		limit, err := guard.ParseLimit("50%")
		if err != nil {
			t.Fatal(err)
		}
		m := newMessage(test.before, test.after, config.Notify{SizeChange: &limit, MinChange: 10})
		got, recovered := "", false
		if m != nil {
			got, recovered = strings.TrimPrefix(m.Text, "acme: "), m.Recovered
		}
		if got != test.want || recovered != test.recovered {
			t.Errorf("%s: %q, recovered %v\nwant %q", name, got, recovered, test.want)
		}
	}
}

func TestSizesAreNoNewsWithoutALimit(t *testing.T) {
	if m := newMessage(report(runs.Complete, audience("a", runs.StatusApplied, 100)), report(runs.Complete, audience("a", runs.StatusApplied, 900)), config.Notify{}); m != nil {
		t.Errorf("%+v", m)
	}
}

// TestLongMessage: a text stays one that people read; the lists are whole.
func TestLongMessage(t *testing.T) {
	after := report(runs.Held)
	for i := range 100 {
		e := audience(fmt.Sprint("a", i), runs.StatusHeld, 0)
		e.Reason = strings.Repeat("a", i+1) + " is wrong"
		after.Exports = append(after.Exports, e)
	}
	m := newMessage(nil, after, config.Notify{})
	if n := strings.Count(m.Text, "\nHeld: "); n != shown || !strings.HasSuffix(m.Text, "\nand 90 more") || len(m.Held) != 100 {
		t.Errorf("%d of %d: %s", n, len(m.Held), m.Text)
	}
}

// TestOneCause: a table that is cut off is one line, however many columns it has.
func TestOneCause(t *testing.T) {
	before, after := report(runs.Complete), report(runs.Held)
	for i := range 99 {
		e := audience(fmt.Sprint("a", i), runs.StatusHeld, 0)
		e.Source, e.Reason = "t.csv", "t.csv is cut off"
		after.Exports = append(after.Exports, e)
	}
	m := newMessage(before, after, config.Notify{})
	if want := "acme: exports are held\nHeld: 99 of t.csv (a0, a1, a2 and 96 more): t.csv is cut off\n`gleapsync check`"; m.Text != want || len(m.Held) != 99 {
		t.Errorf("%s", m.Text)
	}
	for i := range after.Exports {
		before.Exports = append(before.Exports, audience(fmt.Sprint("a", i), runs.StatusApplied, 0))
	}
	if m, want := newMessage(after, before, config.Notify{}), "acme: all is well again\nNo longer held: a0, a1, a2 and 96 more"; m.Text != want {
		t.Errorf("%s", m.Text)
	}
}

func TestSlack(t *testing.T) {
	m := newMessage(nil, failed("<!channel> & <https://example.com|this>"), config.Notify{Slack: true})
	var body map[string]string
	if err := json.Unmarshal(m.body(true), &body); err != nil {
		t.Fatal(err)
	}
	want := "acme: the sync failed: &lt;!channel&gt; &amp; &lt;https://example.com|this&gt;"
	if len(body) != 1 || body["text"] != want {
		t.Errorf("%v", body)
	}
}

// TestGuide: the message in docs/operating.md is what is sent.
func TestGuide(t *testing.T) {
	limit, _ := guard.ParseLimit("50%")
	vip := audience("vip_eu", runs.StatusHeld, 40)
	vip.Name, vip.Exited = "VIPCustomers (EU)", 60
	vip.Reason = "60 of 100 members would leave, more than max_exits = 30% allows: if that is right, run gleapsync sync --max-exits vip_eu=60 once"
	beta := changed("beta_testers", 5200, 4000, 0)
	beta.Name = "Beta Testers"
	before := report(runs.Complete, audience("vip_eu", runs.StatusApplied, 100), audience("beta_testers", runs.StatusApplied, 1200))
	after := report(runs.Held, vip, beta)
	after.Run, after.Project = "20261124T100000.000000Z-3fa9", "acme-production"
	var want bytes.Buffer
	want.WriteString("```json\n")
	encoder := json.NewEncoder(&want)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(newMessage(before, after, config.Notify{SizeChange: &limit, MinChange: 50})); err != nil {
		t.Fatal(err)
	}
	want.WriteString("```\n")
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page, want.Bytes()) {
		t.Errorf("docs/operating.md does not have\n%s", want.Bytes())
	}
}
