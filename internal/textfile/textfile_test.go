package textfile

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf16"
)

// inUTF16 returns text as an editor saves it as UTF-16, with or without a mark.
func inUTF16(order binary.AppendByteOrder, text string) string {
	var all []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		all = order.AppendUint16(all, unit)
	}
	return string(all)
}

func TestRead(t *testing.T) {
	const text = "project = \"é\"\r\n"
	for name, test := range map[string]struct {
		text, want string
		err        error
	}{
		"UTF-8":                           {text, text, nil},
		"empty":                           {"", "", nil},
		"a mark":                          {"\ufeff" + text, text, nil},
		"a mark within":                   {text + "\ufeff", text + "\ufeff", nil},
		"only a mark":                     {"\ufeff", "", nil},
		"UTF-16, little end first":        {inUTF16(binary.LittleEndian, "\ufeff"+text), "", errUTF16},
		"UTF-16, big end first":           {inUTF16(binary.BigEndian, "\ufeff"+text), "", errUTF16},
		"the same without a mark, little": {inUTF16(binary.LittleEndian, text), "", errUTF16},
		"the same without a mark, big":    {inUTF16(binary.BigEndian, text), "", errUTF16},
		"one letter in UTF-16":            {inUTF16(binary.LittleEndian, "t"), "", errUTF16},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); string(got) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
