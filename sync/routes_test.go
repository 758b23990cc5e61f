package sync

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/gleap/sandbox"
	"gleapsync/internal/events"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
)

// A sheet is a table of users, whatever the way in which it comes. What a route cannot carry
// is not in a sheet that is drawn:
//   - text that JSON cannot hold, and CRLF, of which quoted CSV makes a line break;
//   - JSON that is neither a list nor an object, which CSV cannot tell from a text;
//   - an exponent in CSV: as a text that is no number;
//   - lists in PostgreSQL's CSV, {a,b}. Its form of times is another one too, for which there
//     is the type "datetime";
//   - zeros at the end of a number in a column that is no number after all: Parquet has none.
type sheet struct {
	ids     []*string // nil: a row of nobody
	numeric bool      // all of them
	columns []column
}

type column struct {
	name  string
	kind  string
	cells []*string // as CSV has them; nil: NULL
}

// isMembership reports whether the column is an audience, and no trait.
func (c *column) isMembership() bool { return c.kind == "membership" }

// json returns a cell as JSON with its own type.
func (c *column) json(row int) string {
	cell := c.cells[row]
	if cell == nil {
		return "null"
	}
	switch c.kind {
	case "text", "date", "time":
		return quote(*cell)
	case "huge": // as most programs write a float
		f, _ := strconv.ParseFloat(*cell, 64)
		return strconv.FormatFloat(f, 'e', -1, 64)
	case "mixed":
		if _, err := strconv.ParseFloat(*cell, 64); err != nil && *cell != "true" && *cell != "false" {
			return quote(*cell)
		}
	}
	return *cell
}

// texts returns a cell as JSON in which all but booleans, lists and objects is text, as
// BigQuery writes it, or all is.
func (c *column) texts(row int, all bool) string {
	cell := c.cells[row]
	if cell == nil || !all && slices.Contains([]string{"boolean", "membership", "list", "object"}, c.kind) {
		return c.json(row)
	}
	return quote(*cell)
}

func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

func (s *sheet) id(row int) string {
	if s.ids[row] == nil {
		return ""
	}
	return *s.ids[row]
}

func (s *sheet) jsonID(row int, text bool) string {
	switch {
	case s.ids[row] == nil:
		return "null"
	case s.numeric && !text:
		return *s.ids[row]
	}
	return quote(*s.ids[row])
}

// kinds are those of columns, with what draws a cell.
var kinds = map[string]*rapid.Generator[string]{
	"membership": rapid.SampledFrom([]string{"true", "false"}),
	"boolean":    rapid.SampledFrom([]string{"true", "false"}),
	"integer":    rapid.Custom(func(r *rapid.T) string { return fmt.Sprint(rapid.IntRange(-5, 1<<40).Draw(r, "integer")) }),
	"long":       rapid.SampledFrom([]string{"9007199254740992", "9007199254740993", "-9223372036854775808", "7"}),
	"decimal": rapid.Custom(func(r *rapid.T) string {
		n := rapid.IntRange(-10_000, 10_000).Draw(r, "hundredths")
		return strings.Replace(fmt.Sprintf("%d.%02d", n/100, max(n, -n)%100), "0.", map[bool]string{true: "-0.", false: "0."}[n < 0 && n > -100], 1)
	}),
	"float":  rapid.SampledFrom([]string{"0.1", "-1.5", "1000000", "NaN", "Infinity", "-Infinity", "0.30000000000000004", "123456789.125"}),
	"text":   rapid.SampledFrom([]string{"gold", "007", "1", "2.50", "true", "T", "f", "n/a", "none", "undefined", "null", "NULL", `\N`, "", " ", " x ", "[x", "{x}", "a,b;c|d\te", `6'2" tall`, "two\nlines", "ü", "NaN", "-inf", "1e3", "+5", "12345678901234567890", "[]", `["a", null, "b"]`}),
	"huge":   rapid.SampledFrom([]string{"100000000000000000000000", "-123456789012345680000", "0.000001"}),
	"date":   rapid.SampledFrom([]string{"2026-01-02", "1999-12-31"}),
	"time":   rapid.SampledFrom([]string{"2026-01-02T03:04:05Z", "2026-12-31T23:59:59.125Z"}),
	"list":   rapid.SampledFrom([]string{"[]", `["a"]`, `["a", "b, c"]`, `["", "null"]`, `["ü\"", "1"]`, `[1, 2.50]`}),
	"object": rapid.SampledFrom([]string{"{}", `{"a": 1}`, `{"b": [1, null, {"c": "x y"}], "a": 1.50}`}),
	"blank":  nil,
	"mixed":  rapid.SampledFrom([]string{"true", "false", "1.50", "2", "-7", "gold", "n/a", "x y"}),
}

