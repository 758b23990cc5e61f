package engage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"gleapsync/internal/attr"
	"gleapsync/internal/table"
)

// A file is read on several processors by cutting it into stretches: rows that follow each
// other. One goroutine cuts, which is cheap, some read, each a stretch with a [rowReader] of its
// own, and the one that asked for the rows gets them in their order. What a reader knows of the
// rows before, the stretches' readers leave to that one: see [rowReader.join].

// cutter cuts a table into stretches, of which some rows were read before.
type cutter interface {
	// cut makes the next rows those of a stretch, and reports false where it cannot: then Next goes
	// on behind the last stretch.
	cut(s *stretch) (ok bool, err error)
}

// cutter returns what cuts the file that is being read, nil if nothing does.
func (r *rowReader) cutter() cutter {
	switch t := r.rows.(type) {
	case *table.CSV:
		return csvCutter{t, cmp.Or(r.size, table.StretchSize)}
	case *table.Parquet:
		return &parquetCutter{t, r.layout, make([]*madeValues, len(r.export.Attributes))}
	}
	return nil
}

// csvCutter cuts CSV, and may be wrong then: a stretch ended within a row.
type csvCutter struct {
	csv  *table.CSV
	size int
}

func (c csvCutter) cut(s *stretch) (bool, error) {
	rows, ok := s.table.(*table.Stretch)
	if !ok {
		rows = &table.Stretch{}
		s.table = rows
	}
	return c.csv.Cut(rows, c.size), nil
}

// stretchRows are the rows of a stretch. There is an error other than io.EOF if the stretch was
// a wrong guess.
type stretchRows interface {
	rowStream
	Rewind()
}

// stretches is what a [rowReader] needs to read a file in stretches.
type stretches struct {
	encode func(dst []byte, line int, cells []attr.Value) []byte // nil: it does not
	add    func(userID, row []byte) error
	size   int // bytes of a stretch, 0: [table.StretchSize]
	notYet int // after how many rows it is tried again,
	wait   int // and how long that took

	// Of the reader of a stretch, whose first profile may have begun before:
	begun  bool         // it has a row
	isHead bool         // the first profile is being read,
	head   *profileRows // or this is what was seen of it
}

func (s stretches) again() stretches { return stretches{encode: s.encode, add: s.add, size: s.size} }

// stretch is a stretch of a file.
type stretch struct {
	table stretchRows   // stays here to be used again
	err   error         // why it could not be cut
	sound bool          // it was read, to its end
	done  chan struct{} // closed then

	reader *rowReader
	rows   []byte // that were read: the id, behind its length, and the encoded row, behind its
}

// mayStretch reports whether the rest of the file can be read in stretches, and there is a
// processor with nothing else to do.
func (r *rowReader) mayStretch() bool {
	if r.result.Rows < max(r.notYet, 1) || r.export.Idle == nil || !r.export.Idle() {
		return false
	}
	if r.addPrint == nil && (r.encode == nil || r.seen.seen <= enoughIDs) {
		return false
	}
	if r.some != nil && r.csv == nil { // stretches of Parquet have all cells, and no prints
		return false
	}
	return r.cutter() != nil && (r.export.Identifiers == AllIDs || r.export.Identifiers == "")
}

// mostReaders is how many stretches are read at a time: each keeps some megabytes.
const mostReaders = 8

