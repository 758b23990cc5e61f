package engage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"gleapsync/internal/attr"
)

// MaxUserID is the longest user id, in bytes. A row with a longer one is broken.
const MaxUserID = 1024

// maxProblems is how many broken rows are remembered with their reasons.
const maxProblems = 5

// Result says what was read.
type Result struct {
	Rows          int // without headers
	WithoutUserID int // rows of profiles that have no user id
	Invalid       int // rows that were broken as a whole
	Attributes    []AttributeResult
	HasFields     bool // some of the contact fields were there
	Problems      []Problem
}

// AttributeResult says how one attribute fared; its place is that in
// [Export.Attributes].
type AttributeResult struct {
	Invalid int   // rows whose value could not be read
	Err     error // why the export does not have the attribute at all
}

// Problem is a broken row, without its data.
type Problem struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // 0: nobody knows
	Column string `json:"column,omitempty"`
	Reason string `json:"reason"`
}

func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: column %s: %s", p.File, p.Column, p.Reason)
	}
	if p.Column != "" {
		return fmt.Sprintf("%s:%d: column %s: %s", p.File, p.Line, p.Column, p.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Reason)
}

// Header returns the names of the columns of the first input, without blanks around them,
// so that an export can be made of a file of which nothing is known. The error is that
// of [Source.Read].
func (s *Source) Header(ctx context.Context) ([]string, error) {
	if s.opened == nil {
		t, err := s.openTable(ctx, s.inputs[0])
		if err != nil {
			return nil, err
		}
		s.opened = t
	}
	if _, ok := s.opened.(*ndjsonTable); ok && len(s.export.Wildcards) > 0 {
		s.Close() // what it looks for is known only now
		return s.memberNames(ctx)
	}
	return s.opened.columns(), nil
}

// Read streams the rows of s. For each user id of each row it calls yield with
// the values of the attributes followed by those of the contact fields, in the
// order of the export's settings. A value of kind None says nothing. Both
// arguments are valid until yield returns; an error from yield ends the reading.
//
// The user id stands in the column that the settings name, else in user_id (and
// user_id_1, user_id_2 …) or userId, else in the JSON of external_ids. Rows that
// follow each other with the same profile id are one profile.
//
// An error means that the export cannot be used, whatever was yielded before.
func (s *Source) Read(ctx context.Context, yield func(userID []byte, cells []attr.Value) error) (Result, error) {
	result := Result{Attributes: make([]AttributeResult, len(s.export.Attributes))}
	for i := range s.inputs {
		if err := s.readInput(ctx, &s.inputs[i], &result, yield); err != nil {
			return result, err
		}
	}
	return result, nil
}

func (s *Source) readInput(ctx context.Context, in *input, result *Result, yield func([]byte, []attr.Value) error) (err error) {
	rows := s.opened
	s.opened = nil // it was that of the first input
	if rows == nil {
		if rows, err = s.openTable(ctx, *in); err != nil {
			return err
		}
	}
	defer func() {
		if closeErr := rows.close(); err == nil {
			err = closeErr
		}
	}()
	l, err := newLayout(rows.columns(), s.export)
	if err != nil {
		return fmt.Errorf("%s: %w", in.name, err)
	}
	for i, missing := range l.missing {
		if missing != nil {
			result.Attributes[i].Err = fmt.Errorf("%s: %w", in.name, missing)
		}
	}
	for _, source := range l.cells[len(s.export.Attributes):] {
		result.HasFields = result.HasFields || source.column >= 0 || source.inJSON
	}
	r := &rowReader{
		layout: l, export: s.export, file: in.name, result: result, yield: yield,
		rows: rows, cells: make([]attr.Value, len(l.cells)),
	}
	_, r.isJSON = rows.(*ndjsonTable)
	return r.all(ctx)
}

// rowReader reads the rows of one file.
type rowReader struct {
	*layout
	export Export
	file   string
	result *Result
	yield  func([]byte, []attr.Value) error
	rows   table
	isJSON bool // the cells are raw JSON
	cells  []attr.Value
	ids    [][]byte

	// The profile that is being read: several rows may belong to it.
	profileID []byte
	firstID   []byte // with [FirstID]: the id that counts
	hasID     bool
	withoutID int
	// The lines of the rows whose external ids are no JSON.
	unreadableIDs []int

	// What the row's JSON columns hold, as far as that is needed.
	jsonIDs, jsonTraits object
	items               []json.RawMessage

	lastID    []byte       // with [LastID]: the id that counts so far,
	lastCells []attr.Value // and what was said of it

	traitsSound bool // the row's JSON of traits can be read

	// For the recognition of hashed ids.
	idsSeen, hashesSeen int
}

