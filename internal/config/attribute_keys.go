package config

import (
	"slices"

	"gleapsync/internal/keys"
)

// Keys returns the keys of the audiences and traits that the file at path has, as far as
// they can be made out, however much is wrong with it.
func Keys(path string) []string {
	c, _ := Load(path)
	if c == nil {
		return nil
	}
	return slices.DeleteFunc(c.AttributeKeys(), func(key string) bool {
		_, reserved := c.Reserved[key]
		return !reserved && keys.Check(key) != nil
	})
}

// AttributeKeys returns the keys of the audiences and traits that the configuration names.
func (c *Config) AttributeKeys() []string {
	var keys []string
	for _, e := range c.Sync.Exports {
		for _, a := range e.Attributes {
			keys = append(keys, a.Key)
		}
	}
	return keys
}
