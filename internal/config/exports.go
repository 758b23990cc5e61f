package config

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/database"
	"gleapsync/internal/inputs"
	"gleapsync/internal/keys"
	"gleapsync/internal/nearest"
	"gleapsync/internal/values"
)

// exportLoader turns the tables of exports into exports.
type exportLoader struct {
	*reader
	tempDir    string
	token      string            // the variable that holds the API token, if one does
	zone       string            // of schedules, "": the machine's
	membership bool              // of exports that do not say whether entering and leaving are events
	keys       map[string]string // of attributes: what has the key
	reserved   map[string]error  // see [Config.Reserved]
}

func (l *exportLoader) audience(key string, a *audienceKeys) inputs.Export {
	e := l.export(key, &a.exportKeys)
	e.Membership = or(a.Membership, l.membership)
	e.Attributes = []engage.Attribute{l.attribute(key, engage.Audience, a.Name, a.Key)}
	return e
}

func (l *exportLoader) trait(key string, t *traitKeys) inputs.Export {
	e := l.export(key, &t.exportKeys)
	a := l.attribute(key, engage.Trait, t.Name, t.Key)
	a.Type, a.Column = l.traitType(key+".type", t.Type), l.text(key+".value", t.Value)
	e.ClearMissing = l.clearMissing(key, t.OnMissing)
	e.Attributes = []engage.Attribute{a}
	l.damping(key, t.dampingKeys, &e, a.Type)
	return e
}

func (l *exportLoader) table(key string, t *tableKeys) inputs.Export {
	e := l.export(key, &t.exportKeys)
	e.ClearMissing = l.clearMissing(key, t.OnMissing)
	e.Delta = l.delta(key+".delta", t.Delta, e.Source)
	l.named(key, &t.namedKeys, &e)
	if len(e.Attributes)+len(e.Wildcards) == 0 {
		l.fail(key, errors.New("it names no column: set audiences or traits"))
	}
	return e
}

func (l *exportLoader) profiles(key string, p *profilesKeys) inputs.Export {
	if p.Source != "" || p.UserID != "" {
		l.fail(key, errors.New("source and user_id are not for profiles: set traits_source and identifiers_source"))
	}
	ids := l.text(key+".identifiers_source", p.IdentifiersSource)
	if ids == "" {
		l.fail(key+".identifiers_source", errors.New("it is missing"))
	}
	if p.TraitsSource == "" {
		l.fail(key+".traits_source", errors.New("it is missing"))
	}
	if p.Query != "" || p.Table != "" {
		l.fail(key, errors.New("query and table are not for profiles: set traits_table and identifiers_table, or traits_query and identifiers_query"))
	}
	if p.Delta != "" {
		l.fail(key+".delta", errors.New("it is not for profiles, which are two tables"))
		p.Delta = ""
	}
	p.Source = cmp.Or(p.TraitsSource, "none") // that it is missing is said already
	p.Query, p.Table = p.TraitsQuery, p.TraitsTable
	e := l.table(key, &p.tableKeys)
	e.ProfileIDs = &engage.Export{Source: ids, Dir: e.Dir, Pick: e.Pick, Format: e.Format, Delimiter: e.Delimiter, TempDir: e.TempDir}
	p.Query, p.Table = p.IdentifiersQuery, p.IdentifiersTable
	l.database(key, &p.exportKeys, e.ProfileIDs)
	return e
}

// or returns what is said, or else what holds where nothing is.
func or[T any](said *T, otherwise T) T {
	if said != nil {
		return *said
	}
	return otherwise
}

func (r *reader) traitType(key, value string) values.Type {
	return choice(r, key, value, map[string]values.Type{
		"": values.Auto, "auto": values.Auto, "string": values.Text, "number": values.Number,
		"boolean": values.Boolean, "datetime": values.Datetime,
	})
}

func (r *reader) clearMissing(key, value string) bool {
	return choice(r, key+".on_missing", value, map[string]bool{"": false, "keep": false, "clear": true})
}

