// Package console shows results to a person: tables, sentences and a progress bar.
package console

import (
	"io"
	"time"

	"gleapsync/internal/human"
)

// Out is where results go, and how they look there.
type Out struct {
	io.Writer
	Zone  *time.Location // of times
	Width int            // of a terminal, in characters; 0: a file or a pipe, where nothing is left out
}

func (w Out) time(t time.Time) string { return human.Time(t, w.Zone) }