func (r *rowReader) all(ctx context.Context) error {
	for {
		fields, err := r.rows.next()
		if err == io.EOF {
			break
		}
		if r.result.Rows++; r.result.Rows&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			var broken *rowError
			if !errors.As(err, &broken) {
				return fmt.Errorf("%s: %w", r.file, err)
			}
			r.invalidRow(broken.reason)
			continue
		}
		if err := r.row(fields); err != nil {
			return err
		}
	}
	if err := r.endProfile(); err != nil {
		return err
	}
	return r.checkHashes()
}

func (r *rowReader) row(fields [][]byte) error {
	if r.profile < 0 || len(fields[r.profile]) == 0 || !bytes.Equal(fields[r.profile], r.profileID) {
		if err := r.endProfile(); err != nil {
			return err
		}
		if r.profile >= 0 {
			r.profileID = append(r.profileID[:0], fields[r.profile]...)
		}
	}
	if sound := r.readIDs(fields); len(r.ids) == 0 {
		if sound {
			r.withoutID++
		} else {
			r.unreadableIDs = append(r.unreadableIDs, r.rows.line())
		}
		return nil
	}
	for _, id := range r.ids {
		switch {
		case len(id) > MaxUserID:
			r.invalidRow(fmt.Sprintf("the user id is longer than %d bytes", MaxUserID))
			return nil
		case !utf8.Valid(id):
			r.invalidRow("the user id is not UTF-8")
			return nil
		}
	}
	r.hasID = true
	r.readCells(fields)
	if r.idsSeen < enoughHashes {
		r.idsSeen++
		if isHash(r.ids[0]) {
			r.hashesSeen++
		}
		if r.idsSeen == enoughHashes {
			if err := r.checkHashes(); err != nil {
				return err
			}
		}
	}
	return r.yieldIDs()
}

// yieldIDs hands the row on for those of its ids that count.
func (r *rowReader) yieldIDs() error {
	switch r.export.Identifiers {
	case FirstID:
		if r.firstID == nil {
			r.firstID = bytes.Clone(r.ids[0])
		}
		return r.yield(r.firstID, r.cells)
	case LastID:
		if len(r.lastID) == 0 {
			r.lastCells = make([]attr.Value, len(r.cells))
		}
		r.lastID = append(r.lastID[:0], r.ids[len(r.ids)-1]...)
		for i, cell := range r.cells {
			if cell.Kind() != attr.None { // what says nothing leaves what was said
				r.lastCells[i] = cell.Clone()
			}
		}
		return nil
	}
	for _, id := range r.ids {
		if err := r.yield(id, r.cells); err != nil {
			return err
		}
	}
	return nil
}

// endProfile closes the profile whose rows were read.
func (r *rowReader) endProfile() error {
	if !r.hasID {
		r.result.WithoutUserID += r.withoutID
		for _, line := range r.unreadableIDs {
			r.invalidLine(line, "external_ids is no JSON object, and no other column holds a user id")
		}
	}
	r.unreadableIDs = r.unreadableIDs[:0]
	var err error
	if len(r.lastID) > 0 {
		err = r.yield(r.lastID, r.lastCells)
	}
	r.hasID, r.withoutID, r.firstID, r.lastID = false, 0, nil, r.lastID[:0]
	return err
}

// readIDs puts the row's user ids into r.ids, and reads its JSON columns as far as they
// are needed. It reports false if external_ids cannot be read.
func (r *rowReader) readIDs(fields [][]byte) (sound bool) {
	r.ids = r.ids[:0]
	for _, i := range r.userIDs {
		if id := r.text(fields[i]); !isNullWord(id) {
			r.ids = append(r.ids, id)
		}
	}
	needed := len(r.ids) == 0 && !r.named
	if !needed && !r.anyInJSON {
		return true
	}
	r.jsonIDs, sound = r.readObject(r.jsonIDs, fields, r.external)
	if needed {
		r.ids = r.appendIDs(r.ids, r.jsonIDs.get("user_id"))
	}
	if r.anyInJSON {
		r.jsonTraits, r.traitsSound = r.readObject(r.jsonTraits, fields, r.traits)
	}
	return sound
}