func drawSheet(r *rapid.T) *sheet {
	s := &sheet{numeric: rapid.Bool().Draw(r, "numeric ids")}
	ids := []string{"u1", "u2", "007", "7", "1001", "ü", "a b", `say "hi"`, "x,y;z|", "null", "N/A", ""}
	if s.numeric {
		ids = []string{"1", "7", "1001", "12345678901234567"}
	}
	rows := rapid.IntRange(1, 8).Draw(r, "rows")
	for range rows {
		var id *string
		if rapid.IntRange(0, 9).Draw(r, "id is NULL") > 0 {
			text := rapid.SampledFrom(ids).Draw(r, "id")
			id = &text
		}
		s.ids = append(s.ids, id)
	}
	for i, kind := range rapid.SliceOfN(rapid.SampledFrom(slices.Sorted(maps.Keys(kinds))), 1, 5).Draw(r, "columns") {
		c := column{name: fmt.Sprintf("c%d", i), kind: kind}
		for range rows {
			var cell *string
			if kinds[kind] != nil && rapid.IntRange(0, 4).Draw(r, "cell is NULL") > 0 {
				text := kinds[kind].Draw(r, kind)
				cell = &text
			}
			c.cells = append(c.cells, cell)
		}
		s.columns = append(s.columns, c)
	}
	return s
}

// export is one of all columns of a file.
func (s *sheet) export(source string) inputs.Export {
	e := inputs.Export{Export: engage.Export{Source: source, AllowEmpty: true}}
	for _, c := range s.columns {
		a := engage.Attribute{Kind: engage.Trait, Key: c.name, Name: c.name, Column: c.name, Type: values.Auto}
		switch {
		case c.isMembership():
			a.Kind, a.Type = engage.Audience, ""
		case c.kind == "time":
			a.Type = values.Datetime
		}
		e.Attributes = append(e.Attributes, a)
	}
	return e
}

// A route is a way in which a sheet comes: it writes files, and returns their export.
type route func(w *world, r *rapid.T, s *sheet) inputs.Export

var routes = map[string]route{
	"CSV":               csvRoute(',', plain("")),
	"CSV with tabs":     csvRoute('\t', plain("NULL")),
	"CSV with pipes":    csvRoute('|', plain("")),
	"CSV of \\copy":     csvRoute(';', copied),
	"traits":            traitsRoute,
	"JSON lines":        jsonRoute(func(c *column, row int) string { return c.json(row) }, false),
	"JSON of BigQuery":  jsonRoute(func(c *column, row int) string { return c.texts(row, false) }, true),
	"JSON of texts":     jsonRoute(func(c *column, row int) string { return c.texts(row, true) }, true),
	"Parquet":           parquetRoute(true),
	"Parquet of texts":  parquetRoute(false),
	"profiles":          profilesRoute,
	"identify events":   eventsRoute,
	"change CSV":        changesRoute(false),
	"change CSV (JSON)": changesRoute(true),
}

// plain returns a cell as most write it.
func plain(null string) func(c *column, row int) string {
	return func(c *column, row int) string {
		if c.cells[row] == nil {
			return null
		}
		return *c.cells[row]
	}
}

// copied returns a cell as PostgreSQL's \copy writes it.
func copied(c *column, row int) string {
	cell := plain(`\N`)(c, row)
	switch c.kind {
	case "boolean", "membership":
		cell = strings.NewReplacer("true", "t", "false", "f").Replace(cell)
	case "time":
		cell = strings.NewReplacer("T", " ", "Z", "+00").Replace(cell)
	}
	return cell
}

