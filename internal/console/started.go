package console

import (
	"fmt"
	"io"
	"strings"

	"gleapsync/internal/human"
	"gleapsync/internal/starter"
)

// Started writes what a first configuration holds, and what to do with it.
func Started(w io.Writer, r starter.Result) {
	t := newRows("KIND", "KEYS", "SOURCE")
	for _, e := range r.Exports {
		t.add(e.Kind, strings.Join(e.Keys, ", "), e.Source)
	}
	t.write(Out{Writer: w})
	fmt.Fprintln(w)
	for _, l := range r.LeftOut {
		where := l.Source
		if l.Column != "" {
			where += ", column " + l.Column
		}
		fmt.Fprintf(w, "Left out: %s\n", human.Printable(where+": "+l.Reason))
	}
	if len(r.Contact) > 0 {
		fmt.Fprintf(w, "Not sent, since it is personal data: %s. See [contact] in the configuration.\n", strings.Join(r.Contact, ", "))
	}
	flag := ""
	if r.Config != "gleapsync.toml" {
		flag = " --config " + human.Printable(r.Config)
	}
	fmt.Fprintf(w, `%[1]s is written, for the project %[2]s. Next:
  1. Look through it: the project, the names, what is left out.
  2. Put the project's secret API token into the environment as GLEAP_API_TOKEN.
  3. gleapsync check%[3]s: tries everything and sends nothing.
  4. gleapsync plan%[3]s: shows what would be sent.
  5. gleapsync sync%[3]s: sends it. If Segment's own destination has filled the project,
     gleapsync baseline%[3]s comes first: it takes the exports as delivered.
`, human.Printable(r.Config), human.Printable(r.Project), flag)
}