// readStretches reads the file in stretches, as far as that can be done. Next goes on behind.
func (r *rowReader) readStretches(ctx context.Context) error {
	cutter := r.cutter()
	workers := min(runtime.GOMAXPROCS(0), mostReaders)
	all := make([]stretch, 2*workers+1)
	free, work, inOrder := make(chan *stretch, len(all)), make(chan *stretch, len(all)), make(chan *stretch, len(all))
	for i := range all {
		free <- &all[i]
	}
	like := *r // joining changes r meanwhile
	group, within := errgroup.WithContext(ctx)
	stop := make(chan struct{})
	group.Go(func() error {
		defer close(work)
		defer close(inOrder)
		for {
			select {
			case <-stop:
				return nil
			case <-within.Done():
				return within.Err()
			case s := <-free:
				var ok bool
				if ok, s.err = cutter.cut(s); !ok && s.err == nil {
					return nil
				}
				s.done, s.sound = make(chan struct{}), false
				inOrder <- s
				work <- s
				if s.err != nil {
					return nil
				}
			}
		}
	})
	for range workers {
		group.Go(func() error {
			for s := range work {
				if s.err == nil && within.Err() == nil {
					s.read(&like)
				}
				close(s.done)
			}
			return nil
		})
	}
	left, err := r.joinAll(within, inOrder, free)
	close(stop)
	for s := range inOrder {
		left = append(left, s)
	}
	for _, s := range left {
		<-s.done
	}
	if ended := group.Wait(); err == nil {
		err = ended
	}
	if err == nil && len(left) > 0 {
		var last []*table.Stretch
		for _, s := range left {
			last = append(last, s.table.(*table.Stretch))
		}
		r.csv.TakeBack(last)
	}
	return err
}

// joinAll takes the stretches in, in their order. It ends with a wrong guess, which is left then.
func (r *rowReader) joinAll(ctx context.Context, inOrder <-chan *stretch, free chan<- *stretch) (left []*stretch, err error) {
	for s := range inOrder {
		<-s.done
		switch {
		case s.err != nil:
			return nil, fmt.Errorf("%s: %w", r.file, s.err)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !s.sound:
			r.wait = max(tick, 2*r.wait)
			r.notYet = r.result.Rows + r.wait
			return []*stretch{s}, nil
		case r.canJoin(s.reader):
			err = cmp.Or(r.join(s.reader), s.each(r.add))
		default:
			err = r.readAlone(ctx, s)
		}
		if err != nil {
			return nil, err
		}
		free <- s
	}
	return nil, nil
}

// read reads the rows of the stretch for r.
func (s *stretch) read(r *rowReader) {
	if s.reader == nil {
		s.reader = &rowReader{
			export: r.export, layout: r.layout, file: r.file, forms: r.forms, wanted: r.wanted,
			cells: make([]attr.Value, len(r.cells)), seen: idCheck{seen: enoughIDs + 1},
		}
		if r.addPrint != nil {
			s.reader.addPrint = s.addEncoded
		}
		s.reader.yield = func(userID []byte, cells []attr.Value) error {
			s.addRow(r, userID, cells)
			return nil
		}
	}
	own := s.reader
	s.table.Rewind()
	own.turnTo(s.table)
	own.profileRows = profileRows{}
	own.stretches = stretches{isHead: r.profile >= 0}
	own.result = Result{Attributes: make([]AttributeResult, len(r.result.Attributes)), Fields: make([]bool, len(r.result.Fields))}
	s.rows = s.rows[:0]
	for {
		fields, err := s.table.Next()
		if s.sound = err == io.EOF; s.sound {
			if own.batch != nil {
				own.batch.end(own)
			}
			return
		}
		own.result.Rows++
		if own.take(fields, err) != nil {
			return
		}
	}
}

// turnTo has the reader read rows of the same file from somewhere else.
func (r *rowReader) turnTo(where rowStream) {
	r.rows, r.csv, r.batch = where, nil, nil
	r.lines, _ = where.(lineTable)
	if r.isSparse() {
		r.some = where.(sparseTable)
	}
	switch where := where.(type) {
	case *table.CSV:
		r.csv = where
	case *table.Stretch:
		r.csv = &where.CSV
	case *parquetRows:
		r.batch = where
	}
}

// readAlone reads a stretch once more, as if it were none.
func (r *rowReader) readAlone(ctx context.Context, s *stretch) error {
	file, cells := r.rows, r.cells
	defer func() { r.turnTo(file); r.cells = cells }()
	s.table.Rewind()
	r.turnTo(s.table)
	for {
		if err := r.next(ctx); err == io.EOF {
			if r.batch != nil {
				r.batch.end(r)
			}
			return nil
		} else if err != nil {
			return err
		}
	}
}

