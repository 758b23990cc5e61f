// Package console shows results to a person: tables, sentences and a progress bar.
package console

import (
	"fmt"
	"io"
	"time"

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

// commands has the commands in a text name the configuration.
func (w Out) commands(text string) string { return human.Commands(text, w.Config) }

// say writes what may hold commands.
func (w Out) say(format string, args ...any) { fmt.Fprint(w, w.commands(fmt.Sprintf(format, args...))) }

func (w Out) time(t time.Time) string { return human.Time(t, w.Zone) }