// text returns a cell's text: of JSON that of a string without its quotes.
func (r *rowReader) text(cell []byte) []byte {
	if !r.isJSON {
		return cell
	}
	return scalarOrNothing(cell)
}

// readObject reads the JSON object in a column, which may be none. It reports false if
// there is something else.
func (r *rowReader) readObject(o object, fields [][]byte, column int) (object, bool) {
	if column < 0 || isNull(fields[column]) {
		return o[:0], true
	}
	cell := fields[column]
	if cell[0] == '"' { // JSON as text within JSON
		cell = r.text(cell)
	}
	return appendObject(o[:0], cell)
}

func (r *rowReader) readCells(fields [][]byte) {
	for i := range r.layout.cells {
		source := &r.layout.cells[i]
		r.cells[i] = attr.Value{}
		if i >= len(r.export.Attributes) {
			r.cells[i] = r.readField(source, fields)
			continue
		}
		a := &r.export.Attributes[i]
		reason, ok := "", true
		switch {
		case source.member:
			r.cells[i] = attr.OfBool(true)
		case source.inJSON && !r.traitsSound:
			reason = "traits is no JSON object"
		case source.inJSON:
			r.cells[i], reason = a.Type.parseJSON(r.jsonTrait(source))
		case source.column < 0:
		case a.Kind == Audience:
			if r.cells[i], ok = parseBool(r.text(fields[source.column])); !ok {
				reason = notBoolean
			}
		case r.isJSON:
			r.cells[i], reason = a.Type.parseJSON(fields[source.column])
		default:
			r.cells[i], reason = a.Type.parse(fields[source.column])
		}
		if reason != "" {
			r.result.Attributes[i].Invalid++
			r.problem(r.rows.line(), cmp.Or(a.Column, a.Key), reason)
		}
	}
}

// readField reads a contact field: from a column of its own, else from the JSON of
// traits, else from that of external ids. Who sends it checks it.
func (r *rowReader) readField(source *cellSource, fields [][]byte) attr.Value {
	var text []byte
	if source.column >= 0 {
		text = r.text(fields[source.column])
	} else if raw := r.jsonTrait(source); len(raw) > 0 {
		text = scalarText(raw)
	} else if texts := r.appendIDs(nil, r.jsonIDs.get(source.name)); len(texts) > 0 {
		text = texts[0]
	}
	if isNull(text) || string(text) == "null" {
		return attr.Value{}
	}
	return attr.OfString(text)
}

// jsonTrait finds a trait, which may stand there under its name or its key.
func (r *rowReader) jsonTrait(source *cellSource) json.RawMessage {
	if raw := r.jsonTraits.get(source.name); raw != nil {
		return raw
	}
	return r.jsonTraits.get(source.key)
}

// appendIDs appends the ids of a JSON list or scalar: strings, and numbers with all
// their digits.
func (r *rowReader) appendIDs(ids [][]byte, raw json.RawMessage) [][]byte {
	if len(raw) == 0 {
		return ids
	}
	r.items = listItems(r.items[:0], raw)
	for _, item := range r.items {
		if c := item[0]; c != '"' && c != '-' && (c < '0' || c > '9') {
			continue
		}
		if id := scalarText(item); !isNullWord(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (r *rowReader) invalidRow(reason string) { r.invalidLine(r.rows.line(), reason) }

func (r *rowReader) invalidLine(line int, reason string) {
	r.result.Invalid++
	r.problem(line, "", reason)
}

func (r *rowReader) problem(line int, column, reason string) {
	if len(r.result.Problems) < maxProblems {
		r.result.Problems = append(r.result.Problems, Problem{r.file, line, column, reason})
	}
}

// enoughHashes is how many ids tell whether all are hashes.
const enoughHashes = 100

// checkHashes refuses an export whose user ids are all SHA-256 hashes: Segment's
// single-column form is often hashed, and the ids in Gleap are not.
func (r *rowReader) checkHashes() error {
	if r.idsSeen > 0 && r.hashesSeen == r.idsSeen && !r.named {
		return fmt.Errorf("%s: the user ids are SHA-256 hashes, which Gleap does not know: %s (if they really are your user ids, name their column with user_id)", r.file, otherForm)
	}
	return nil
}

func isHash(id []byte) bool {
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return len(id) == 64
}
