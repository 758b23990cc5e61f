package engage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"gleapsync/internal/attr"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/source"
	"gleapsync/internal/values"
)

// CallType is a type of Segment's calls that say what a user did.
type CallType string

// The types of call. Source: Segment's specification.
const (
	Track  CallType = "track"  // the name is that of the event
	Page   CallType = "page"   // the name is that of the page
	Screen CallType = "screen" // the name is that of the screen
)

// Call is a track, page or screen call.
type Call struct {
	Type    CallType
	Name    []byte // of a page it may be missing
	UserID  []byte
	At      int64  // the call's own time, in nanoseconds since 1970
	Message uint64 // a hash of the message's id, 0: it has none
	File    string
	Line    int

	properties json.RawMessage
	parsed     []Property // its memory is used for one call after another
}

// Property is a property of a call.
type Property struct {
	Name  []byte
	Value attr.Value
}

// ReadCalls calls yield with the track, page and screen calls of users that take wants, by
// type and name: file by file in the order of their times, and in each in the order of its
// lines. The call is valid until yield returns; an error from yield ends the reading.
//
// A file is JSON with one call per line, as Segment writes it. Other calls in it are passed
// over. Of the result only those are counted that take wants, but for Rows.
//
// An error means that the export cannot be used, whatever was yielded before.
func (s *Source) ReadCalls(ctx context.Context, take func(CallType, []byte) bool, yield func(*Call) error) (Result, error) {
	r := &callReader{eventReader: eventReader{endsLines: s.endsLines}, take: take, yield: yield}
	r.counts = &r.result
	err := r.readFiles(ctx, s, func(ctx context.Context, text *source.Text, first byte) error {
		if first != '{' {
			return fmt.Errorf("%s: %w", r.file, errors.New("it takes JSON with one call per line"))
		}
		return r.readEvents(ctx, text, r.call)
	})
	return r.result, err
}

// callReader reads the files of an event export.
type callReader struct {
	eventReader
	take   func(CallType, []byte) bool
	yield  func(*Call) error
	result Result
	last   Call
}

// call reads one call.
func (r *callReader) call(e *event) error {
	r.last = Call{File: r.file, Line: r.line, properties: e.properties, parsed: r.last.parsed}
	c := &r.last
	switch string(e.typ) {
	case `"track"`:
		c.Type, c.Name = Track, e.text(e.event)
	case `"page"`:
		c.Type, c.Name = Page, e.text(e.name)
	case `"screen"`:
		c.Type, c.Name = Screen, e.text(e.name)
	default:
		return nil
	}
	switch {
	case values.IsNull(c.Name) && c.Type == Page:
		c.Name = nil
	case values.IsNull(c.Name):
		r.invalid("", fmt.Sprintf("the %s call has no name", c.Type))
		return nil
	case !utf8.Valid(c.Name):
		r.invalid("", "the name is not UTF-8")
		return nil
	}
	if !r.take(c.Type, c.Name) {
		return nil
	}
	c.UserID = e.user()
	var ok bool
	if c.At, c.Message, ok = r.check(c.UserID, e.text(e.timestamp), e.text(e.messageID)); !ok {
		return nil
	}
	return r.yield(c)
}

// maxProperties bounds what is looked at of a call; nobody has so many.
const maxProperties = 1000

// Properties returns the call's properties that have a value, in their order; of a name that
// comes twice the last one counts. Values are what is said, as of a trait of type [values.Auto]
// before its type is known, see [values.Convert]. What cannot be one is left out and counted. They
// are valid as long as the call.
func (c *Call) Properties() (properties []Property, unusable int) {
	properties = c.parsed[:0]
	jsonscan.Object(c.properties, func(name []byte, raw json.RawMessage) {
		value := values.SaidByJSON(raw)
		if !utf8.Valid(value.Text()) || !utf8.Valid(name) {
			unusable++
			return
		}
		for i := range properties {
			if string(properties[i].Name) == string(name) {
				properties[i].Value = value
				return
			}
		}
		if len(properties) == maxProperties {
			unusable++
			return
		}
		properties = append(properties, Property{name, value})
	})
	c.parsed = properties
	return slices.DeleteFunc(properties, func(p Property) bool { return p.Value.Kind() == attr.None }), unusable
}
