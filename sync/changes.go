package sync

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/state"
)

// A change export says what happened, not what is. Its files are read once. What they said
// last of each contact and attribute is kept in the state, and the plan compares that with
// the records as it does with a snapshot. So a change that was read is never lost, and an
// older one that comes later does not count.

// openChanges leaves out the files that were done before, and adds the attributes that the
// export had then. The error holds the export.
func (p *plan) openChanges(e *export, request Request) error {
	var before []engage.Attribute
	for _, k := range p.overview.Attributes {
		a, ok := e.TakeComputation(k.Name, engage.Kind(k.Kind))
		if ok && a.Name == k.Name && k.Computation != nil && !k.Gone() && !k.Retired && string(a.Kind) == k.Kind && p.fed(k.Key) == nil && a.Key == k.Key {
			before = append(before, a)
		}
	}
	p.addTaken(e, before, request)
	if e.source == nil {
		return nil
	}
	// The attributes that were found meanwhile do not matter for how a file is read.
	hash := sha256.Sum256(fmt.Appendf(nil, "%s %v", p.settings[e.index].Settings(), p.runner.o.Fields))
	settings := hex.EncodeToString(hash[:8])
	_, e.fingerprint = p.fingerprint(e) // files that are done are known by size and time
	var err error
	e.files, err = p.newFiles(e.source, e.Source, settings, func(f state.File) bool { return f.Source == e.Source && f.Settings == settings })
	e.pending = len(e.source.Files()) > 0
	if err != nil {
		return fmt.Errorf("%w, or rename the file to have all of it read again", err)
	}
	return nil
}

// readChanges sorts the changes of one export. What is wrong with it holds it; an error is
// one of the run.
func (p *plan) readChanges(ctx context.Context, e *export) error {
	var payload []byte
	var failed error // of the sorter
	result, err := e.source.ReadChanges(ctx, func(c *engage.Change) error {
		payload = appendChange(payload[:0], c)
		if e.result.Rows++; e.result.Rows%(1<<14) == 0 {
			p.runner.meter.Add(1 << 14)
		}
		failed = e.rows.Add(c.UserID, payload)
		return failed
	})
	e.result, e.computations, e.passedOver, e.mismatches = result.Result, result.Computations, result.PassedOver, result.Mismatched
	for _, class := range slices.Sorted(maps.Keys(e.passedOver)) {
		p.runner.log.Info("rows of a class were passed over", "source", e.Source, "class", class, "rows", e.passedOver[class])
	}
	if failed != nil || ctx.Err() != nil {
		return cmp.Or(failed, ctx.Err())
	}
	if err := p.believe(result.Result, err); err != nil {
		e.refuse(err)
		e.rows.Close()
		e.rows = nil
		return nil
	}
	return e.rows.Finish()
}

// appendChange appends a change as sorters keep it.
func appendChange(dst []byte, c *engage.Change) []byte {
	dst = binary.AppendUvarint(dst, uint64(c.Computation+1))
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.At))
	dst = binary.BigEndian.AppendUint64(dst, c.Message)
	dst = c.Value.Append(dst)
	return appendCells(dst, c.Fields)
}

// changed is what change exports said of a contact.
type changed struct {
	state.Said
	stored []byte        // as the state has it, nil: it has nothing
	any    bool          // there are new changes
	fields []fieldChange // by number of the field
}

// fieldChange is the newest that was said of a contact field.
type fieldChange struct {
	mark  uint32
	at    int64
	texts [][]byte // of its columns
}

