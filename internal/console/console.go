// Package console shows results to a person: tables, sentences and a progress bar.
package console

import (
	"io"
	"strings"
	"time"
	"unicode"

	"gleapsync/internal/human"
)

// Out is where results go, and how they look there.
type Out struct {
	io.Writer
	Zone *time.Location // of times
	// Config is the configuration file, if commands that are shown have to name it to be pasted.
	Config string
	Width  int // of a terminal, in characters; 0: a file or a pipe, where nothing is left out
}

// commands has the commands in a text that change something name the configuration.
func (w Out) commands(text string) string {
	if w.Config == "" {
		return text
	}
	path := w.Config
	if strings.ContainsFunc(path, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("/._-+=:@%,", c)
	}) {
		path = "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return strings.ReplaceAll(text, "gleapsync sync --", "gleapsync sync --config "+path+" --")
}

func (w Out) time(t time.Time) string { return human.Time(t, w.Zone) }