func csvRoute(comma rune, text func(c *column, row int) string) route {
	return func(w *world, r *rapid.T, s *sheet) inputs.Export {
		rows := [][]string{{"user_id"}}
		for i := range s.columns {
			rows[0] = append(rows[0], s.columns[i].name)
		}
		for n := range s.ids {
			row := []string{s.id(n)}
			for i := range s.columns {
				row = append(row, text(&s.columns[i], n))
			}
			rows = append(rows, row)
		}
		w.writeCSV(r, "e.csv", comma, rows)
		return s.export("e.csv")
	}
}

func (w *world) writeCSV(r *rapid.T, name string, comma rune, rows [][]string) {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	out.Comma = comma
	if err := out.WriteAll(rows); err != nil {
		r.Fatal(err)
	}
	w.write(r, name, b.String())
}

// traitsRoute has the traits of a profile in one column, as Segment's own CSV has.
func traitsRoute(w *world, r *rapid.T, s *sheet) inputs.Export {
	rows := [][]string{{"key", "external_ids", "traits"}}
	for n, id := range s.ids {
		ids, traits := "{}", []string{}
		if id != nil {
			ids = `{"user_id":[` + s.jsonID(n, false) + `]}`
		}
		for i := range s.columns {
			traits = append(traits, quote(s.columns[i].name)+":"+s.columns[i].json(n))
		}
		rows = append(rows, []string{fmt.Sprint("use_", n), ids, "{" + strings.Join(traits, ",") + "}"})
	}
	w.writeCSV(r, "e.csv", ',', rows)
	return s.export("e.csv")
}

// jsonRoute writes JSON lines, if so without the members that are null.
func jsonRoute(cell func(c *column, row int) string, leaveOut bool) route {
	return func(w *world, r *rapid.T, s *sheet) inputs.Export {
		text := ""
		for n := range s.ids {
			members := []string{`"user_id":` + s.jsonID(n, leaveOut)}
			for i := range s.columns {
				members = append(members, quote(s.columns[i].name)+":"+cell(&s.columns[i], n))
			}
			if leaveOut {
				members = slices.DeleteFunc(members, func(m string) bool { return strings.HasSuffix(m, ":null") })
			}
			text += "{" + strings.Join(members, ",") + "}\n"
		}
		w.write(r, "e.json", text)
		e := s.export("e.json")
		e.UserID = "user_id" // the first line may be one of nobody
		return e
	}
}

// parquetRoute writes columns of the cells' types, or of texts.
func parquetRoute(typed bool) route {
	return func(w *world, r *rapid.T, s *sheet) inputs.Export {
		ids := column{"user_id", "text", s.ids}
		if s.numeric {
			ids.kind = "long"
		}
		columns := append(slices.Clone(s.columns), ids) // in the order of the names, as Parquet's
		group, make := parquet.Group{}, map[string]func(string) parquet.Value{}
		for _, c := range columns {
			kind := c.kind
			if !typed {
				kind = "text"
			}
			node, value := parquet.String(), func(text string) parquet.Value { return parquet.ValueOf(text) }
			switch kind {
			case "boolean", "membership":
				node, value = parquet.Leaf(parquet.BooleanType), func(text string) parquet.Value { return parquet.ValueOf(text == "true") }
			case "integer", "long":
				node, value = parquet.Int(64), func(text string) parquet.Value {
					n, _ := strconv.ParseInt(text, 10, 64)
					return parquet.ValueOf(n)
				}
			case "float", "huge":
				node, value = parquet.Leaf(parquet.DoubleType), func(text string) parquet.Value {
					f, _ := strconv.ParseFloat(text, 64)
					return parquet.ValueOf(f)
				}
			case "decimal":
				node, value = parquet.Decimal(9, 18, parquet.Int64Type), func(text string) parquet.Value {
					n, _ := strconv.ParseInt(strings.Replace(text, ".", "", 1), 10, 64)
					return parquet.ValueOf(n * 10_000_000)
				}
			case "date":
				node, value = parquet.Date(), func(text string) parquet.Value {
					day, _ := time.Parse(time.DateOnly, text)
					return parquet.ValueOf(int32(day.Unix() / (24 * 60 * 60)))
				}
			case "time":
				node, value = parquet.Timestamp(parquet.Millisecond), func(text string) parquet.Value {
					at, _ := time.Parse(time.RFC3339Nano, text)
					return parquet.ValueOf(at.UnixMilli())
				}
			case "object":
				node = parquet.JSON()
			case "list":
				node = parquet.Repeated(parquet.String())
			}
			if !node.Repeated() {
				node = parquet.Optional(node)
			}
			group[c.name], make[c.name] = node, value
		}
		var b bytes.Buffer
		out := parquet.NewWriter(&b, parquet.NewSchema("users", group))
		for n := range s.ids {
			var row parquet.Row
			for at, c := range columns {
				cell := c.cells[n]
				var items []string
				switch {
				case cell != nil && group[c.name].Repeated():
					items = itemsOf(*cell)
				case cell != nil:
					items = []string{*cell}
				}
				if len(items) == 0 { // of such a list nobody can tell whether it is NULL
					row = append(row, parquet.NullValue().Level(0, 0, at))
				}
				for i, item := range items {
					row = append(row, make[c.name](item).Level(min(i, 1), 1, at))
				}
			}
			if _, err := out.WriteRows([]parquet.Row{row}); err != nil {
				r.Fatal(err)
			}
		}
		if err := out.Close(); err != nil {
			r.Fatal(err)
		}
		w.write(r, "e.parquet", b.String())
		return s.export("e.parquet")
	}
}

