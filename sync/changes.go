package sync

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
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
			p.runner.progress.add(1 << 14)
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

// identify finds the attributes of an export's computations, and adds those that are new.
func (p *plan) identify(e *export, request Request) {
	if e.refused != nil {
		if len(e.attributes) == 0 {
			p.holdUnusable(e, e.Source, e.Source, engage.Audience, e.refused.Error())
			held := &p.unusable[len(p.unusable)-1]
			held.Rows, held.Invalid, held.WithoutUserID, held.Problems = e.result.Rows, e.result.Invalid, e.result.WithoutUserID, e.result.Problems
		}
		return
	}
	keys := map[string][]int{}
	for i, c := range e.computations {
		keys[c.Attribute.Key] = append(keys[c.Attribute.Key], i)
	}
	e.changes = make([]*attribute, len(e.computations))
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		p.identifyKey(e, key, keys[key], request)
	}
	for _, a := range e.attributes { // also of those that did not change
		if known := p.known[a.Key].Computation; a.computation == nil && known != nil {
			a.computation = known
		} else if a.computation == nil {
			a.computation = &state.Computation{}
			if reason := e.mismatched(a.Kind, func(name string) bool { return name == a.Name }); reason != "" && p.known[a.Key].Applied.At.IsZero() {
				a.hold(reason)
			}
		}
		a.decideType(a.fits)
	}
	if len(request.Only) == 0 {
		p.holdPatterns(e)
	}
	if len(e.attributes) == 0 && len(e.passedOver) > 0 {
		p.unusable = append(p.unusable, ExportReport{
			Key: e.Source, Name: e.Source, Kind: engage.Audience, Source: e.Source, Status: StatusApplied, Rows: e.result.Rows, PassedOver: e.passedOver,
		})
	}
}

// identifyKey finds the attribute of the computations of one key. Where they have several
// names, the one that the configuration names goes on, and the others are held.
func (p *plan) identifyKey(e *export, key string, computations []int, request Request) {
	a, name := p.fed(key), ""
	named := a != nil && a.export == e && !a.found
	switch {
	case named:
		names := e.namesOf(a, computations)
		if name = nameOf(a.Name, p.known[key].Computation, names); name == "" {
			a.hold(fmt.Sprintf("the changes have %s, and each may be %q: name the one that is meant as they have it", quoted(names), a.Name))
			return
		}
	case a != nil && a.export == e:
		name = a.Name
	}
	var others []engage.Attribute
	for _, i := range computations {
		c := &e.computations[i]
		found, ok := c.Attribute, c.Name != name
		if named {
			found, ok = e.Found(c.Name, c.Kind)
			ok = ok && (c.Name != name || c.Kind != a.Kind)
		}
		if ok {
			others = append(others, found)
		}
	}
	p.addTaken(e, others, request)
	added := p.fed(key)
	if added == nil || added.export != e {
		return
	}
	if added != a {
		_, known := p.known[key]
		added.isNew, name = !known, added.Name
	}
	var mine, ofKind []int
	for _, i := range computations {
		if c := &e.computations[i]; c.Name == name {
			mine = append(mine, i)
			if c.Kind == "" || c.Kind == added.Kind {
				ofKind = append(ofKind, i)
			}
		}
	}
	if named && len(ofKind) > 0 {
		mine = ofKind
	}
	if len(mine) > 0 {
		p.identifyID(e, added, mine)
	}
}

// namesOf returns the names that computations have which are to be those of an attribute.
func (e *export) namesOf(a *attribute, computations []int) []string {
	var names []string
	for _, i := range computations {
		if c := &e.computations[i]; c.Attribute.Name == a.Name && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// nameOf returns which of the names that changes have is meant by the configuration's: it
// exactly, else the one that it was before, else the only one. It is "" if nobody can tell.
func nameOf(name string, known *state.Computation, names []string) string {
	switch {
	case len(names) == 0 || slices.Contains(names, name):
		return name
	case known != nil && known.Name != "":
		if slices.Contains(names, known.Name) {
			return known.Name
		}
	case len(names) == 1:
		return names[0]
	}
	return ""
}

// identifyID decides which of the computations of one name are those of the attribute. There
// are several if its audience was deleted and created again in Engage.
func (p *plan) identifyID(e *export, a *attribute, computations []int) {
	newest := slices.MaxFunc(computations, func(i, j int) int {
		return cmp.Compare(e.computations[i].Newest, e.computations[j].Newest)
	})
	n := &e.computations[newest]
	present := state.Computation{ID: n.ID}
	if known := p.known[a.Key].Computation; known != nil {
		present.Newest = p.believed(known.Newest)
		if known.ID != "" {
			present.ID = known.ID
		}
	}
	present.Name = n.Name
	other := slices.IndexFunc(computations, func(i int) bool { return e.computations[i].Kind != "" && e.computations[i].Kind != a.Kind })
	switch {
	case other >= 0:
		a.hold(fmt.Sprintf("the changes say that %s is of the kind %s, not %s", a.Key, e.computations[computations[other]].Kind, a.Kind))
		return
	case n.ID != "" && n.ID != present.ID && n.Newest > present.Newest:
		a.hold(fmt.Sprintf("%s has another id in Engage than before (%s, not %s): it was deleted and created again. To go on with the new one name it in exclude, run gleapsync retire %s, and take it out of exclude",
			a.Key, n.ID, present.ID, a.Key))
		return
	}
	for _, i := range computations {
		if c := &e.computations[i]; c.ID == present.ID || c.ID == "" {
			e.changes[i] = a
			a.fits.Add(c.Fits)
			present.Newest = max(present.Newest, c.Newest)
		}
	}
	a.computation = &present
}

func quoted(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, strconv.Quote(name))
	}
	return strings.Join(all, " and ")
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
	state.Changed
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
				if columns[j], texts, ok = cutBytes(texts); !ok {
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
	p.size = extsort.AppendRow(p.size[:0], c.userID, p.encoded)
	_, err := p.said.Write(p.size)
	return err
}

// absorb stores what change exports said, before anything of it is sent.
func (p *plan) absorb(ctx context.Context) error {
	var batch []state.Said
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := p.runner.ledger.Absorb(batch)
		batch = batch[:0]
		if err != nil {
			return fmt.Errorf("commit to the state: %w", err)
		}
		return ctx.Err()
	}
	for _, pass := range p.passes {
		r := bufio.NewReaderSize(pass.said.Section(0, pass.said.Position()), 64<<10)
		for {
			userID, err := readEntry(r)
			if err == io.EOF {
				break
			}
			var changed []byte
			if err == nil {
				changed, err = readEntry(r)
			}
			if err != nil {
				return cmp.Or(notEOF(err), extsort.ErrTemp)
			}
			if batch = append(batch, state.Said{UserID: userID, Changed: changed}); len(batch) == commitAt {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	return flush()
}

// notEOF returns nil for an end that comes too early, which is no error of reading.
func notEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// absorbs reports whether there is something to store.
func (p *plan) absorbs() bool {
	return slices.ContainsFunc(p.passes, func(pass *pass) bool { return pass.said.Position() > 0 })
}
