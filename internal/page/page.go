package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"gleapsync/internal/human"
	"gleapsync/internal/inspect"
	"gleapsync/internal/runs"
)

//go:embed templates
var files embed.FS

//go:embed templates/style.css
var style string

// StyleHash is the hash by which a content security policy allows the pages' style.
func StyleHash() string {
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

var functions = template.FuncMap{
	"style":   func() template.CSS { return template.CSS(style) },
	"n":       human.Grouped,
	"bytes":   func(n int64) string { return human.Grouped(int(n)) },
	"took":    func(from, to time.Time) string { return human.About(to.Sub(from)) },
	"seconds": func(s float64) string { return human.About(time.Duration(s * float64(time.Second))) },
	"left":    human.About,
	"ago":     ago,
	"until":   human.Until,
	"rate":    func(perSecond float64) string { return human.Grouped(int(perSecond + 0.5)) },
	"percent": func(p runs.Progress) int { return 100 * p.Done / max(1, p.Total) },
	"json":    knownValue,
	"plot":    plot,
	"plural":  human.Count,
	"number":  number,
	"news":    func(all []runs.ExportReport) []runs.ExportReport { news, _ := divide(all); return news },
	"others":  func(all []runs.ExportReport) []runs.ExportReport { _, others := divide(all); return others },
	"causes":  runs.Causes,
	"first":   runs.FirstOf,
	"more":    func(c runs.Cause) int { return len(c.Exports) - 1 },
	"choices": func() map[string]string { return map[string]string{"": "all", "changed": "changed", "held": "held"} },
}

// Site is what the pages of a project have in common.
type Site struct {
	Version string
	Zone    *time.Location // of times
	Base    string         // that their addresses begin with
	Several bool           // there is a page of several projects; without a Base it is that one
	Config  string         // the configuration file, if commands have to name it to be pasted
}

// functions are those that depend on the site.
func (s Site) functions() template.FuncMap {
	return template.FuncMap{
		"path":     func(rest string) string { return s.Base + rest },
		"commands": func(text string) string { return human.Commands(text, s.Config) },
		"several":  func() bool { return s.Several },
		"project":  func() bool { return !s.Several || s.Base != "" },
		"time":     func(t time.Time) string { return human.Time(t, s.Zone) },
		"zone": func() string {
			if s.Zone == time.Local {
				return "this machine's time zone"
			}
			return s.Zone.String()
		},
	}
}

// render parses the templates when they are needed: no other command has to wait for it.
func render(w io.Writer, s Site, name string, data any) error {
	all, err := template.New("").Funcs(functions).Funcs(s.functions()).ParseFS(files, "templates/*.html")
	if err != nil {
		return fmt.Errorf("the page's templates: %w", err)
	}
	var text bytes.Buffer
	if err := all.ExecuteTemplate(&text, name, data); err != nil {
		return fmt.Errorf("the page's templates: %w", err)
	}
	_, err = w.Write(text.Bytes())
	return err
}

// divide returns the exports of a run that have rows of their own, and the others: those of which
// nothing changed, and those about which the same is to be said as about others.
func divide(all []runs.ExportReport) (news, others []runs.ExportReport) {
	together := map[string]bool{}
	for _, c := range runs.Alike(all) {
		for _, e := range c.Exports {
			together[e.Key] = true
		}
	}
	for _, e := range all {
		if e.IsQuiet() || together[e.Key] {
			others = append(others, e)
		} else {
			news = append(news, e)
		}
	}
	return news, others
}

// number is a cell of a table. A narrow window leaves those out that say nothing.
func number(label string, n int) template.HTML {
	if n == 0 {
		return `<td class="number zero">0</td>`
	}
	return template.HTML(fmt.Sprintf(`<td class="number" data-label="%s">%s</td>`, label, human.Grouped(n)))
}

// Front writes the front page.
func Front(w io.Writer, d Data) error { return render(w, d.Site, "front.html", &d) }

// Report writes the front page as a file that is complete in itself, with the details of
// the last runs.
func Report(w io.Writer, d Data) error { return render(w, d.Site, "report.html", &d) }

// Run writes the page of one run.
func Run(w io.Writer, s Site, r runs.Report) error {
	return render(w, s, "run.html", struct {
		Version string
		Report  runs.Report
	}{s.Version, r})
}

// Contact is the look-up of one contact.
type Contact struct {
	Site
	Asked  string           // the user id, "": none yet
	Error  string           // why there is no answer
	Detail *inspect.Contact // nil: nothing was asked, or there is no answer
	Read   bool             // the exports were read for it
	Last   *runs.Report     // the last sync, if they were not; nil: there was none
}

// Keys returns the keys of what the look-up shows, sorted.
func (c *Contact) Keys() []string {
	keys := c.Detail.Keys()
	if c.Last != nil {
		for _, e := range c.Last.Exports {
			if e.IsAttribute() {
				keys = append(keys, e.Key)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// LastSaid writes what the last sync made of the export of an attribute, and what changes
// said of the contact.
func (c *Contact) LastSaid(key string) string {
	var all []string
	if said, ok := c.Detail.Exports[key]; ok {
		all = append(all, "changes said "+string(said.Value.AppendJSON(nil)))
	}
	if c.Last != nil {
		for _, e := range c.Last.Exports {
			switch {
			case e.Key != key:
			case e.Withheld > 0:
				all = append(all, "applied, except for "+e.Reason)
			case e.Reason != "":
				all = append(all, string(e.Status)+": "+e.Reason)
			default:
				all = append(all, string(e.Status))
			}
		}
	}
	if len(all) == 0 {
		return "in no export any more"
	}
	return strings.Join(all, ", ")
}

// Known reports whether there is anything to show.
func (c *Contact) Known() bool {
	d := c.Detail
	if len(d.Attributes)+len(d.Events) > 0 || d.Parked != nil || d.Forgotten {
		return true
	}
	for _, said := range d.Exports {
		if !said.Absent {
			return true
		}
	}
	return false
}

// Lookup writes the page on which a contact can be looked up.
func Lookup(w io.Writer, c Contact) error { return render(w, c.Site, "contact.html", &c) }

// NotFound writes a page that says what is not there.
func NotFound(w io.Writer, s Site, what string) error {
	return render(w, s, "notfound.html", struct{ Version, What string }{s.Version, what})
}

func knownValue(d *inspect.Contact, key string) string {
	if v, ok := d.Attributes[key]; ok {
		return string(v.AppendJSON(nil))
	}
	return human.Dash
}

// ago writes how long before a time another one was.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	const day = 24 * time.Hour
	switch d := now.Sub(t); {
	case d < 0:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 2*day:
		return human.Hours(d.Truncate(time.Minute)) + " ago"
	default:
		return fmt.Sprintf("%d days ago", int(d/day))
	}
}
