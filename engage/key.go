package engage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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

// ErrNoKey is returned by [Key] for a name without a letter or digit.
var ErrNoKey = errors.New("the name has no letter or digit to make a key of")

// Key returns the name that an audience or computed trait has in Gleap: its
// snake_cased name, as Segment's own destination builds it. "Order completed
// last 30days" becomes order_completed_last_30days. The key of a key is the key
// itself. A key that Gleap's contacts already use as a field is an error.
func Key(name string) (string, error) {
	key := snake(name)
	if key == "" {
		return "", ErrNoKey
	}
	return key, CheckKey(key)
}

// CheckKey returns an error if key cannot be an attribute's name in Gleap. It
// is for keys that were chosen by hand.
func CheckKey(key string) error {
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
	return nil
}

// snake returns name in snake_case, "" if nothing of it can stand in a key.
func snake(name string) string {
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
