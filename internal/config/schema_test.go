package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestWordsOfKeys: a key takes the words that its tag names for the schema, and no other.
func TestWordsOfKeys(t *testing.T) {
	n := 0
	var look func(path string, of reflect.Type, list bool)
	look = func(path string, of reflect.Type, list bool) {
		for _, f := range reflect.VisibleFields(of) {
			name := f.Tag.Get("toml")
			switch {
			case name == "":
			case f.Type.Kind() == reflect.Struct:
				look(name, f.Type, false)
			case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
				look(name, f.Type.Elem(), true)
			case f.Type.Kind() == reflect.String:
				header := "[" + path + "]"
				if list {
					header = "[" + header + "]"
				}
				_, err := load(t, fmt.Sprintf("%s\n%s = \"no such word\"\n", header, name))
				_, said, found := strings.Cut(fmt.Sprint(err), path+map[bool]string{true: "[0]"}[list]+"."+name+": it takes one of: ")
				said, _, _ = strings.Cut(said, "\n")
				words := strings.Fields(f.Tag.Get("one"))
				slices.Sort(words)
				if got := strings.Fields(said); found && !slices.Equal(got, words) || !found && len(words) > 0 {
					t.Errorf("%s.%s takes %q, and its tag says %q: %v", path, name, got, words, err)
				}
				if found {
					n++
				}
			}
		}
	}
	look("", reflect.TypeFor[file](), false)
	if n < 10 {
		t.Errorf("%d keys take one of some words", n)
	}
}
