package engage

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/keys"
	"gleapsync/internal/source"
	"gleapsync/internal/values"
)

// Change is what one event, or one row, says of one attribute of a user.
type Change struct {
	UserID      []byte
	At          int64  // the event's own time, in nanoseconds since 1970
	Message     uint64 // a hash of the message's id, 0: it has none
	File        string // where it stands
	Line        int    // of the file
	Computation int    // index into [ChangesResult.Computations], -1: only the fields are said
	Value       attr.Value
	Fields      []attr.Value // the contact fields, as [Source.Read] gives them; with one change of the event only
}

// Computation is an audience or a trait of which changes were read.
type Computation struct {
	Attribute Attribute   // what the export makes of it
	Name      string      // as the changes have it
	ID        string      // Engage's own, "" if the changes do not have it
	Kind      Kind        // as the changes have it, "" if they do not say
	Newest    int64       // the time of its newest change, in nanoseconds since 1970
	Fits      values.Fits // of the values whose type is not known yet
}

// isMisfit reports whether the changes have another kind than the configuration. Their
// values are then no values of the attribute.
func (c *Computation) isMisfit() bool { return c.Kind != "" && c.Kind != c.Attribute.Kind }

// ChangesResult says what was read. Its attributes are not used.
type ChangesResult struct {
	Result
	Computations []Computation // in the order in which they came first
	// PassedOver counts rows by their class, of those classes that are neither audiences nor
	// traits.
	PassedOver map[string]int
	// Mismatched are names that the export names or matches and that were not taken, with
	// what they are instead: a class, or the other kind.
	Mismatched map[string]string
	// Unused are audiences and traits that the export neither takes nor excludes.
	Unused []Named
	// Of rows with a cursor:
	Newest  time.Time        // the latest time of the cursor that is not ahead of now, zero: no row has one
	Columns []string         // nil: nothing came, not even a header
	Missing map[string]error // by key: why the columns do not have an attribute
}

// ReadChanges calls yield with the changes of audiences and traits that the export takes,
// file by file in the order of their times, and in each in the order of its lines. The
// change is valid until yield returns; an error from yield ends the reading.
//
// A file is JSON with one event per line, of which the identify events count, or the CSV
// that Segment's S3 and SFTP destinations write of audiences and traits.
//
// An error means that the export cannot be used, whatever was yielded before.
func (s *Source) ReadChanges(ctx context.Context, yield func(*Change) error) (ChangesResult, error) {
	r := &changeReader{eventReader: eventReader{endsLines: s.endsLines}, export: s.export, yield: yield, index: map[computationKey]int{}, none: make([]attr.Value, len(s.export.Fields))}
	r.counts = &r.result.Result
	r.result.Fields = make([]bool, len(s.export.Fields))
	if s.export.Cursor != "" {
		return r.result, source.Ended(ctx, r.readRows(ctx, s))
	}
	err := r.readFiles(ctx, s, r.readText)
	return r.result, err
}

// changeReader reads the files of a change export.
type changeReader struct {
	eventReader
	export Export
	yield  func(*Change) error
	result ChangesResult

	index  map[computationKey]int // of computations
	change Change
	fields []attr.Value
	none   []attr.Value // no contact fields
	traits jsonscan.Members
	seen   idCheck // of a CSV, and of rows

	began   time.Time // of rows with a cursor: when they were asked for
	undated int       // the same: those without a time
}

// earliest is before the times of all changes.
const earliest = math.MinInt64

// computationKey tells computations apart. A key whose audience was deleted and created
// again has two.
type computationKey struct {
	name, id string
	kind     Kind
}

// readText reads a file's text, whose first byte tells what it is.
func (r *changeReader) readText(ctx context.Context, text *source.Text, first byte) error {
	if first == '{' {
		return r.readEvents(ctx, text, r.event)
	}
	return r.readCSV(ctx, text)
}

// start begins a row's changes: it reads what all of them have in common. It reports false
// if the row cannot be used, and has counted it.
func (r *changeReader) start(userID, at, message []byte) bool {
	t, hash, ok := r.check(userID, at, message)
	r.change = Change{UserID: userID, At: t, Message: hash, File: r.file, Line: r.line, Fields: r.none}
	return ok
}

