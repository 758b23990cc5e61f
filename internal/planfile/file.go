package planfile

import (
	"gleapsync/internal/extsort"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// File is a plan: the parts that passes over the contacts wrote.
type File struct {
	parts []*Part
}

// Counts counts what is planned of each class.
type Counts [runs.Classes]struct {
	Contacts int
	Calls    int
}

// Add appends a part, about ids behind those of the parts before it. Its entries come in turn
// behind the contacts that the run before came to last.
func (f *File) Add(before state.Turns, create extsort.CreateTemp) *Part {
	p := &Part{}
	for class := range runs.Classes {
		s := &p.segments[class]
		s.rows.Create, s.last = create, before.Classes[class.String()].Last
	}
	f.parts = append(f.parts, p)
	return p
}

// IsEmpty reports whether no part was added.
func (f *File) IsEmpty() bool { return len(f.parts) == 0 }

// Counts returns what is planned.
func (f *File) Counts() (c Counts) {
	for _, p := range f.parts {
		for class := range p.segments {
			c[class].Contacts += p.segments[class].contacts
			c[class].Calls += p.segments[class].calls
		}
	}
	return c
}

// Contacts returns the contacts of all entries, in the order of their ids. The payload is for
// the file alone.
func (f *File) Contacts() extsort.Stream {
	var streams []extsort.Stream
	for class := range runs.Classes {
		c := &extsort.Chain{}
		for _, p := range f.parts {
			s := &p.segments[class].rows
			c.Parts = append(c.Parts, s.Rows(0, s.Position()))
		}
		streams = append(streams, c)
	}
	return extsort.NewMerger(streams, 0)
}

// Close removes the file.
func (f *File) Close() {
	for _, p := range f.parts {
		for class := range p.segments {
			p.segments[class].rows.Close()
		}
	}
	f.parts = nil
}

// Part is what one pass writes.
type Part struct {
	segments [runs.Classes]segment
	payload  []byte // of the entry that was written last
}

// segment holds a part's entries of one class.
type segment struct {
	rows            extsort.Spool
	last            string // the contact that the run before came to last
	turn            int64  // where those begin that stand behind it
	contacts, calls int
}

// Write adds an entry, with an id behind that of the one before.
func (p *Part) Write(e *Entry) error {
	s := &p.segments[e.Class]
	s.contacts++
	s.calls += e.Calls()
	p.payload = e.Append(p.payload[:0])
	err := s.rows.WriteRow(e.UserID, p.payload)
	if string(e.UserID) <= s.last {
		s.turn = s.rows.Position()
	}
	return err
}