// itemsOf returns the items of a JSON list as texts.
func itemsOf(list string) (texts []string) {
	var items []json.RawMessage
	_ = json.Unmarshal([]byte(list), &items)
	for _, item := range items {
		text := string(item)
		_ = json.Unmarshal(item, &text) // a number is as it stands
		texts = append(texts, text)
	}
	return texts
}

// profilesRoute has each row as a profile of its own.
func profilesRoute(w *world, r *rapid.T, s *sheet) inputs.Export {
	traits, ids := [][]string{{"canonical_segment_id", "name", "value", "seq"}}, [][]string{{"canonical_segment_id", "type", "value", "seq"}}
	for n, id := range s.ids {
		profile := fmt.Sprintf("p-%03d", n)
		if id != nil {
			ids = append(ids, []string{profile, "user_id", *id, "1"})
		}
		for i := range s.columns {
			traits = append(traits, []string{profile, s.columns[i].name, plain("")(&s.columns[i], n), "1"})
		}
	}
	w.writeCSV(r, "t.csv", ',', traits)
	w.writeCSV(r, "i.csv", ',', ids)
	e := s.export("t.csv")
	e.ProfileIDs = &engage.Export{Source: "i.csv", Dir: w.dir}
	return e
}

// eventsRoute has an event for each cell. Who has a value and none later is told so by null,
// which a table does not say: there are no events of NULL.
func eventsRoute(w *world, r *rapid.T, s *sheet) inputs.Export {
	text := ""
	for n, id := range s.ids {
		for i := range s.columns {
			c := &s.columns[i]
			if c.cells[n] == nil || id == nil {
				continue
			}
			class := "trait"
			if c.isMembership() {
				class = "audience"
			}
			line := event("u", class, c.name, "id_"+c.name, c.json(n), n, fmt.Sprintf("m-%d-%d", n, i))
			text += strings.Replace(line, `"userId":"u"`, `"userId":`+s.jsonID(n, false), 1)
		}
	}
	w.writeEvents(r, "e.json", text+event("", "trait", "x", "x", "1", 0, "m"))
	return s.changes()
}

func (s *sheet) changes() inputs.Export {
	e := s.export("events")
	e.Changes, e.Pick, e.KeepAbsent = true, engage.PickAll, true
	for i := range e.Attributes {
		e.Attributes[i].Column = ""
	}
	return e
}

