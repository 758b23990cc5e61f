package starter

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"gleapsync/internal/attr"
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

// WhyNot returns why the configuration cannot have f as it is, "" if it can.
func (f *found) WhyNot() string {
	switch {
	case f.KeyErr != nil:
		return f.KeyErr.Error() + ": take the \"#\"s away if both are needed"
	case len(f.keys()) == 0:
		return noColumn
	}
	return ""
}

// Types returns the table's traits whose type is known for sure.
func (f *found) Types() []column {
	return slices.DeleteFunc(f.Attributes(false), func(c column) bool { return c.Type == "" })
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

var bareKey = pattern(`^[A-Za-z0-9_-]+$`)

// shown returns a text for a comment, which has one line and no control characters.
func shown(s string) string {
	quoted := quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