// sizeBytes is how many bytes the length of an encoded row takes.
const sizeBytes = 4

func (s *stretch) addRow(r *rowReader, userID []byte, cells []attr.Value) {
	_ = s.addEncoded(userID, nil)
	at := len(s.rows)
	s.rows = r.encode(s.rows, s.table.Line(), cells)
	binary.LittleEndian.PutUint32(s.rows[at-sizeBytes:], uint32(len(s.rows)-at))
}

// addEncoded adds a row that is encoded. There is no error.
func (s *stretch) addEncoded(userID, row []byte) error {
	s.rows = binary.AppendUvarint(s.rows, uint64(len(userID)))
	s.rows = append(s.rows, userID...)
	s.rows = binary.LittleEndian.AppendUint32(s.rows, uint32(len(row)))
	s.rows = append(s.rows, row...)
	return nil
}

// each calls add with each of the rows.
func (s *stretch) each(add func(userID, row []byte) error) error {
	for rest := s.rows; len(rest) > 0; {
		size, n := binary.Uvarint(rest)
		userID := rest[n : n+int(size)]
		rest = rest[n+int(size):]
		end := sizeBytes + int(binary.LittleEndian.Uint32(rest))
		if err := add(userID, rest[sizeBytes:end]); err != nil {
			return err
		}
		rest = rest[end:]
	}
	return nil
}

// canJoin reports whether join makes of a stretch what reading it alone would have made. It does
// not where rows without an id wait for their profile's end: what is known of them comes in
// between then.
func (r *rowReader) canJoin(next *rowReader) bool {
	return len(r.unreadableIDs) == 0 && (next.head == nil || len(next.head.unreadableIDs) == 0)
}

// join takes in what was found in the stretch that comes next.
func (r *rowReader) join(next *rowReader) error {
	if next.begun {
		first := &next.profileRows
		if next.head != nil {
			first = next.head
		}
		if err := r.goOn(first); err != nil {
			return err
		}
		if next.head != nil { // those between are counted
			if err := r.endProfile(); err != nil {
				return err
			}
			r.profileRows = next.profileRows.clone()
		}
	}
	if ticks := (r.result.Rows+next.result.Rows)/tick - r.result.Rows/tick; ticks > 0 && r.export.Progress != nil {
		r.export.Progress(ticks * tick)
	}
	r.result.join(&next.result)
	return nil
}

// goOn goes on with rows of the same profile, or of another one.
func (r *rowReader) goOn(rows *profileRows) error {
	if r.profile >= 0 && len(rows.profileID) > 0 && bytes.Equal(rows.profileID, r.profileID) {
		r.hasID = r.hasID || rows.hasID
		r.withoutID += rows.withoutID
		r.unreadableIDs = append(r.unreadableIDs, rows.unreadableIDs...)
		return nil
	}
	if err := r.endProfile(); err != nil {
		return err
	}
	r.profileRows = rows.clone()
	return nil
}

func (p *profileRows) clone() profileRows {
	return profileRows{bytes.Clone(p.profileID), p.hasID, p.withoutID, slices.Clone(p.unreadableIDs)}
}

// join takes in what comes next.
func (r *Result) join(next *Result) {
	r.Rows += next.Rows
	r.WithoutUserID += next.WithoutUserID
	r.Invalid += next.Invalid
	if next.Unknown > 0 {
		r.miss(next.Unknown, next.FirstUnknown)
	}
	for i, a := range next.Attributes {
		r.Attributes[i].Invalid += a.Invalid
		r.Attributes[i].Fits.Add(a.Fits)
	}
	for i, found := range next.Fields {
		r.Fields[i] = r.Fields[i] || found
	}
	for _, p := range next.Problems {
		r.remember(p)
	}
}
