package gleap

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gleapsync/internal/secret"
)

// Why Gleap refused a call stands in the answer: "customData.x must be a number". The names
// of the fields in it help whoever has to mend the exports; the values are personal data, and
// each contact has others, so that no two reasons would be the same. What stands in the call
// is masked, and what looks like an address, an id or a token is too.

const (
	masked = "…"
	// longestMessage is how many characters of a message are kept.
	longestMessage = 200
)

// message returns why an answer says that a call was refused, "" if it does not. Of what the
// call says, and of the token, nothing is in it.
func message(body, call []byte, token secret.Text) string {
	var answer any
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	text := strings.Join(strings.FieldsFunc(messageIn(answer), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == utf8.RuneError
	}), " ")
	if text == "" {
		return ""
	}
	secrets := append(valuesOf(call), string(token))
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the longest first: others may be parts of it
	for _, secret := range slices.Compact(secrets) {
		text = mask(text, secret)
	}
	text = personal.ReplaceAllString(text, masked)
	if runes := []rune(text); len(runes) > longestMessage {
		text = string(runes[:longestMessage]) + masked
	}
	return text
}

// personal is what may be of a person, or a secret, whoever wrote it: an e-mail address, a
// number of six digits or more, and what has letters and digits at such a length that it is
// no word. Keys have words between underscores.
var personal = regexp.MustCompile(`[^\s"'<>(),;:]+@[^\s"'<>(),;:]+|\+?\d[\d ./-]{4,}\d|\b[A-Za-z0-9]*\d[A-Za-z0-9]{15,}\b|\b[A-Za-z0-9]{15,}\d[A-Za-z0-9]*\b`)

// messageIn finds the message in an answer. Its form is not documented: it stands under one
// of these names, as a text or as a list of texts.
func messageIn(answer any) string {
	switch v := answer.(type) {
	case string:
		return v
	case []any:
		var all []string
		for _, one := range v {
			if text := messageIn(one); text != "" && !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
		return strings.Join(all, "; ")
	case map[string]any:
		for _, name := range []string{"message", "msg", "errors", "error", "details", "reason"} {
			if text := messageIn(v[name]); text != "" {
				return text
			}
		}
	}
	return ""
}

// valuesOf returns the texts and numbers in the body of a call, and the single words of texts
// that have no more than a name has.
func valuesOf(call []byte) (all []string) {
	const longestName = 4 // words
	decoder := json.NewDecoder(bytes.NewReader(call))
	decoder.UseNumber()
	isKey := false
	var depth []json.Delim
	for {
		token, err := decoder.Token()
		if err == io.EOF || err != nil {
			return all
		}
		inObject := len(depth) > 0 && depth[len(depth)-1] == '{'
		switch v := token.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				depth = append(depth, v)
				isKey = v == '{'
				continue
			}
			depth = depth[:len(depth)-1]
			inObject = len(depth) > 0 && depth[len(depth)-1] == '{'
		case string:
			if inObject && isKey {
				isKey = false
				continue
			}
			all = append(all, strings.Join(strings.Fields(v), " "))
			if words := strings.Fields(v); len(words) > 1 && len(words) <= longestName {
				all = append(all, words...)
			}
		case json.Number:
			all = append(all, v.String())
		}
		isKey = inObject
	}
}

// mask takes a value out of a text, wherever it stands as a whole, in any case of its letters.
// One character tells nothing of anybody, and may be a word.
func mask(text, value string) string {
	if utf8.RuneCountInString(value) < 2 {
		return text
	}
	isPart := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
	first, _ := utf8.DecodeRuneInString(value)
	last, _ := utf8.DecodeLastRuneInString(value)
	pattern := regexp.MustCompile("(?i)" + regexp.QuoteMeta(value))
	var b strings.Builder
	at := 0
	for _, found := range pattern.FindAllStringIndex(text, -1) {
		before, _ := utf8.DecodeLastRuneInString(text[:found[0]])
		after, _ := utf8.DecodeRuneInString(text[found[1]:])
		if found[0] > 0 && isPart(first) && isPart(before) || found[1] < len(text) && isPart(last) && isPart(after) {
			continue
		}
		b.WriteString(text[at:found[0]] + masked)
		at = found[1]
	}
	return b.String() + text[at:]
}
