package config

import (
	"reflect"

	"gleapsync/internal/schema"
)

// Schema returns the JSON Schema of a configuration, for editors: what [Load] reads.
func Schema() ([]byte, error) {
	return schema.Maker{Tag: "toml", Strict: true, Variables: true}.Of(reflect.TypeFor[file](), "The configuration of gleapsync")
}
