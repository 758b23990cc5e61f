package config

import "gleapsync/engage"

// Keys returns the keys of the audiences and traits that the file at path has, as far as
// they can be made out, however much is wrong with it.
func Keys(path string) []string {
	c, _ := Load(path)
	if c == nil {
		return nil
	}
	var keys []string
	for _, e := range c.Sync.Exports {
		for _, a := range e.Attributes {
			if _, reserved := c.Reserved[a.Key]; reserved || engage.CheckKey(a.Key) == nil {
				keys = append(keys, a.Key)
			}
		}
	}
	return keys
}
