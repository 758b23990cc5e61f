package sync

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// entry is what one contact's calls will say.
type entry struct {
	userID     []byte
	attributes []state.Change
	fields     []gleap.FieldText
	news       []news
}

// news is a change of an attribute that is told as an event too.
type news struct {
	index int   // of the attribute in the entry
	at    int64 // the time of the data, in nanoseconds since 1970
}

// empty reports whether the entry says nothing.
func (e *entry) empty() bool { return len(e.attributes) == 0 && len(e.fields) == 0 }

// calls returns how many calls the entry needs.
func (e *entry) calls() int {
	return max(1, (len(e.attributes)+gleap.MaxAttributes-1)/gleap.MaxAttributes)
}

// stateFields returns the contact fields as the state takes them.
func (e *entry) stateFields() []state.Field {
	var fields []state.Field
	for _, f := range e.fields {
		fields = append(fields, state.Field{Field: byte(f.Field), Text: f.Text})
	}
	return fields
}

// announced returns the entry as the state takes it before it is sent.
func (e *entry) announced() state.Announced {
	fields := make([]byte, len(e.fields))
	for i, f := range e.fields {
		fields[i] = byte(f.Field)
	}
	return state.Announced{Unanswered: state.Unanswered{UserID: e.userID, Attributes: e.attributes}, Fields: fields}
}

// append appends the binary form, which decode reads.
func (e *entry) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.news)))
	for _, n := range e.news {
		dst = binary.AppendUvarint(dst, uint64(n.index))
		dst = binary.BigEndian.AppendUint64(dst, uint64(n.at))
	}
	return e.appendCalls(dst)
}

// appendCalls appends what the calls will say.
func (e *entry) appendCalls(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.userID)))
	dst = append(dst, e.userID...)
	dst = binary.AppendUvarint(dst, uint64(len(e.attributes)))
	for _, c := range e.attributes {
		dst = binary.AppendUvarint(dst, uint64(c.ID))
		dst = c.Value.Append(dst)
	}
	for _, f := range e.fields {
		dst = append(dst, byte(f.Field))
		dst = binary.AppendUvarint(dst, uint64(len(f.Text)))
		dst = append(dst, f.Text...)
	}
	return dst
}

var errEntry = errors.New("the plan file cannot be decoded")

// decode reads the binary form; what it finds are parts of b.
func (e *entry) decode(b []byte) error {
	*e = entry{attributes: e.attributes[:0], fields: e.fields[:0], news: e.news[:0]}
	all, size := binary.Uvarint(b)
	if size <= 0 || all > uint64(len(b)) {
		return errEntry
	}
	b = b[size:]
	for range all {
		index, size := binary.Uvarint(b)
		if size <= 0 || index > 1<<31 || len(b) < size+8 {
			return errEntry
		}
		e.news = append(e.news, news{int(index), int64(binary.BigEndian.Uint64(b[size:]))})
		b = b[size+8:]
	}
	var ok bool
	if e.userID, b, ok = cutBytes(b); !ok {
		return errEntry
	}
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)) {
		return errEntry
	}
	b = b[size:]
	e.attributes = slices.Grow(e.attributes, int(n))
	for range n {
		id, size := binary.Uvarint(b)
		if size <= 0 || id > 1<<31 {
			return errEntry
		}
		v, rest, err := attr.Cut(b[size:])
		if err != nil {
			return errEntry
		}
		e.attributes = append(e.attributes, state.Change{ID: uint32(id), Value: v})
		b = rest
	}
	last := -1
	for _, n := range e.news {
		if n.index <= last || n.index >= len(e.attributes) {
			return errEntry
		}
		last = n.index
	}
	for len(b) > 0 {
		field := gleap.Field(b[0])
		var text []byte
		if text, b, ok = cutBytes(b[1:]); !ok {
			return errEntry
		}
		e.fields = append(e.fields, gleap.FieldText{Field: field, Text: text})
	}
	return nil
}

func cutBytes(b []byte) (item, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(size) : n+int(size)], b[n+int(size):], true
}

// wantedHash identifies what an entry says, so that a parked contact is tried again
// only when that changes.
func (e *entry) wantedHash() uint64 {
	h := fnv.New64a()
	h.Write(e.appendCalls(nil))
	return h.Sum64()
}

// segment holds a pass's entries of one class, in the order of the user ids, each behind its
// size.
type segment struct {
	extsort.Spool
	turn int64 // where those begin that stand behind the last contact of the run before
}

// write adds the entry to the plan.
func (p *pass) write(to runs.Class) error {
	e, s := &p.entry, &p.segments[to]
	p.found.count(e, to)
	p.countAlone(to)
	p.encoded = e.append(p.encoded[:0])
	p.size = binary.AppendUvarint(p.size[:0], uint64(len(p.encoded)))
	if _, err := s.Write(p.size); err != nil {
		return err
	}
	_, err := s.Write(p.encoded)
	if string(e.userID) <= p.turns.Classes[to.String()].Last {
		s.turn = s.Position()
	}
	return err
}

// entryReader reads a plan's entries in the order of sending.
type entryReader struct {
	turns   turns
	left    [runs.Classes]int
	classes [runs.Classes]classReader
}

func (p *plan) entries() *entryReader {
	r := &entryReader{turns: newTurns(p.turns, p.classCalls), left: p.classContacts}
	for class := range runs.Classes {
		sections := &r.classes[class].sections
		for _, pass := range p.passes {
			s := &pass.segments[class]
			*sections = append(*sections, section{s, s.turn, s.Position()})
		}
		for _, pass := range p.passes {
			s := &pass.segments[class]
			*sections = append(*sections, section{s, 0, s.turn})
		}
	}
	return r
}

// next reads the next entry into e and returns its class, or io.EOF. The entry's bytes, of
// which e is made, are the caller's to keep.
func (r *entryReader) next(e *entry) (raw []byte, class runs.Class, err error) {
	if class = r.turns.next(r.left); class == runs.Classes {
		return nil, class, io.EOF
	}
	raw, err = r.classes[class].next()
	if err == nil {
		err = e.decode(raw)
	}
	if err != nil {
		return nil, class, err
	}
	r.left[class]--
	r.turns.took(e.calls())
	return raw, class, nil
}

// classReader reads the entries of one class.
type classReader struct {
	sections []section // after the present one
	reader   *bufio.Reader
}

// section is a part of a segment.
type section struct {
	segment  *segment
	from, to int64
}

// next returns the next entry, of those that have to be there.
func (r *classReader) next() ([]byte, error) {
	for {
		if r.reader != nil {
			raw, err := readEntry(r.reader)
			if err != io.EOF {
				return raw, err
			}
		}
		if len(r.sections) == 0 {
			return nil, errEntry
		}
		s := r.sections[0]
		r.reader, r.sections = newEntryReader(s.segment.Section(s.from, s.to)), r.sections[1:]
	}
}

func newEntryReader(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, 64<<10) }

// entryStream reads the user ids of a segment's entries.
type entryStream struct {
	reader *bufio.Reader
	entry  entry
	failed error
}

func (s *entryStream) Next() (userID, payload []byte, ok bool) {
	raw, err := readEntry(s.reader)
	if err == nil {
		err = s.entry.decode(raw)
	}
	if err != nil {
		s.failed = notEOF(err)
		return nil, nil, false
	}
	return s.entry.userID, nil, true
}

func (s *entryStream) Err() error { return s.failed }

func readEntry(r *bufio.Reader) ([]byte, error) {
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if size > 1<<30 {
		return nil, errEntry
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("%w: %w", errEntry, err)
	}
	return raw, nil
}
