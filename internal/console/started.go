package console

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gleapsync/internal/human"
	"gleapsync/internal/starter"
)

// Started writes what a first configuration holds, and what to do with it.
func Started(w io.Writer, r starter.Result) {
	t := newRows("KIND", "KEYS", "SOURCE")
	for _, e := range r.Exports {
		t.add(e.Kind, named(e.Keys), e.Source)
	}
	t.write(Out{Writer: w})
	fmt.Fprintln(w)
	for i, l := range r.LeftOut {
		same := func(other starter.LeftOut) bool { return other.Source == l.Source && other.Reason == l.Reason }
		if slices.ContainsFunc(r.LeftOut[:i], same) {
			continue
		}
		var columns []string
		for _, other := range r.LeftOut[i:] {
			if same(other) && other.Column != "" {
				columns = append(columns, other.Column)
			}
		}
		where := l.Source
		if len(columns) > 0 {
			where += ", column " + named(columns)
		}
		fmt.Fprintf(w, "Left out: %s\n", human.Printable(where+": "+l.Reason))
	}
	if len(r.Contact) > 0 {
		fmt.Fprintf(w, "Not sent, since it is personal data: %s. See [contact] in the configuration.\n", strings.Join(r.Contact, ", "))
	}
	flag := ""
	if r.Config != "gleapsync.toml" {
		flag = " --config " + human.Printable(human.Argument(r.Config))
	}
	fmt.Fprintf(w, `%[1]s is written, for the project %[2]s. Next:
  1. Look through it: the project, the names, what is left out.
  2. Put the project's secret API token into the environment as GLEAP_API_TOKEN.
  3. gleapsync check%[3]s: tries everything and sends nothing.
  4. gleapsync plan%[3]s: shows what would be sent.
  5. gleapsync sync%[3]s: sends it.
     If Segment's own destination has filled the project, first
     gleapsync baseline%[3]s: takes the exports as delivered.
`, human.Printable(r.Config), human.Printable(r.Project), flag)
}

// named lists the first of some names, so that a line holds them, and counts the others.
func named(names []string) string {
	const most = 40
	text := ""
	for i, name := range names {
		if left := len(names) - i; i > 0 && left > 1 && len(text)+len(name) > most {
			return fmt.Sprintf("%s and %d more", text, left)
		}
		if i > 0 {
			text += ", "
		}
		text += name
	}
	return text
}
