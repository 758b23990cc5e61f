// Package schema makes JSON Schemas of Go types: of what reads a configuration and of what
// writes JSON, so that a schema says what the program does.
//
// A field's name is that of the tag that reads or writes it. What a type does not say a field's
// own tags do: `one:"a b"` names the texts that it takes, `empty:"yes"` lets a word be none, and
// `as:"string integer"` names the kinds of an interface.
package schema

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
)

// draft is the edition of JSON Schema that is written.
const draft = "https://json-schema.org/draft/2020-12/schema"

// Maker makes schemas.
type Maker struct {
	Tag string // that names fields: json or toml
	// Strict refuses what is not named, as the configuration does. Without it more may come
	// with a later version.
	Strict bool
	// Variables lets a text be made of the environment: ${NAME} instead of one of its words.
	Variables bool
	Texts     map[reflect.Type][]string // the texts that values of a type have
}

type object = map[string]any

// Of returns the schema of a type, with a title.
func (m Maker) Of(t reflect.Type, title string) ([]byte, error) {
	s := m.of(t)
	s["$schema"], s["title"] = draft, title
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}

var (
	asText = reflect.TypeFor[encoding.TextMarshaler]()
	asJSON = reflect.TypeFor[json.Marshaler]()
)

func (m Maker) of(t reflect.Type) object {
	if words, ok := m.Texts[t]; ok {
		return object{"type": "string", "enum": words}
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return m.of(t.Elem())
	case t.Implements(asText):
		return object{"type": "string"}
	case t.Implements(asJSON): // a value of an attribute
		return object{"type": []string{"string", "number", "boolean", "null"}}
	}
	switch t.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": m.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": m.of(t.Elem())}
	case reflect.Struct:
		properties, required := object{}, []string{}
		m.fields(t, properties, &required)
		s := object{"type": "object", "properties": properties}
		if m.Strict {
			s["additionalProperties"] = false
		} else if len(required) > 0 {
			s["required"] = required
		}
		return s
	case reflect.Interface:
		return object{}
	}
	return object{"type": "integer"}
}

// fields adds a struct's fields, and those of the structs in it that have no name of their own.
func (m Maker) fields(t reflect.Type, properties object, required *[]string) {
	for _, f := range reflect.VisibleFields(t) {
		name, rest, _ := strings.Cut(f.Tag.Get(m.Tag), ",")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		s := m.of(f.Type)
		if words := strings.Fields(f.Tag.Get("one")); len(words) > 0 {
			s = m.words(words)
		}
		if words, ok := s["enum"].([]string); ok && f.Tag.Get("empty") != "" {
			s["enum"] = append(slices.Clone(words), "")
		}
		if kinds := strings.Fields(f.Tag.Get("as")); len(kinds) > 0 {
			s = object{"type": kinds}
		}
		omitted := strings.Contains(rest, "omitempty") || strings.Contains(rest, "omitzero")
		if kind := f.Type.Kind(); !omitted && !m.Strict && (kind == reflect.Slice || kind == reflect.Map || kind == reflect.Pointer) {
			s = object{"anyOf": []object{s, {"type": "null"}}}
		}
		properties[name] = s
		if !omitted {
			*required = append(*required, name)
		}
	}
	slices.Sort(*required)
}

// words returns the schema of a text that is one of some words.
func (m Maker) words(words []string) object {
	if !m.Variables {
		return object{"type": "string", "enum": words}
	}
	return object{"type": "string", "anyOf": []object{{"enum": words}, {"pattern": `^$|\$\{`}}}
}
