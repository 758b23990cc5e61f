package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"gleapsync/internal/nearest"
)

// knownKeys are the keys and tables that a file may have, with the values that they have
// where it does not name them: gleap.rate, or audience.name.
func knownKeys() map[string]reflect.Value {
	all := map[string]reflect.Value{}
	addKeys(all, "", reflect.ValueOf(defaults()))
	return all
}

func addKeys(all map[string]reflect.Value, table string, keys reflect.Value) {
	for field, value := range keys.Fields() {
		switch name := field.Tag.Get("toml"); {
		case field.Anonymous:
			addKeys(all, table, value)
		default:
			all[table+name] = value
			if isTables(value) {
				value = reflect.Zero(value.Type().Elem())
			}
			if value.Kind() == reflect.Struct {
				addKeys(all, table+name+".", value)
			}
		}
	}
}

func isTables(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct
}

// written is a key, or the head of a table, as it stands in a file.
func written(path string, value reflect.Value) string {
	switch {
	case isTables(value):
		return "[[" + path + "]]"
	case value.Kind() == reflect.Struct:
		return "[" + path + "]"
	}
	return path[strings.LastIndex(path, ".")+1:]
}

// unknown says what may be meant by a key or table that there is not.
func unknown(path string) string {
	known := knownKeys()
	dot := strings.LastIndex(path, ".")
	table, name := path[:dot+1], path[dot+1:]
	var names, elsewhere []string
	all := slices.Sorted(maps.Keys(known))
	for _, p := range all {
		if dot := strings.LastIndex(p, "."); p[:dot+1] == table {
			names = append(names, p[dot+1:])
		}
	}
	if table == "track." && ofOtherSources(name) {
		return "[[track]] takes files only: there is no key " + name
	}
	near := nearest.Word(name, names)
	for _, p := range all {
		dot := strings.LastIndex(p, ".")
		switch {
		case p[:dot+1] == table:
		case dot < 0 && p == name && strings.HasPrefix(written(p, known[p]), "["): // audience, for audiences
		case dot < 0 && p == name:
			return "there is no such key: it belongs above the first table"
		case p[dot+1:] == name:
			elsewhere = append(elsewhere, written(p[:dot], known[p[:dot]]))
		}
	}
	switch meant := table + near; {
	case near != "" && strings.HasPrefix(written(meant, known[meant]), "["):
		return "there is no such table: did you mean " + written(meant, known[meant]) + "?"
	case len(elsewhere) > 0:
		return "there is no such key here, only in " + strings.Join(elsewhere, ", ")
	case near != "":
		return fmt.Sprintf("there is no such key: did you mean %s?", near)
	}
	return "there is no such key"
}

// otherCase returns an error for each key that has capitals where there are none. The library takes
// them all the same, and of path and Path the one that comes last.
func otherCase(path string, text []byte, lines lines) error {
	var file map[string]any
	if err := toml.Unmarshal(text, &file); err != nil {
		return describe(path, err)
	}
	known := knownKeys()
	var wrong []error
	var look func(table, shown string, keys map[string]any)
	look = func(table, shown string, keys map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			meant := strings.ToLower(table + name)
			value, isKey := known[meant]
			if isKey && meant != table+name {
				wrong = append(wrong, fmt.Errorf("%s:%d: %s: there is no such key: did you mean %s?", path, lines.at(shown+name), table+name, written(meant, value)))
			}
			switch keys := keys[name].(type) {
			case map[string]any:
				look(meant+".", shown+name+".", keys)
			case []any:
				for i, one := range keys {
					if keys, ok := one.(map[string]any); ok {
						look(meant+".", fmt.Sprintf("%s%s[%d].", shown, name, i), keys)
					}
				}
			}
		}
	}
	look("", "", file)
	return errors.Join(wrong...)
}

// ofOtherSources reports whether a key is one of databases or commands.
func ofOtherSources(name string) bool {
	keys := map[string]reflect.Value{}
	addKeys(keys, "", reflect.ValueOf(databaseKeys{}))
	_, ok := keys[name]
	return ok || name == "command" || name == "env" || name == "timeout"
}

// expected says what a key takes, with an example: the value that it has where the file
// does not name it, if it is one.
func expected(path string) string {
	value, known := knownKeys()[path]
	for !known && strings.Contains(path, ".") { // an entry of { name = … }, or of a list
		path = path[:strings.LastIndex(path, ".")]
		value, known = knownKeys()[path]
	}
	if !known {
		return "the value is not of the kind that this key takes"
	}
	name := path[strings.LastIndex(path, ".")+1:]
	if value.Kind() == reflect.Pointer {
		value = reflect.Zero(value.Type().Elem())
	}
	switch {
	case isTables(value), value.Kind() == reflect.Struct:
		return "it is a table, which begins with a line " + written(path, value)
	case value.Kind() == reflect.String:
		example := value.String()
		if example == "" {
			example = examples[name]
		}
		if example == "" {
			return "it takes text in quotes"
		}
		return fmt.Sprintf("it takes text in quotes, such as %q", example)
	case value.Kind() == reflect.Bool:
		return "it takes true or false, without quotes"
	case value.Kind() == reflect.Int:
		return fmt.Sprintf("it takes a whole number without quotes, such as %d", max(value.Int(), 40))
	case value.Kind() == reflect.Slice:
		return `it takes a list of texts, such as ["first", "second"]`
	case value.Kind() == reflect.Map:
		return `it takes texts by name, such as { name = "…" }`
	}
	return "it takes text in quotes or a number"
}

// examples are values of keys that have none where the file does not name them.
var examples = map[string]string{"deadline": "110m", "jitter": "5m", "max_age": "26h", "timeout": "10m"}
