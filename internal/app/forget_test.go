package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestIDsOfAFile: a line that is no user id shows that the file is another one. Its contact would not
// be forgotten, so it is refused, with its line and without what it says.
func TestIDsOfAFile(t *testing.T) {
	for _, test := range []struct{ text, want string }{ // the ids, or why there are none
		{"u2\r\nu1\n\n \t\nu1", "u1|u2"},
		{"\ufeff007\n a\nu27,5\nNull Island\n1e5\nuser_id_7", " a|007|1e5|Null Island|u27,5|user_id_7"},
		{"u1\nUSER_ID\n", "USER_ID|u1"}, // no header there
		{"user_id\nu1\n", ":1: the line is a header"},
		{"userId;email\nu1;a@x.io\n", ":1: the line is a header"},
		{"u1\n\"u2\"\n", ":2: the user id is in quotes"},
		{"u1\n\n[\"u2\"]\n", ":3: the user id is a list or an object"},
		{"u1\nNULL\n", ":2: the line says that there is no user id"},
		{"<html>\n", ":1: the line is HTML"},
		{"u1\n1.5E+11\n", ":2: the user id is a number that a spreadsheet has rounded"},
		{"u1\tAda\n", ":1: the user id holds a control character"},
		{"u\xe9\n", ":1: the user id is not UTF-8"},
		{strings.Repeat("x", 1025), ":1: the user id is longer"},
	} {
		path := filepath.Join(t.TempDir(), "ids.txt")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		ids, err := idFlags{File: path}.ids()
		switch reason, isRefused := strings.CutPrefix(test.want, ":"); {
		case isRefused:
			if err == nil || !strings.Contains(err.Error(), path+":"+reason) || strings.Contains(err.Error(), "u2") {
				t.Errorf("%.30q: %q, %v", test.text, ids, err)
			}
		case err != nil || !slices.Equal(ids, strings.Split(test.want, "|")):
			t.Errorf("%.30q: %q, %v", test.text, ids, err)
		}
	}
	if ids, err := (idFlags{IDs: []string{"undefined", `"u2"`}}).ids(); err != nil || len(ids) != 2 {
		t.Errorf("who is named behind the command may be called anything: %q, %v", ids, err)
	}
}