// addChange takes one change of an export.
func (c *contact) addChange(p *plan, e *export, payload []byte) error {
	c.changed.any = true
	from := len(c.arena)
	c.arena = append(c.arena, payload...)
	b := c.arena[from:]
	number, n := binary.Uvarint(b)
	if n <= 0 || number > uint64(len(e.changes)) || len(b) < n+16 {
		return extsort.ErrTemp
	}
	at, message := int64(binary.BigEndian.Uint64(b[n:])), binary.BigEndian.Uint64(b[n+8:])
	value, b, err := attr.Cut(b[n+16:])
	if err != nil {
		return extsort.ErrTemp
	}
	if number > 0 {
		if a := e.changes[number-1]; a != nil && a.counts {
			if value = a.value(value); value.Kind() != attr.None {
				c.changed.Add(a.id, at, message, value)
			}
		}
	}
	if e.NoFields {
		return nil
	}
	kinds, texts, ok := cutCells(b, len(c.fields))
	if !ok {
		return extsort.ErrTemp
	}
	for i, f := range p.runner.o.Fields {
		said := false
		columns := make([][]byte, len(f.Columns))
		for j := range f.Columns {
			if attr.Kind(kinds[j]).HasText() {
				if columns[j], texts, ok = attr.CutText(texts); !ok {
					return extsort.ErrTemp
				}
				said = true
			}
		}
		kinds = kinds[len(f.Columns):]
		if newest := &c.changed.fields[i]; said && (newest.mark != c.now || at >= newest.at) {
			*newest = fieldChange{c.now, at, columns}
		}
	}
	return nil
}

// decodeChanges reads what change exports said before. What was to be sent then Gleap may
// have, whatever the record says.
func (p *pass) decodeChanges(stored []byte) error {
	c := &p.contact
	if err := c.changed.Decode(stored); err != nil {
		return err
	}
	c.changed.stored = stored
	for i := range c.changed.Fields {
		f := &c.changed.Fields[i]
		f.At = p.believed(f.At)
	}
	for i := range c.changed.Attributes {
		n := &c.changed.Attributes[i]
		n.At = p.believed(n.At)
		if a := p.attribute(n.ID); a != nil && a.memberCount(n.Value) > 0 {
			n.Tried = true
		}
	}
	return nil
}

// believed returns the time of a change that was stored, that before all others if it cannot
// be: earlier versions took any, and it would win for ever.
func (p *plan) believed(at int64) int64 {
	const most = 24 * time.Hour // further ahead a change is an invalid row
	if at > p.at.Add(most).UnixNano() {
		return 0
	}
	return at
}

// takeChanges makes what change exports said what is wanted of the contact, and notes what
// is to be stored of it.
func (p *pass) takeChanges() error {
	c := &p.contact
	for _, n := range c.changed.Attributes {
		if a := p.attribute(n.ID); a != nil && a.counts && a.export.Changes && c.wanted[n.ID].mark != c.now {
			c.ids = append(c.ids, n.ID)
			if v := a.asType(n.Value); v.Kind() != attr.None { // it was said before types were kept
				n.Value = v
			}
			c.wanted[n.ID] = said[attr.Value]{n.Value, c.now}
			if n.Tried {
				c.tried[n.ID] = c.now
			}
		}
	}
	if !c.changed.any {
		return nil
	}
	column := 0
	for i, f := range p.runner.o.Fields {
		if newest := &c.changed.fields[i]; newest.mark == c.now && c.changed.AddField(byte(f.Field), newest.at) {
			for j, text := range newest.texts {
				if text != nil {
					c.fields[column+j] = said[fieldText]{fieldText{text: text}, c.now}
				}
			}
		}
		column += len(f.Columns)
	}
	p.encoded = c.changed.Append(p.encoded[:0])
	if bytes.Equal(p.encoded, c.changed.stored) {
		return nil
	}
	return p.said.WriteRow(c.userID, p.encoded)
}

// absorbAt bounds the memory for what is not stored yet.
const absorbAt = 20_000

// absorb stores what change exports said, before anything of it is sent.
func (p *plan) absorb(ctx context.Context) error {
	var batch []state.Absorbed
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := p.runner.ledger.AbsorbChanges(batch)
		batch = batch[:0]
		if err != nil {
			return fmt.Errorf("commit to the state: %w", err)
		}
		return ctx.Err()
	}
	for _, pass := range p.passes {
		rows := pass.said.Rows(0, pass.said.Position())
		for userID, changed, ok := rows.Next(); ok; userID, changed, ok = rows.Next() {
			if batch = append(batch, state.Absorbed{UserID: userID, Said: changed}); len(batch) == absorbAt {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return flush()
}

// absorbs reports whether there is something to store.
func (p *plan) absorbs() bool {
	return slices.ContainsFunc(p.passes, func(pass *pass) bool { return pass.said.Position() > 0 })
}
