package starter

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/database"
	"gleapsync/internal/pattern"
)

// page is what the configuration's template shows.
type page struct {
	Place   string
	Project string
	Contact []contact
	Exports []*found
	NotRead []LeftOut
}

// contact is a suggestion for [contact].
type contact struct{ Key, Column string }

//go:embed config.toml.tmpl
var text string

// render returns the configuration.
func (p page) render() ([]byte, error) {
	var b bytes.Buffer
	t := template.New("config.toml.tmpl")
	t.Funcs(template.FuncMap{
		"quote": quote, "shown": shown, "bare": bare,
		"render": func(f *found) (string, error) {
			var b strings.Builder
			err := t.ExecuteTemplate(&b, "export", f)
			return b.String(), err
		},
		"comment": func(text string) string { return "# " + strings.ReplaceAll(text, "\n", "\n# ") },
	})
	_, err := t.Parse(text)
	if err == nil {
		err = t.Execute(&b, p)
	}
	if err != nil {
		return nil, fmt.Errorf("the configuration's template: %w", err)
	}
	return b.Bytes(), nil
}

// PasswordVariable names the variable of the environment that a database's password may be in.
func (f *found) PasswordVariable() string {
	if database.HasCatalogue(f.Path) {
		return "PGPASSWORD"
	}
	return "TRINO_PASSWORD"
}

// WhyNot returns why the configuration cannot have f as it is, "" if it can.
func (f *found) WhyNot() string {
	switch {
	case f.KeyErr != nil:
		return f.KeyErr.Error() + ": take the \"#\"s away if both are needed"
	case f.Kind == "track":
		return "it holds track, page or screen calls: take the \"#\"s away to send them as events, see docs/events.md"
	case len(f.keys()) == 0:
		return cmp.Or(f.copyOf, noColumn)
	}
	return ""
}

// Types returns the table's traits whose type is known for sure, and OneType the type if it
// is that of them all and they are many.
func (f *found) Types() []column {
	if f.OneType() != "" {
		return nil
	}
	return slices.DeleteFunc(f.Attributes(false), func(c column) bool { return c.Type == "" })
}

// OneType is described at Types.
func (f *found) OneType() string {
	traits := f.Attributes(false)
	if len(traits) <= few || slices.ContainsFunc(traits, func(c column) bool { return c.Type != traits[0].Type }) {
		return ""
	}
	return traits[0].Type
}

// Excluded returns the columns that a sync would ask about, since it takes them for audiences or
// traits: init has asked already.
func (f *found) Excluded() []string {
	if f.Kind != "table" {
		return nil
	}
	var e engage.Export
	var left []string
	for _, c := range f.Columns {
		if c.LeftOut == contactField {
			left = append(left, c.Name)
		}
	}
	return e.Unused(left)
}

// Without says what is left out, column by column, those together of which the same is said.
func (f *found) Without() []column {
	var all []column
	for _, c := range f.Columns {
		i := slices.IndexFunc(all, func(other column) bool { return other.LeftOut == c.LeftOut })
		switch {
		case c.LeftOut == "":
		case i >= 0:
			all[i].Name += ", " + c.Name
		default:
			all = append(all, column{Name: c.Name, LeftOut: c.LeftOut})
		}
	}
	return all
}

// few is how many names stand one by one.
const few = 12

// entry is a name or a pattern in a list of the configuration.
type entry struct{ Name, Comment string }

// List returns the audiences or the traits: of many those that begin with the same words as
// a pattern, if it takes no other column.
func (f *found) List(audiences bool) []entry {
	columns := f.Attributes(audiences)
	var all []entry
	for words := 1; words <= 2 && len(columns) > few; words++ {
		for _, c := range slices.Clone(columns) {
			prefix := beginning(c.Name, words)
			of := slices.DeleteFunc(slices.Clone(columns), func(c column) bool { return !strings.HasPrefix(c.Name, prefix) })
			if prefix == "" || prefix == "user_" || len(of) < 4 || f.takesOther(prefix, audiences) {
				continue
			}
			columns = slices.DeleteFunc(columns, func(c column) bool { return strings.HasPrefix(c.Name, prefix) })
			var values []string
			for _, c := range of {
				if !slices.Contains(values, c.Values) {
					values = append(values, c.Values)
				}
			}
			all = append(all, entry{prefix + "*", f.counted(len(of), values)})
		}
	}
	for _, c := range columns {
		comment := c.Values
		if audiences {
			comment = ""
			if c.Values == "numbers" {
				comment = "0 and 1 only: if it counts something, move it to traits"
			}
		}
		all = append(all, entry{c.Name, comment})
	}
	return all
}

// beginning returns the first words of a name with what follows them, "" if nothing does.
func beginning(name string, words int) string {
	parts := strings.SplitAfterN(name, "_", words+1)
	if len(parts) <= words {
		return ""
	}
	return strings.Join(parts[:words], "")
}

func (f *found) takesOther(prefix string, audiences bool) bool {
	pattern := engage.Wildcard{Pattern: prefix + "*"}
	return slices.ContainsFunc(f.Columns, func(c column) bool {
		return (c.LeftOut != "" || c.Audience != audiences) && pattern.Matches(c.Name)
	})
}

// quote returns a TOML string. JSON's escapes are TOML's, but for the one character that
// only TOML has escaped.
func quote(s string) string {
	return strings.ReplaceAll(string(attr.AppendJSONString(nil, []byte(s))), "\x7f", `\u007f`)
}

// bare returns a TOML key.
func bare(s string) string {
	if bareKey().MatchString(s) {
		return s
	}
	return quote(s)
}

var bareKey = pattern.Of(`^[A-Za-z0-9_-]+$`)

// shown returns a text for a comment, which has one line and no control characters.
func shown(s string) string {
	quoted := quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