func (l *exportLoader) export(key string, k *exportKeys) inputs.Export {
	e := inputs.Export{
		Export: engage.Export{
			Source:    l.text(key+".source", k.Source),
			Dir:       l.dir,
			TempDir:   l.tempDir,
			Pick:      choice(l.reader, key+".pick", k.Pick, map[string]engage.Pick{"": engage.PickOne, "newest": engage.PickNewest, "all": engage.PickAll}),
			Format:    choice(l.reader, key+".format", k.Format, map[string]engage.Format{"": engage.AnyFormat, "csv": engage.CSV, "ndjson": engage.NDJSON, "parquet": engage.Parquet}),
			Delimiter: choice(l.reader, key+".delimiter", k.Delimiter, delimiters),
			UserID:    l.text(key+".user_id", k.UserID),
			Identifiers: choice(l.reader, key+".identifiers", k.Identifiers, map[string]engage.Identifiers{
				"": engage.AllIDs, "all": engage.AllIDs, "first": engage.FirstID, "last": engage.LastID,
			}),
		},
		KeepAbsent: choice(l.reader, key+".absent", k.Absent, map[string]bool{"": false, "exit": false, "keep": true}),
		MaxAge:     l.duration(key+".max_age", k.MaxAge),

		IgnoreBroken: choice(l.reader, key+".broken_rows", k.BrokenRows, map[string]bool{"": false, "withhold": false, "ignore": true}),
	}
	e.AllowEmpty = k.AllowEmpty
	e.AnyParts = choice(l.reader, key+".parts", k.Parts, map[string]bool{"": false, "all": false, "any": true})
	if k.MaxExits != nil {
		limit := l.limit(key+".max_exits", k.MaxExits)
		e.MaxExits = &limit
	}
	if e.Timeout = l.duration(key+".timeout", k.Timeout); e.Timeout > 0 && len(k.Command) == 0 && !database.IsAddress(e.Source) {
		l.fail(key+".timeout", errors.New("it is for databases and commands only"))
	}
	l.command(key, k, &e.Export)
	l.database(key, k, &e.Export)
	if e.Source == "" {
		l.fail(key+".source", errors.New("it is missing"))
	} else if err := engage.CheckSource(e.Source); err != nil {
		scheme, _, _ := strings.Cut(e.Source, "://")
		if near := nearest.Word(scheme, []string{"postgres", "postgresql", "redshift", "trino", "s3", "gs", "azblob"}); near != "" && near != scheme {
			err = fmt.Errorf("%w: did you mean %s://?", err, near)
		}
		l.fail(key+".source", err)
	}
	return e
}

// attribute checks that the attribute's key can be one and is not taken.
func (l *exportLoader) attribute(at string, kind engage.Kind, name, override string) engage.Attribute {
	a := engage.Attribute{Kind: kind, Name: l.text(at+".name", name), Key: l.text(at+".key", override)}
	a.Chosen = a.Key != ""
	var err error
	switch {
	case a.Name == "":
		l.fail(at+".name", errors.New("it is missing"))
		return a
	case a.Key == "":
		a.Key, err = keys.Of(a.Name)
	default:
		err = keys.Check(a.Key)
	}
	l.take(at, fmt.Sprintf("%s %q", kind, a.Name), a.Key, err, instead(at, a.Name))
	return a
}

// instead says how to choose another key.
func instead(at, name string) string {
	if strings.HasPrefix(at, "audience") || strings.HasPrefix(at, "trait") {
		return `choose another one with key = "…"`
	}
	return fmt.Sprintf(`choose another one with keys = { %q = "…" }`, name)
}

// take notes that something has a key, of which err says whether it can be one.
func (l *exportLoader) take(at, what, key string, err error, instead string) {
	failed := func(err error) error { return l.at(at, fmt.Errorf("%s: %w: %s", what, err, instead)) }
	if errors.As(err, new(*keys.ReservedError)) {
		l.reserved[key] = failed(err)
	} else if err != nil {
		l.errs = append(l.errs, failed(err))
		return
	}
	what = fmt.Sprintf("%s (line %d)", what, l.lines.at(at))
	if other, taken := l.keys[key]; taken {
		l.fail(at, fmt.Errorf("%s and %s have the same key %s: %s", other, what, key, instead))
	}
	l.keys[key] = what
}