// say yields a change of an attribute. The fields go with the first one.
func (r *changeReader) say(computation int, value attr.Value) error {
	c := &r.result.Computations[computation]
	c.Newest = max(c.Newest, r.change.At)
	if c.isMisfit() {
		return nil
	}
	r.change.Computation, r.change.Value = computation, value
	err := r.yield(&r.change)
	r.change.Fields = r.none
	return err
}

// sayFields yields the fields that went with no change.
func (r *changeReader) sayFields() error {
	if !slices.ContainsFunc(r.change.Fields, func(v attr.Value) bool { return v.Kind() != attr.None }) {
		return nil
	}
	r.change.Computation, r.change.Value = -1, attr.Value{}
	return r.yield(&r.change)
}

// computation returns the number of a computation, -1 if the export does not take it.
func (r *changeReader) computation(name, id []byte, kind Kind) int {
	key := computationKey{string(name), string(id), kind}
	if i, ok := r.index[key]; ok {
		return i
	}
	i := -1
	if a, ok := r.export.TakeComputation(key.name, kind); ok && len(r.result.Computations) < maxComputations {
		i = len(r.result.Computations)
		r.result.Computations = append(r.result.Computations, Computation{Attribute: a, Name: key.name, ID: key.id, Kind: kind, Newest: earliest})
	} else if !ok {
		r.mismatch(key.name, string(kind))
		r.pass(key.name, kind)
	}
	if len(r.index) < maxComputations {
		r.index[key] = i
	}
	return i
}

// maxComputations bounds the memory for what is no list of audiences. Engage allows 100
// audiences and 50 computed traits in a space.
const maxComputations = 10_000

// TakeComputation returns the attribute that the export makes of an audience or trait that
// a change names, false if it does not take it. The kind is "" if the change does not say.
func (e *Export) TakeComputation(name string, kind Kind) (a Attribute, ok bool) {
	if i := slices.IndexFunc(e.Attributes, func(a Attribute) bool { return a.Name == name }); i >= 0 {
		return e.Attributes[i], true
	}
	if i := slices.IndexFunc(e.Attributes, func(a Attribute) bool { return keys.Same(a.Name, name) }); i >= 0 && !e.excludes(name) {
		return e.Attributes[i], true
	}
	return e.Found(name, kind)
}

// Found is TakeComputation for what the export does not name: its wildcards take it, or
// its discovery.
func (e *Export) Found(name string, kind Kind) (a Attribute, ok bool) {
	if a, ok = e.Take(name); ok && (kind == "" || a.Kind == kind) {
		return a, true
	}
	return e.found(kind, name, values.Auto), e.Discover && kind != "" && !e.excludes(name)
}

// pass remembers a computation that nobody asks for.
func (r *changeReader) pass(name string, kind Kind) {
	_, mismatched := r.export.TakeComputation(name, "")
	n := Named{kind, name}
	if kind != "" && !mismatched && !r.export.excludes(name) && len(r.index) < maxComputations && !slices.Contains(r.result.Unused, n) {
		r.result.Unused = append(r.result.Unused, n)
	}
}

// mismatch remembers a name that is not taken though the export asks for it.
func (r *changeReader) mismatch(name, class string) {
	if _, ok := r.export.TakeComputation(name, ""); ok && len(r.result.Mismatched) < maxComputations {
		if r.result.Mismatched == nil {
			r.result.Mismatched = map[string]string{}
		}
		r.result.Mismatched[name] = class
	}
}

// passOver counts a row of a class that is neither an audience nor a trait.
func (r *changeReader) passOver(class, name string) {
	const most = 20 // more classes are no classes
	if r.result.PassedOver == nil {
		r.result.PassedOver = map[string]int{}
	}
	if r.result.PassedOver[class] == 0 {
		if len(r.result.PassedOver) >= most || len(class) > 64 || !utf8.ValidString(class) {
			class = "(other)"
		}
	}
	r.result.PassedOver[class]++
	r.mismatch(name, class)
}

// kindOf returns what Engage computes as a class: the steps of a journey have members as
// audiences have.
func kindOf(class string) (Kind, bool) {
	switch class {
	case "audience", "journey_step":
		return Audience, true
	case "trait":
		return Trait, true
	}
	return "", false
}

