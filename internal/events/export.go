package events

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Export is an export of events: of track, page and screen calls.
type Export struct {
	engage.Export
	Names  []string      // of events that are taken, compared as Gleap does; nil: all
	Keys   []string      // properties that are sent; nil: the first ones, as many as Gleap takes
	Since  time.Time     // events from before are not sent; zero: all are
	MaxAge time.Duration // of the newest file, 0: any
}

// export is an event export in a run.
type export struct {
	Export
	source *engage.Source
	guard.Dated
	files      []state.DoneFile // all that are there
	refused    error            // why it is held
	unreadable bool
	result     engage.Result
	rows       *extsort.Sorter // events by user id, nil: not read
	names      map[string]bool
	data       []gleap.Attribute // of the last event
	misfits    []engage.Problem  // some of the properties that do not fit their type
	runs.TrackCounts
}

func (x *export) refuse(err error) {
	x.refused = err
	x.unreadable = errors.As(err, new(*engage.UnreadableError))
}

// isNew reports whether some of the export's files were not read before.
func (x *export) isNew() bool {
	return x.refused == nil && x.source != nil && len(x.source.Files()) > 0
}

// noteEnds says of the files that were read now that each ended with a line break.
func (x *export) noteEnds() {
	read := map[string]bool{}
	for _, f := range x.source.Files() {
		read[f.Name] = true
	}
	for i := range x.files {
		x.files[i].EndsLine = x.files[i].EndsLine || read[x.files[i].Name]
	}
}

// foldName makes names of events equal that Gleap takes for the same.
func foldName(name string) string { return strings.ToLower(gleap.EventName(name)) }

// trackedName returns the name of the event that a call becomes. Source: Segment's Gleap
// destination.
func trackedName(kind engage.CallType, name []byte) string {
	if kind == engage.Track {
		return string(name)
	}
	return gleap.PageView
}

// event returns the event that a call becomes. Source: Segment's Gleap destination; of a
// page or screen it sends nothing but which one it was. The values of a track call's
// properties are what is said: types are decided once all are read.
func (x *export) event(c *engage.Call, types *propertyTypes) gleap.Event {
	e := gleap.Event{Name: []byte(trackedName(c.Type, c.Name)), Date: time.Unix(0, c.At), UserID: c.UserID}
	properties, unusable := c.Properties()
	if c.Type != engage.Track {
		page := attr.OfString(c.Name)
		for _, p := range properties {
			if c.Type == engage.Page && string(p.Name) == "url" && len(p.Value.Text()) > 0 {
				page = p.Value
			}
		}
		if len(page.Text()) > 0 {
			e.Data = []gleap.Attribute{{Key: "page", Value: page}}
		}
		return e
	}
	all := len(properties) + unusable
	if x.Keys != nil {
		properties = slices.DeleteFunc(properties, func(p engage.Property) bool { return !slices.Contains(x.Keys, string(p.Name)) })
	}
	x.data = x.data[:0]
	for _, p := range properties[:min(len(properties), gleap.MaxData)] {
		if reason := types.see(foldName(string(e.Name)), p); reason != "" {
			if len(x.misfits) < 5 {
				x.misfits = append(x.misfits, engage.Problem{File: c.File, Line: c.Line, Column: string(p.Name), Reason: reason})
			}
			continue
		}
		x.data = append(x.data, gleap.Attribute{Key: string(p.Name), Value: p.Value})
	}
	e.Data = x.data
	x.LeftOut += all - len(e.Data)
	return e
}

// message returns what tells the call from all others: its message's id, or else its place.
func message(c *engage.Call) uint64 {
	if c.Message != 0 {
		return c.Message
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", c.File, c.Line))
	return binary.BigEndian.Uint64(sum[:])
}

// report returns what is said of the export.
func (x *export) report() runs.ExportReport {
	r := runs.ExportReport{
		Key: Key(x.Source), Name: x.Source, Kind: runs.KindTrack, Source: x.Source, Status: runs.StatusApplied, AsOf: x.AsOf,
		Rows: x.result.Rows, Invalid: x.result.Invalid, WithoutUserID: x.result.WithoutUserID, Problems: x.result.Problems,
		Unreadable: x.unreadable, TrackCounts: x.TrackCounts,
	}
	switch {
	case x.refused != nil:
		r.Status, r.Reason = runs.StatusHeld, x.refused.Error()
		r.TrackCounts = runs.TrackCounts{}
	case !x.isNew():
		r.Status = runs.StatusUnchanged
	}
	return r
}

// Key is the key of an event export in reports, since no attribute has such a one, and the source
// under which the state knows its files, since those of [[changes]] may be the same.
func Key(source string) string { return "track " + source }

// IsFile reports whether a file that is done is one of an event export.
func IsFile(f state.DoneFile) bool { return strings.HasPrefix(f.Source, Key("")) }