// changesRoute has a row for each cell, with its value as a text or as JSON too.
func changesRoute(inJSON bool) route {
	return func(w *world, r *rapid.T, s *sheet) inputs.Export {
		rows := [][]string{{"audience_name", "audience_id", "audience_action", "user_id", "timestamp", "traits_or_props"}}
		for n := range s.ids {
			for i := range s.columns {
				c := &s.columns[i]
				if c.cells[n] == nil {
					continue
				}
				id, traits := "tra_"+c.name, ""
				if c.isMembership() {
					id = "aud_" + c.name
				} else if inJSON {
					traits = "{" + quote(c.name) + ":" + c.json(n) + "}"
				}
				rows = append(rows, []string{c.name, id, *c.cells[n], s.id(n), fmt.Sprint(1_700_000_000 + n), traits})
			}
		}
		w.writeCSV(r, "x.csv", ',', rows)
		text, _ := os.ReadFile(filepath.Join(w.dir, "x.csv"))
		w.writeEvents(r, "e.csv", string(text))
		return s.changes()
	}
}

// bodies syncs a sheet that comes by a route to a fresh Gleap, and returns what that has.
func (s *sheet) bodies(t *testing.T, r *rapid.T, by route) map[string]string {
	w := newWorld(t)
	defer w.server.Close()
	e := by(w, r, s)
	e.Dir = w.dir
	w.options.Exports = []inputs.Export{e}
	report := w.sync(r, inputs.Request{})
	for _, e := range report.Exports {
		if e.Invalid > 0 || e.Status != runs.StatusApplied {
			r.Fatalf("%+v", e)
		}
	}
	return w.contacts()
}

// TestRoutes: the same rows give the same contacts, whatever the way in which they come.
func TestRoutes(t *testing.T) {
	rounds.Check(t, func(r *rapid.T) {
		s := drawSheet(r)
		want := s.bodies(t, r, routes["CSV"])
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(slices.Sorted(maps.Keys(routes))), 2, 2, rapid.ID).Draw(r, "routes") {
			if got := s.bodies(t, r, routes[name]); !maps.Equal(got, want) {
				r.Errorf("%s gives\n%v\nCSV\n%v", name, got, want)
			}
		}
	})
}

// TestRoutesOfProperties: the properties of calls are what the attributes of a table are, with
// their own types in JSON and as texts.
func TestRoutesOfProperties(t *testing.T) {
	rounds.Check(t, func(r *rapid.T) {
		s := drawSheet(r)
		s.columns = slices.DeleteFunc(s.columns, func(c column) bool { return c.isMembership() || c.kind == "time" })
		want := s.bodies(t, r, routes["CSV"])
		allTexts := rapid.Bool().Draw(r, "texts")
		w := newEventsWorld(t, audience("vip.csv", "vip"))
		defer w.server.Close()
		w.options.Tracks = []events.Export{trackExport(w)}
		w.write(r, "vip.csv", list("somebody"))
		text := ""
		for n := range s.ids {
			var members []string
			for i := range s.columns {
				c := &s.columns[i]
				value := c.json(n)
				if allTexts {
					value = c.texts(n, true)
				}
				members = append(members, quote(c.name)+":"+value)
			}
			line := call("u", "E", fmt.Sprint("m", n), strings.Join(members, ","))
			line = strings.Replace(line, "12:00:00Z", fmt.Sprintf("12:00:%02dZ", n), 1)
			text += strings.Replace(line, `"userId":"u"`, `"userId":`+s.jsonID(n, allTexts), 1)
		}
		w.writeCalls(r, "1", text)
		w.sync(r, inputs.Request{})
		// What the calls of one user say one after the other is what his contact has.
		told := map[string]map[string]any{}
		events := w.gleap.Events()
		slices.SortStableFunc(events, func(a, b sandbox.Event) int { return a.Date.Compare(b.Date) })
		for _, e := range events {
			if told[e.UserID] == nil {
				told[e.UserID] = map[string]any{}
			}
			maps.Copy(told[e.UserID], e.Data)
		}
		got := map[string]string{}
		for id, data := range told {
			if len(data) > 0 {
				got[id] = asJSON(data)
			}
		}
		if !maps.Equal(got, want) {
			r.Errorf("the calls say\n%v\nCSV\n%v", got, want)
		}
	})
}
