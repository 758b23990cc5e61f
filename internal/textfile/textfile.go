// Package textfile reads the small files that people write by hand: the configuration, a
// token, a password, a list of users. Editors put a byte order mark before the text, which
// is no part of it, or save it as UTF-16, which nothing here can read.
package textfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

var errUTF16 = errors.New("the text is UTF-16: save it as UTF-8")

// Read returns the text of a file without its byte order mark.
func Read(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if isUTF16(text) {
		return nil, fmt.Errorf("%s: %w", path, errUTF16)
	}
	return bytes.TrimLeft(text, "\ufeff"), nil
}

// isUTF16 knows it by its mark, or by the zero bytes that every second letter has there and
// no text in UTF-8.
func isUTF16(text []byte) bool {
	return bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) || bytes.IndexByte(text, 0) >= 0
}
