package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// kind is what Gleap accepts under a key.
type kind struct {
	what string // completes: the key must be ...
	has  func(v any) bool
}

var (
	str     = kind{"a string", func(v any) bool { _, ok := v.(string); return ok }}
	text    = kind{"a non-empty string", func(v any) bool { s, ok := v.(string); return ok && s != "" }}
	number  = kind{"a number", func(v any) bool { _, ok := v.(json.Number); return ok }}
	moment  = kind{"an RFC 3339 time", func(v any) bool { _, ok := toTime(v); return ok }}
	email   = kind{"an e-mail address", isEmail}
	scalar  = kind{"a string, a number, a boolean or null", isScalar}
	list    = kind{"a list that is not empty", func(v any) bool { l, ok := v.([]any); return ok && len(l) > 0 }}
	dict    = kind{"an object", func(v any) bool { _, ok := v.(object); return ok }}
	locked  = kind{"left out: it is a field that Gleap sets itself", func(any) bool { return false }}
	unknown = kind{"left out: it is unknown", func(any) bool { return false }}
)

// schema says which kind stands under which key of an object.
type schema map[string]kind

// check holds each key of o against its kind, the ones s does not know against
// other, and asks for the required ones. Its errors name the key and never show
// a value.
func (o object) check(s schema, other kind, required ...string) error {
	for _, key := range o.keys {
		k, ok := s[key]
		if !ok {
			k = other
		}
		if !k.has(o.values[key]) {
			return fmt.Errorf("%s must be %s", key, k.what)
		}
	}
	for _, key := range required {
		if _, ok := o.values[key]; !ok {
			return fmt.Errorf("%s is missing", key)
		}
	}
	return nil
}

// toTime is stricter than time.Parse, which takes an hour of one digit and a
// comma before the fraction.
func toTime(v any) (time.Time, bool) {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || s[13] != ':' || s[19] == ',' {
		return time.Time{}, false
	}
	return t.UTC(), true
}

func isEmail(v any) bool {
	s, _ := v.(string)
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" &&
		!strings.Contains(domain, "@") &&
		strings.Contains(strings.Trim(domain, "."), ".") &&
		!strings.ContainsFunc(s, unicode.IsSpace)
}

func isScalar(v any) bool {
	switch v.(type) {
	case nil, string, bool, json.Number:
		return true
	}
	return false
}
