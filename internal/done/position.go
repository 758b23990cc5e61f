package done

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/state"
)

// Rows of a database or of a command have no files that could be done. What is kept of them is up to
// where they were read: the latest time of the cursor, as an entry of the list of files.

// Position is up to where the rows of an export were read.
type Position struct {
	entry state.DoneFile
	at    time.Time // zero: nothing was read, or with other settings
}

// Find returns up to where the list says that an export's rows were read. With other settings they
// have to be read again, all of them: but what does not change the rows is no setting.
func Find(list []state.DoneFile, e engage.Export) Position {
	source := e.Source
	what := fmt.Sprintf("%q %q %q", e.Table, e.Query, e.Command)
	e.Password, e.PasswordFile, e.Timeout, e.Secrets, e.Hidden = "", "", 0, nil, nil
	p := Position{entry: state.DoneFile{Source: source, Name: "rows " + hash(what), Settings: hash(e.Settings())}}
	for _, f := range list {
		if p.owns(f) && f.Settings == p.entry.Settings {
			if at, err := time.Parse(time.RFC3339Nano, f.Version); err == nil {
				p.entry, p.at = f, at
			}
		}
	}
	return p
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// owns reports whether an entry of the list is the export's.
func (p Position) owns(f state.DoneFile) bool {
	return f.Source == p.entry.Source && f.Name == p.entry.Name
}

// Since returns from when on rows are to be read, where rows may come so late; zero: all.
func (p Position) Since(lag time.Duration) time.Time {
	if p.at.IsZero() {
		return time.Time{}
	}
	return p.at.Add(-lag)
}

// After returns the position after rows up to a time, zero: none had one.
func (p Position) After(newest, now time.Time) Position {
	if newest.After(p.at) {
		p.at = newest.UTC()
		p.entry.Version, p.entry.At = p.at.Format(time.RFC3339Nano), now.UTC().Truncate(time.Millisecond)
	}
	return p
}

// Entries returns what the list is to have of the export.
func (p Position) Entries() []state.DoneFile {
	if p.at.IsZero() {
		return nil
	}
	return []state.DoneFile{p.entry}
}

// Mine returns what a list has of the export.
func (p Position) Mine(list []state.DoneFile) []state.DoneFile {
	return slices.DeleteFunc(slices.Clone(list), func(f state.DoneFile) bool { return !p.owns(f) })
}
