package engage

import (
	"path"
	"slices"
	"strings"
)

// Wildcard takes attributes that are not named one by one: each whose name matches.
type Wildcard struct {
	Kind    Kind
	Pattern string // * stands for any characters, ? for one; case does not matter
	Type    Type   // of a trait's values
}

// Matches reports whether the pattern matches a name, or its snake case.
func (w Wildcard) Matches(name string) bool { return matches(w.Pattern, name) }

// IsPattern reports whether a name is a pattern.
func IsPattern(name string) bool { return strings.ContainsAny(name, "*?") }

// Take returns the attribute that the export's wildcards make of a name, false if none of
// them takes it. Its key may be one that no attribute can have, see [Key].
func (e *Export) Take(name string) (a Attribute, ok bool) {
	if len(e.Wildcards) == 0 || matchesAny(e.Exclude, name) {
		return a, false
	}
	for _, w := range e.Wildcards {
		if w.Matches(name) {
			return Attribute{Kind: w.Kind, Key: snake(name), Name: name, Column: name, Type: w.Type}, true
		}
	}
	return a, false
}

// TakeColumns returns the attributes that the wildcards make of columns. Those that the
// export uses for something else are left out, and so are those that Segment's warehouses
// and exports add to every table.
func (e *Export) TakeColumns(columns []string) []Attribute {
	used := slices.Concat(own, e.Fields)
	if e.UserID != "" {
		used = append(used, e.UserID)
	}
	for _, a := range e.Attributes {
		used = append(used, a.Column)
	}
	var taken []Attribute
	for _, column := range columns {
		if find(used, column) >= 0 || strings.HasPrefix(snake(column), "context_") {
			continue
		}
		if a, ok := e.Take(column); ok {
			taken = append(taken, a)
		}
	}
	return taken
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

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

// matches compares a pattern with a name and with the name's snake case.
func matches(pattern, name string) bool {
	pattern = plain.Replace(strings.ToLower(pattern))
	asIs, _ := path.Match(pattern, separator.Replace(strings.ToLower(name)))
	inSnake, _ := path.Match(pattern, snake(name))
	return asIs || inSnake
}

// To [path.Match] more than * and ? has a meaning.
var (
	separator = strings.NewReplacer("/", "\x00")
	plain     = strings.NewReplacer("/", "\x00", `[`, `\[`, `\`, `\\`)
)
