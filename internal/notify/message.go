package notify

import (
	"encoding/json"
	"fmt"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/config"
	"gleapsync/internal/human"
	"gleapsync/internal/runs"
)

// Message is the body of the webhook, as the package documentation describes it.
type Message struct {
	Project     string       `json:"project"`
	Run         string       `json:"run"`
	Outcome     runs.Outcome `json:"outcome"`
	Previous    runs.Outcome `json:"previous_outcome" empty:"yes"`
	Recovered   bool         `json:"recovered"`
	Error       string       `json:"error"`
	Held        []heldExport `json:"held"`
	Released    []string     `json:"released"`
	SizeChanges []sizeChange `json:"size_changes"`
	Convergence string       `json:"convergence,omitempty"`
	Text        string       `json:"text"`

	causes []runs.Cause // of what is held
}

type heldExport struct {
	Key     string      `json:"key"`
	Name    string      `json:"name"`
	Kind    engage.Kind `json:"kind"`
	Reason  string      `json:"reason"`
	Command string      `json:"command"`
	// Withheld counts the exits that are withheld of an export that is applied; 0 if all of it
	// is held.
	Withheld int `json:"withheld,omitempty"`
}

type sizeChange struct {
	Key    string `json:"key"`
	Name   string `json:"name"`
	Before int    `json:"before"`
	After  int    `json:"after"`
}

// newMessage returns what there is to say about a sync after the one before, nil if
// nothing is.
func newMessage(before, after *runs.Report, o config.Notify) *Message {
	m := &Message{
		Project: after.Project, Run: after.Run, Outcome: after.Outcome, Error: after.Error,
		Held: []heldExport{}, Released: []string{}, SizeChanges: []sizeChange{},
	}
	known := map[string]runs.ExportReport{}
	if before != nil {
		m.Previous = before.Outcome
		for _, e := range before.Exports {
			known[e.Key] = e
		}
	}
	var news []runs.ExportReport
	for _, e := range after.Exports {
		last := known[e.Key]
		switch held, wasHeld := e.IsHeld(), last.IsHeld(); {
		case held && !wasHeld:
			news = append(news, e)
			m.Held = append(m.Held, heldExport{e.Key, e.Name, e.Kind, e.Reason, e.Resolve(), e.Withheld})
		case wasHeld && !held:
			m.Released = append(m.Released, e.Key)
		}
		if c := (sizeChange{e.Key, e.Name, membersBefore(e, last), e.Members}); e.Status == runs.StatusApplied && e.Kind == engage.Audience && c.isNews(o) {
			m.SizeChanges = append(m.SizeChanges, c)
		}
	}
	m.causes = runs.Causes(news)
	if before == nil || before.Convergence == "" {
		m.Convergence = after.Convergence
	}
	was, is := verdict(before), verdict(after)
	m.Recovered = is == runs.Complete && was != is
	if was == is && len(m.Held)+len(m.Released)+len(m.SizeChanges) == 0 && m.Convergence == "" {
		return nil
	}
	m.Text = m.text(is)
	return m
}

// name has the commands of a message name a configuration, if there is one to name.
func (m *Message) name(config string) {
	m.Text, m.Error = human.Commands(m.Text, config), human.Commands(m.Error, config)
	for i := range m.Held {
		e := &m.Held[i]
		e.Reason, e.Command = human.Commands(e.Reason, config), human.Commands(e.Command, config)
	}
}

// verdict is a report's outcome as far as it is news. Partial is as good as complete, but
// a sync whose deadline came before it had a plan failed. While an export is held, the
// verdict is that, whatever the deadline. No report is as good as a complete one.
func verdict(r *runs.Report) runs.Outcome {
	switch {
	case r == nil:
		return runs.Complete
	case r.Outcome == runs.Partial && r.Contacts.Planned+r.Events.Planned == 0:
		return runs.Failed
	case r.Outcome != runs.Complete && r.Outcome != runs.Partial:
		return r.Outcome
	case r.Held():
		return runs.Held
	}
	return runs.Complete
}

// membersBefore returns how many members an audience had in the last report, or if it has
// none that was believed there, how many Gleap knows; 0 if the audience is new.
func membersBefore(now, last runs.ExportReport) int {
	if last.Key == "" || last.Status == runs.StatusHeld {
		return now.Members - now.Entered + now.Exited
	}
	return last.Members
}

func (c sizeChange) isNews(o config.Notify) bool {
	by := max(c.After-c.Before, c.Before-c.After)
	return o.SizeChange != nil && c.Before > 0 && by >= o.MinChange && by > o.SizeChange.Of(c.Before)
}

// shown is how many things of a kind the text names.
const shown = 10

// text says it in lines for people. Commands are in backticks, so that a chat sets them
// apart.
func (m *Message) text(verdict runs.Outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", m.Project)
	switch {
	case verdict == runs.Failed:
		b.WriteString("the sync failed")
	case verdict == runs.Interrupted:
		b.WriteString("the sync was interrupted")
	case verdict == runs.Held && len(m.Held) == 0:
		b.WriteString("exports are still held")
	case verdict == runs.Held:
		b.WriteString("exports are held")
	case m.Recovered:
		b.WriteString("all is well again")
	default:
		b.WriteString("the sync is done")
	}
	if m.Error != "" {
		fmt.Fprintf(&b, ": %s", m.Error)
	}
	writeLines(&b, m.causes, func(c runs.Cause) string { return fmt.Sprintf("%s\n`%s`", c, c.Resolve()) })
	if len(m.Released) > 0 {
		fmt.Fprintf(&b, "\nNo longer held: %s", runs.FirstOf(m.Released))
	}
	writeLines(&b, m.SizeChanges, func(c sizeChange) string {
		return fmt.Sprintf("Size: %s had %d members and has %d", c.Key, c.Before, c.After)
	})
	if m.Convergence != "" {
		fmt.Fprintf(&b, "\nIt %s", m.Convergence)
	}
	return b.String()
}

func writeLines[T any](b *strings.Builder, all []T, line func(T) string) {
	for _, t := range all[:min(len(all), shown)] {
		fmt.Fprintf(b, "\n%s", line(t))
	}
	if more := len(all) - shown; more > 0 {
		fmt.Fprintf(b, "\nand %d more", more)
	}
}

// slackEscaper keeps Slack from reading links and mentions into a text.
var slackEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// body returns the message as it is sent.
func (m *Message) body(slack bool) []byte {
	var v any = m
	if slack {
		v = map[string]string{"text": slackEscaper.Replace(m.Text)}
	}
	body, _ := json.Marshal(v) // texts and numbers: it cannot fail
	return body
}
