package engage

import (
	"path"
	"slices"
	"strings"

	"gleapsync/internal/keys"
	"gleapsync/internal/table"
	"gleapsync/internal/values"
)

// Wildcard takes attributes that are not named one by one: each whose name matches.
type Wildcard struct {
	Kind    Kind
	Pattern string      // * stands for any characters, ? for one; case does not matter
	Type    values.Type // of a trait's values
}

// Matches reports whether the pattern matches a name, or its snake case.
func (w Wildcard) Matches(name string) bool { return matches(w.Pattern, name) }

// IsPattern reports whether a name is a pattern.
func IsPattern(name string) bool { return strings.ContainsAny(name, "*?") }

// Take returns the attribute that the export's wildcards make of a name, false if none of
// them takes it. Its key may be one that no attribute can have, see [keys.Of].
func (e *Export) Take(name string) (a Attribute, ok bool) {
	if len(e.Wildcards) == 0 || e.excludes(name) {
		return a, false
	}
	for _, w := range e.Wildcards {
		if w.Matches(name) {
			a = e.found(w.Kind, name, w.Type)
			a.Column = name
			return a, true
		}
	}
	return a, false
}

// found returns the attribute of a name that came with the data.
func (e *Export) found(kind Kind, name string, typ values.Type) Attribute {
	a := Attribute{Kind: kind, Key: keys.Make(name), Name: name, Type: typ}
	if kept, ok := e.Kept[Named{kind, name}]; ok {
		a.Key = kept
	}
	chosen, ok := e.Keys[name]
	if !ok && strings.ToUpper(name) == name { // some warehouses have all names in upper case
		chosen, ok = e.Keys[strings.ToLower(name)]
	}
	if ok {
		a.Key, a.Chosen = chosen, true
	}
	if chosen, as := keys.Lookup(e.Types, name); as != "" && kind == Trait {
		a.Type = chosen
	}
	a.Known = e.Known[a.Key]
	return a
}

// TakeColumns returns the attributes that the wildcards make of columns. Those that the
// export uses for something else are left out, and so are those that Segment's warehouses
// and exports add to every table. One that stands twice is taken once: that nobody can tell
// which is meant the reading says.
func (e *Export) TakeColumns(columns []string) []Attribute {
	var taken []Attribute
	for _, column := range e.unnamed(columns) {
		if a, ok := e.Take(column); ok {
			taken = append(taken, a)
		}
	}
	return taken
}

// unnamed returns the columns, each once, that may have attributes and that the export does not
// name.
func (e *Export) unnamed(columns []string) []string {
	used := map[int]bool{}
	for _, a := range e.Attributes {
		for _, i := range keys.Places(columns, a.Column, e.columns()) {
			used[i] = true
		}
	}
	var others []string
	for i, column := range columns {
		s := keys.Snake(column)
		if used[i] || slices.Contains(columns[:i], column) || table.Find(e.Fields, column) >= 0 || keys.Same(e.UserID, column) || slices.Contains(own, s) || strings.HasPrefix(s, "context_") {
			continue
		}
		others = append(others, column)
	}
	return others
}

// columns returns the columns of the attributes.
func (e *Export) columns() []string {
	var all []string
	for _, a := range e.Attributes {
		all = append(all, a.Column)
	}
	return all
}

// own are the columns that hold neither audiences nor traits.
var own = []string{
	"user_id", "anonymous_id", "external_ids", "key", "traits", "value",
	"id", "event", "event_text", "received_at", "sent_at", "timestamp", "original_timestamp", "loaded_at",
	"uuid", "uuid_ts", "segment_id", "canonical_segment_id", "seq",
}

// MatchesAny reports whether one of the patterns, which may be names and keys too, matches an
// attribute.
func MatchesAny(patterns []string, a Attribute) bool {
	return matchesAny(patterns, a.Name) || matchesAny(patterns, a.Key)
}

// excludes reports whether Exclude takes a name out. What is no pattern is a name as it
// stands, so that Score can be taken out and score stays, or a key. All in upper case it is
// also a name in lower case, since some warehouses turn one into the other.
func (e *Export) excludes(name string) bool {
	return slices.ContainsFunc(e.Exclude, func(p string) bool {
		switch {
		case IsPattern(p):
			return matches(p, name)
		case p == name:
			return true
		case keys.Is(p):
			return p == keys.Make(name)
		}
		return p == strings.ToUpper(name) && keys.Is(name)
	})
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

// matches compares a pattern with a name and with the name's snake case; what is no pattern
// with the name and its key.
func matches(pattern, name string) bool {
	pattern = strings.ToLower(pattern)
	if !IsPattern(pattern) {
		return pattern == strings.ToLower(name) || pattern == keys.Make(name)
	}
	pattern = plain.Replace(pattern)
	asIs, _ := path.Match(pattern, separator.Replace(strings.ToLower(name)))
	inSnake, _ := path.Match(pattern, keys.Snake(name))
	return asIs || inSnake
}

// To [path.Match] more than * and ? has a meaning.
var (
	separator = strings.NewReplacer("/", "\x00")
	plain     = strings.NewReplacer("/", "\x00", `[`, `\[`, `\`, `\\`)
)
