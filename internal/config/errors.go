package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// lines holds, for each key of the file, in which line it stands: gleap.rate, or
// audience[0].name.
type lines map[string]int

// findLines walks over a document that parses.
func findLines(text []byte) lines {
	all := lines{}
	count := map[string]int{}
	p := unstable.Parser{}
	p.Reset(text)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		key, line := keyOf(&p, e)
		switch e.Kind {
		case unstable.Table:
			// [table.keys] belongs to the [[table]] before it.
			if first, rest, within := strings.Cut(key, "."); within && count[first] > 0 {
				key = fmt.Sprintf("%s[%d].%s", first, count[first]-1, rest)
			}
			table = key
			all[key] = line
		case unstable.ArrayTable:
			table = fmt.Sprintf("%s[%d]", key, count[key])
			count[key]++
			all[table] = line
		case unstable.KeyValue:
			if table != "" {
				key = table + "." + key
			}
			all[key] = line
		}
	}
	return all
}

func keyOf(p *unstable.Parser, e *unstable.Node) (key string, line int) {
	var parts []string
	for it := e.Key(); it.Next(); {
		if line == 0 {
			line = p.Shape(it.Node().Raw).Start.Line
		}
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, "."), line
}

// at returns the line of a key, or that of the table in which it would stand: a key without
// one stands above all tables.
func (l lines) at(key string) int {
	for {
		if line, ok := l[key]; ok {
			return line
		}
		i := strings.LastIndexAny(key, ".[") // audiences[1] stands in the line of audiences
		if i < 0 {
			return 1
		}
		key = key[:i]
	}
}

// describe makes errors of the TOML library ones for people.
func describe(path string, err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var all []error
		for i := range strict.Errors {
			e := &strict.Errors[i]
			line, _ := e.Position()
			key := strings.Join(e.Key(), ".")
			if key == "gleap.api_token" {
				all = append(all, fmt.Errorf("%s:%d: %s: the token does not belong into this file: name where it is with api_token_env or api_token_file", path, line, key))
				continue
			}
			all = append(all, fmt.Errorf("%s:%d: %s: %s", path, line, key, unknown(key)))
		}
		return errors.Join(all...)
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, _ := decode.Position()
		key := strings.Join(decode.Key(), ".")
		message := strings.TrimPrefix(decode.Error(), "toml: ")
		switch {
		case key != "" && (strings.Contains(message, "into") || strings.Contains(message, " in a struct")): // it names Go's types
			message = expected(key)
		case strings.Contains(message, "already exists as an array"):
			message = fmt.Sprintf("all of its tables begin with a line [[%s]]", key)
		case strings.HasPrefix(message, "strings must be quoted"), strings.HasPrefix(message, "unexpected character"):
			message += `: text stands in quotes, such as name = "VIP"`
		}
		if key != "" {
			message = key + ": " + message
		}
		return fmt.Errorf("%s:%d: %s", path, line, message)
	}
	return fmt.Errorf("%s: %w", path, err)
}
