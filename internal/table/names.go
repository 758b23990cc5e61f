package table

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gleapsync/internal/keys"
	"gleapsync/internal/nearest"
)

// Find returns the index of a column: the one of exactly that name, else the first that
// [keys.Same].
func Find(names []string, name string) int {
	if i := slices.Index(names, name); i >= 0 {
		return i
	}
	return slices.IndexFunc(names, func(n string) bool { return keys.Same(n, name) })
}

// CheckOnce returns an error if columns of these names, as Find finds them, stand several
// times in a header, so that nobody can tell which of them is meant.
func CheckOnce(names, needed []string) error {
	var doubled []string
	for i, name := range needed {
		same := columnsOf(names, name)
		if len(same) < 2 || slices.Contains(needed[:i], name) {
			continue
		}
		var at []string
		for _, column := range same {
			if names[column] == names[same[0]] && column != same[0] {
				at[0] = strings.TrimSuffix(at[0], ")") + fmt.Sprintf(" and %d)", column+1)
			} else {
				at = append(at, fmt.Sprintf("%q (column %d)", names[column], column+1))
			}
		}
		doubled = append(doubled, strings.Join(at, " and "))
	}
	if len(doubled) == 0 {
		return nil
	}
	return fmt.Errorf("nobody can tell which column is meant: %s: export each once, or under a name of its own", strings.Join(doubled, "; "))
}

// columnsOf returns the columns that a name may mean: all of exactly that name, else all
// whose names differ only in case, blanks or underscores.
func columnsOf(names []string, name string) []int {
	var exact, similar []int
	want := keys.Snake(name)
	for i, n := range names {
		if n == name {
			exact = append(exact, i)
		}
	}
	if len(exact) > 0 || want == "" {
		return exact
	}
	for i, n := range names {
		if keys.Snake(n) == want {
			similar = append(similar, i)
		}
	}
	return similar
}

// Meant returns the column that may be meant by a name that none has, with those that are there, as
// the end of an error.
func Meant(name string, names []string) string {
	list := Present(names)
	if near := nearest.Word(name, names); near != "" && strings.HasPrefix(list, columnsAre) {
		return fmt.Sprintf(": did you mean %q? Its columns are %s", near, strings.TrimPrefix(list, columnsAre))
	}
	return list
}

const columnsAre = "; its columns are "

// maxShown is how many of the columns that are there an error names.
const maxShown = 20

// Present returns the names of the columns that are there, as the end of an error.
func Present(names []string) string {
	if slices.ContainsFunc(names, IsData) {
		return "; the first line looks like a row of data: export it with a header"
	}
	var shown []string
	for _, name := range names[:min(len(names), maxShown)] {
		shown = append(shown, strconv.Quote(name))
	}
	list := strings.Join(shown, ", ")
	if more := len(names) - maxShown; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return columnsAre + list
}

// IsData reports whether a text can hardly be the name of a column: such a one may be
// personal, and is not to be shown.
func IsData(name string) bool {
	return strings.Contains(name, "@") || len(name) > 100 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) ||
		numberOrTruth.MatchString(name)
}

var numberOrTruth = regexp.MustCompile(`(?i)^([-+]?\d+([.,/:-].*)?|true|false)$`)
