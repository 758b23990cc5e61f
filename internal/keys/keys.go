// Package keys makes the names that attributes have in Gleap of those that audiences and traits
// have in Engage, and tells which names are the same.
//
// A name that is a key already stays as it is, every other one is snake_cased ([Of]). What an
// earlier version made of a name is [Former]: contacts have such keys, so they are never forgotten.
package keys

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// reserved are the names that contacts in Gleap already have: an attribute of
// that name would overwrite the contact's own field or vanish without a word.
// Source: Gleap's contact model, and what Segment's Gleap destination swallows.
var reserved = []string{
	"avatar", "blocked", "companyId", "companyName", "createdAt", "customData",
	"deviceType", "email", "firstActivity", "firstName", "gleapHash", "gleapId",
	"lang", "lastActivity", "lastHeardFrom", "lastName", "lastPageView",
	"location", "name", "organisation", "phone", "plan", "platform", "project",
	"sessions", "sla", "unsubscribed", "userId", "user_id", "value",
}

// reservedToo are further fields of contacts, which earlier versions did not know.
var reservedToo = []string{
	"checklistTasks", "countFeedbackComments", "countFeedbackReports", "emailOnly", "eventData",
	"identityHistory", "lastFeedbackReport", "memory", "outboundHistory", "tags",
	"unsubscribeReason", "unsubscribedAt", "updatedAt",
}

// ReservedError is returned by [Check] for a key that is one of Gleap's fields, which
// earlier versions took. An attribute that was delivered by one of them may go on.
type ReservedError struct{ Key, Field string }

func (e *ReservedError) Error() string {
	if e.Key == e.Field {
		return fmt.Sprintf("%q is a field that Gleap contacts already have", e.Key)
	}
	return fmt.Sprintf("%q is a field that Gleap contacts already have, as %s", e.Key, e.Field)
}

// reservedField returns the field that a key would be, case and underscores apart, "" if
// there is none.
func reservedField(key string) string { return reservedFields()[bare(key)] }

// reservedFields are the reserved fields by what they are without case and underscores.
var reservedFields = sync.OnceValue(func() map[string]string {
	fields := map[string]string{}
	for _, field := range slices.Backward(slices.Concat(reserved, reservedToo)) { // the first of several counts
		fields[bare(field)] = field
	}
	return fields
})

func bare(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// ErrNone is returned by [Of] for a name without a letter or digit.
var ErrNone = errors.New("the name has no letter or digit to make a key of")

// Of returns the name that an audience or computed trait has in Gleap. A name that is a
// key already stays as it is: Segment gives such names itself, j_o_first_order__opened for
// one. Every other name is snake_cased, as Segment's own destination does it: "Order
// completed last 30days" becomes order_completed_last_30days. A key that Gleap's contacts
// already use as a field is an error.
func Of(name string) (string, error) {
	key := Make(name)
	if key == "" {
		return "", ErrNone
	}
	return key, Check(key)
}

// Make is [Of] without a look at what Gleap takes; "" if nothing of the name can stand in a
// key.
func Make(name string) string {
	if Is(name) {
		return name
	}
	return Snake(name)
}

// Is reports whether a name is a key as it stands.
func Is(name string) bool {
	letter := false
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z':
			letter = true
		case c != '_' && (c < '0' || c > '9'):
			return false
		}
	}
	return letter
}

// Lookup returns what settings such as chosen keys say of the audience or trait of a name:
// what they say of the name itself, or else of one that makes the same key. as is the name
// that was found, "" if none was.
func Lookup[T any](said map[string]T, name string) (value T, as string) {
	if value, ok := said[name]; ok {
		return value, name
	}
	key, _ := Of(name) // whether it can be an attribute's does not matter here
	for _, other := range slices.Sorted(maps.Keys(said)) {
		if k, _ := Of(other); k == key && key != "" {
			return said[other], other
		}
	}
	return value, ""
}