// event reads one event. Those that identify nobody say nothing.
func (r *changeReader) event(e *event) error {
	if string(e.typ) != `"identify"` {
		return nil
	}
	class := string(e.text(e.class))
	kind, known := kindOf(class)
	if class != "" && !known {
		r.passOver(class, string(e.text(e.key)))
		return nil
	}
	if !r.start(e.user(), e.text(e.timestamp), e.text(e.messageID)) {
		return nil
	}
	r.traits = r.traits[:0]
	ok := jsonscan.Object(e.traits, func(name []byte, value json.RawMessage) {
		r.traits = append(r.traits, jsonscan.Member{Name: name, Value: value})
	})
	traits := r.traits
	if !ok {
		if len(e.traits) > 0 && string(e.traits) != "null" {
			r.invalid("traits", "traits is no JSON object")
		}
		return nil
	}
	if len(r.export.Fields) > 0 {
		r.readFields(func(name string) []byte { return traitText(traits, name) })
	}
	if known {
		return r.computed(e, kind)
	}
	// An event of no computation: its traits are what the configuration names.
	for _, m := range traits {
		name := string(m.Name)
		if !r.named(name) {
			continue
		}
		if err := r.sayRaw(r.computation(m.Name, nil, ""), m.Value); err != nil {
			return err
		}
	}
	return r.sayFields()
}

// computed reads an event of an audience or a computed trait.
func (r *changeReader) computed(e *event, kind Kind) error {
	name := e.text(e.key)
	if n := r.computation(name, e.text(e.id), kind); n >= 0 {
		if err := r.sayRaw(n, r.traits.Get(string(name))); err != nil {
			return err
		}
	}
	return r.sayFields()
}

// named reports whether the configuration, and not the discovery, takes a trait.
func (r *changeReader) named(name string) bool {
	_, ok := r.export.TakeComputation(name, "")
	return ok
}

// sayRaw yields a change to a JSON value.
func (r *changeReader) sayRaw(n int, raw json.RawMessage) error {
	c := &r.result.Computations[n]
	a := &c.Attribute
	if c.isMisfit() {
		return r.say(n, attr.Value{})
	}
	var value attr.Value
	var reason string
	if a.Kind == Audience {
		if value, _ = a.Value(values.SaidByJSON(raw), nil); value.Kind() == attr.None {
			reason = values.Neither
		}
	} else if string(raw) == "null" { // Engage says so of a trait that has no value any more
		value = attr.OfNull()
	} else {
		value, reason = a.Value(values.SaidByJSON(raw), &c.Fits)
	}
	if reason != "" {
		r.invalid(a.Key, reason)
		return nil
	}
	if value.Kind() == attr.None {
		return nil
	}
	return r.say(n, value)
}

// sayText yields a change of a trait to a value that is no JSON. A blank says nothing.
func (r *changeReader) sayText(n int, text []byte) error {
	c := &r.result.Computations[n]
	if c.isMisfit() {
		return r.say(n, attr.Value{})
	}
	value, reason := c.Attribute.Value(values.Said(cell.Text, text), &c.Fits)
	if reason != "" {
		r.invalid(c.Attribute.Key, reason)
	}
	if value.Kind() == attr.None {
		return nil
	}
	return r.say(n, value)
}

// scalarOrNothing is [jsonscan.Text] for what may be missing.
func scalarOrNothing(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return nil
	}
	return jsonscan.Text(raw)
}

// readFields reads the contact fields of a row.
func (r *changeReader) readFields(get func(name string) []byte) {
	r.fields = r.fields[:0]
	for _, name := range r.export.Fields {
		text := get(name)
		if values.IsNull(text) || string(text) == "null" {
			text = nil
		}
		value := attr.Value{}
		if text != nil {
			value = attr.OfString(text)
			r.result.Fields[len(r.fields)] = true
		}
		r.fields = append(r.fields, value)
	}
	r.change.Fields = r.fields
	r.result.HasFields = true
}

// traitText returns the text of a trait, which may stand there under its name or its key, or
// within another as company.name does.
func traitText(traits jsonscan.Members, name string) []byte {
	raw := traits.Get(name)
	if raw == nil {
		raw = traits.Get(keys.Make(name))
	}
	if outer, inner, ok := strings.Cut(name, "."); ok && raw == nil {
		if nested, ok := jsonscan.Append(nil, traits.Get(outer)); ok {
			return traitText(nested, inner)
		}
	}
	return scalarOrNothing(raw)
}
