package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/internal/damping"
	"gleapsync/internal/guard"
	"gleapsync/internal/schedule"
)

// reader reads the values of keys and collects what is wrong with them.
type reader struct {
	path  string // of the file
	dir   string // that its paths are relative to
	lines lines
	errs  []error
}

func (r *reader) fail(key string, err error) { r.errs = append(r.errs, r.at(key, err)) }

// at says where an error is.
func (r *reader) at(key string, err error) error {
	return fmt.Errorf("%s:%d: %s: %w", r.path, r.lines.at(key), key, err)
}

func (r *reader) text(key, value string) string {
	text, err := expand(value)
	if err != nil {
		r.fail(key, err)
	}
	return text
}

func (r *reader) duration(key, value string) time.Duration {
	text := r.text(key, value)
	if text == "" {
		return 0
	}
	d, err := schedule.ParseDuration(text)
	if err != nil {
		r.fail(key, err)
	}
	return d
}

// seconds returns a duration that must be there and not be too short.
func (r *reader) seconds(key, value string) time.Duration {
	before := len(r.errs)
	d := r.duration(key, value)
	if d < time.Second && len(r.errs) == before {
		r.fail(key, errors.New("it takes one second at least"))
	}
	return d
}

func (r *reader) limit(key string, value any) guard.Limit {
	text, before := "", len(r.errs)
	switch v := value.(type) {
	case string:
		text = r.text(key, v)
	case int64:
		text = strconv.FormatInt(v, 10)
	}
	limit, err := guard.ParseLimit(text)
	if err != nil && len(r.errs) == before {
		r.fail(key, err)
	}
	return limit
}

// choice maps a word to a setting.
func choice[T any](r *reader, key, value string, choices map[string]T) T {
	v, ok := choices[r.text(key, value)]
	if !ok {
		words := slices.DeleteFunc(slices.Sorted(maps.Keys(choices)), func(w string) bool { return w == "" || w == "\t" })
		r.fail(key, fmt.Errorf("it takes one of: %s", strings.Join(words, " ")))
	}
	return v
}

// file returns the path that a key names, from the configuration's folder.
func (r *reader) file(key, value string) string {
	path := r.text(key, value)
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, path)
}

func (r *reader) atLeast(key string, value, least int) int {
	if value < least {
		r.fail(key, fmt.Errorf("it takes %d at least", least))
	}
	return value
}

func (r *reader) memory(value string) int64 {
	const least = 16 << 20
	n, err := parseSize(r.text("sync.memory", value))
	if err == nil && n < least {
		err = errors.New("it takes 16MiB at least")
	}
	if err != nil {
		r.fail("sync.memory", err)
	}
	return n
}

func (r *reader) patterns(key string, patterns []string) []string {
	var all []string
	for i, pattern := range patterns {
		all = append(all, r.text(fmt.Sprintf("%s[%d]", key, i), pattern))
	}
	return all
}

func (r *reader) interval(key string, value any) time.Duration {
	if text, ok := value.(string); ok && text != "" {
		return r.duration(key, text)
	}
	r.fail(key, errors.New(`it takes a duration such as "24h", in tables also by column: { last_login = "24h" }`))
	return 0
}

func (r *reader) tolerance(key string, value any) damping.Tolerance {
	amount, share, err := 0.0, false, error(nil)
	switch v := value.(type) {
	case int64:
		amount = float64(v)
	case float64:
		amount = v
	case string:
		var text string
		text, share = strings.CutSuffix(strings.TrimSpace(r.text(key, v)), "%")
		amount, err = strconv.ParseFloat(strings.TrimSpace(text), 64)
	default:
		amount = -1
	}
	if err != nil || !(amount >= 0) || math.IsInf(amount, 1) {
		r.fail(key, errors.New(`it takes a share such as "1%" or a number such as 5, in tables also by column: { score = "1%" }`))
		return damping.Tolerance{}
	}
	if share {
		return damping.Tolerance{Share: amount / 100}
	}
	return damping.Tolerance{Amount: amount}
}

// since returns a time that may be left out. TOML has dates of its own.
func (r *reader) since(key string, value any) time.Time {
	var text string
	switch v := value.(type) {
	case nil:
		return time.Time{}
	case time.Time:
		return v
	case string:
		text = r.text(key, v)
	case fmt.Stringer: // a date of TOML's own without an offset
		text = v.String()
	}
	t, ok := attr.Time(text)
	if !ok {
		r.fail(key, errors.New(`it takes a date such as "2026-11-25" or "2026-11-25T08:00:00Z"`))
	}
	return t
}

func (r *reader) eventName(key, value string) string {
	name := r.text(key, value)
	if name == "" {
		r.fail(key, errors.New("it is empty"))
	}
	return name
}