// Former returns the key that earlier versions made of a name, "" if it had none: they
// put underscores together, and took them off the ends, of names that are keys too.
// Contacts in Gleap have those keys, so whoever has a state that knows them goes on with
// them.
func Former(name string) string { return Snake(name) }

// Same reports whether two names differ only in case, blanks and the way in which their
// words are joined, as names in headers do. Two that are keys already are two names. So
// are A__B and A_B of a warehouse that has all names in upper case.
func Same(a, b string) bool {
	a = loose(a)
	return a != "" && a == loose(b)
}

func loose(name string) string {
	if lower := strings.ToLower(name); Is(lower) && strings.ToUpper(name) == name {
		return lower
	}
	return Make(name)
}

// Places returns which of the names are that of an attribute: the one of exactly that name,
// else those that are the same otherwise and exactly the name of none of the others. More
// than one place says that nobody can tell.
func Places(names []string, name string, others []string) []int {
	if i := slices.Index(names, name); i >= 0 {
		return []int{i}
	}
	var places []int
	for i, n := range names {
		if Same(n, name) && !slices.Contains(others, n) {
			places = append(places, i)
		}
	}
	return places
}

// Almost reports whether a name differs from the one that is wanted in its spelling, or in
// one byte, which as a backslash may have taken the next one with it. Of short names that
// says nothing.
func Almost(name, want string) bool {
	if name == want || len(want) < len("email") {
		return false
	}
	a, b := name, want
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 1 && len(b) <= 2 || Same(name, want)
}

// Check returns an error if key cannot be an attribute's name in Gleap, a
// [*ReservedError] if earlier versions took it. It is for keys that were chosen by hand.
func Check(key string) error {
	switch {
	case key == "":
		return errors.New("the key is empty")
	case slices.Contains(reserved, key):
		return fmt.Errorf("%q is a field that Gleap contacts already have", key)
	case strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
	}):
		return fmt.Errorf("%q holds more than letters, digits, _ and -", key)
	}
	if field := reservedField(key); field != "" {
		return &ReservedError{key, field}
	}
	return nil
}

// Snake returns name in snake_case, "" if nothing of it can stand in a key.
func Snake(name string) string {
	runes := fold(name)
	key := make([]rune, 0, len(runes)+4)
	for i, r := range runes {
		switch {
		case isWord(r):
			if startsWord(runes, i) && len(key) > 0 && key[len(key)-1] != '_' {
				key = append(key, '_')
			}
			key = append(key, unicode.ToLower(r))
		case len(key) > 0 && key[len(key)-1] != '_':
			key = append(key, '_')
		}
	}
	return norm.NFC.String(strings.TrimRight(string(key), "_"))
}

// startsWord reports whether the letter at i starts a new word: an upper-case
// letter after a lower-case one or a digit, and the last of several upper-case
// letters before a lower-case one.
func startsWord(runes []rune, i int) bool {
	if i == 0 || !isUpper(runes[i]) {
		return false
	}
	before := runes[i-1]
	return unicode.IsLower(before) || unicode.IsDigit(before) ||
		isUpper(before) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
}

// isUpper leaves out upper-case letters that have no lower case: they would
// start a word again in the key of the key.
func isUpper(r rune) bool { return unicode.ToLower(r) != r }

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// fold takes accents off Latin letters and drops apostrophes. Marks of other
// scripts are part of their letters and stay.
func fold(name string) []rune {
	var runes []rune
	for _, r := range norm.NFD.String(strings.ToValidUTF8(name, " ")) {
		switch {
		case strings.ContainsRune("'\u2018\u2019\u02bc\uff07", r):
		case unicode.IsMark(r) && (len(runes) == 0 || !isWord(runes[len(runes)-1]) || unicode.Is(unicode.Latin, runes[len(runes)-1])):
		default:
			runes = append(runes, r)
		}
	}
	return runes
}
