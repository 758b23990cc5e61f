package inputs

import (
	"log/slog"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/damping"
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/internal/keys"
	"gleapsync/internal/known"
	"gleapsync/internal/runs"
)

// Options say what is read, and with what.
type Options struct {
	Exports    []Export
	Fields     []Field
	Known      []known.List // of the contacts that may be created; nil: all may be
	MaxInvalid guard.Limit
	Memory     int64              // bytes for sorting
	Temp       extsort.CreateTemp // for what does not fit
	Log        *slog.Logger
	Meter      *runs.Meter
}

// Export is a source of rows, what it feeds and what guards it.
type Export struct {
	engage.Export
	KeepAbsent   bool          // a user who is not in it stays in its audiences
	ClearMissing bool          // a user who is not in it loses its traits
	MaxExits     *guard.Limit  // nil: that of all exports
	MaxAge       time.Duration // 0: any
	NoFields     bool          // contact fields are not taken from it
	Membership   bool          // that contacts enter and leave its audiences are events
	Lag          time.Duration // of changes with a cursor: how late rows may come
	Audit        *Audit        // of changes with a cursor; nil: none
	IgnoreBroken bool          // exits and clears go although rows could not be read
	// Damping has, by name, the traits of which not every change is sent; "" stands for those
	// that it does not name.
	Damping map[string]damping.Rule
}

// DampingOf returns which changes of an attribute are not worth a call of their own.
func (e *Export) DampingOf(a engage.Attribute) damping.Rule {
	if a.Kind != engage.Trait {
		return damping.Rule{}
	}
	if d, as := keys.Lookup(e.Damping, a.Name); as != "" {
		return d
	}
	return e.Damping[""]
}

// Field says which column feeds one of Gleap's contact fields. The name may have two,
// the first and the last one.
type Field struct {
	Field   gleap.Field
	Columns []string
}

// Columns returns the export columns of all contact fields, as [engage.Export.Fields]
// wants them.
func Columns(fields []Field) []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.Columns...)
	}
	return all
}
