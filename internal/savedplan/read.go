package savedplan

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"unicode/utf8"

	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// File is a plan in a file that was proven to be whole.
type File struct {
	Plan
	path string
	file *os.File
	size int64
	sum  []byte // the checksum of what was read first
}

// Read opens a file, and reads it once to prove that it is whole.
func Read(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the plan cannot be read: %w", err)
	}
	f := &File{path: path, file: file}
	if err := f.load(); err != nil {
		file.Close()
		return nil, err
	}
	return f, nil
}

func (f *File) load() error {
	info, err := f.file.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("the plan cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file that gleapsync plan --save wrote", f.path)
	}
	f.size = info.Size()
	return f.Each(nil, nil)
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Each calls contact with each contact of the plan, class by class in the order of the user ids,
// and said with what change exports said of contacts. Both may be nil; what they get is valid until
// they return. What they were told counts only if the error is nil.
func (f *File) Each(contact func(*planfile.Entry) error, said func(state.Absorbed) error) error {
	p, sum, err := decode(io.NewSectionReader(f.file, 0, f.size), f.size, contact, said)
	var stopped *callerError
	switch {
	case errors.As(err, &stopped):
		return stopped.error
	case err != nil:
		return fmt.Errorf("%s %w", f.path, err)
	case f.sum == nil:
		f.Plan, f.sum = *p, sum
	case !bytes.Equal(f.sum, sum):
		return fmt.Errorf("%s was changed while it was read: %s", f.path, again)
	}
	return nil
}

// callerError is an error of who is told of contacts.
type callerError struct{ error }

// What is wrong with a file, behind its name.
var (
	errForeign = errors.New("is no plan: name a file that gleapsync plan --save wrote")
	errCutOff  = errors.New("is cut off: copy it again, or " + again)
	errDamaged = errors.New("is damaged: copy it again, or " + again)
)

// decode reads what a file of that size holds.
func decode(r io.Reader, size int64, contact func(*planfile.Entry) error, said func(state.Absorbed) error) (*Plan, []byte, error) {
	sum := sha256.New()
	d := &decoder{r: bufio.NewReaderSize(r, 64<<10), sum: sum, left: size}
	begin := d.take(len(magic))
	switch {
	case d.err != nil && !bytes.HasPrefix([]byte(magic), d.rest):
		return nil, nil, errForeign
	case d.err != nil:
		return nil, nil, errCutOff
	case string(begin[:len(magic)-1]) != magic[:len(magic)-1]:
		return nil, nil, errForeign
	case string(begin) != magic:
		return nil, nil, errors.New("is of another version of gleapsync: " + again)
	}
	if d.left -= int64(footer); d.left < 0 {
		return nil, nil, errCutOff
	}
	p, err := d.plan(contact, said)
	var stopped *callerError
	if errors.As(err, &stopped) {
		return nil, nil, err
	}
	// Whether it is whole, its end tells best.
	_, _ = io.Copy(io.MultiWriter(sum, io.Discard), io.LimitReader(d.r, d.left))
	tail := make([]byte, footer)
	if _, failed := io.ReadFull(d.r, tail); failed != nil || string(tail[:len(end)]) != end {
		return nil, nil, errCutOff
	}
	sum.Write(tail[:len(end)])
	if have := sum.Sum(nil); !bytes.Equal(have, tail[len(end):]) {
		return nil, nil, errDamaged
	}
	if err != nil || d.left > 0 {
		return nil, nil, errDamaged
	}
	return p, sum.Sum(nil), nil
}

// decoder reads what stands before the end. The first error sticks.
type decoder struct {
	r    *bufio.Reader
	sum  hash.Hash
	left int64  // bytes
	rest []byte // that were read before an error
	err  error
}

// take reads so many bytes.
func (d *decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if int64(n) > d.left {
		d.err, n = errPlan, int(d.left)
	}
	b := make([]byte, n)
	read, err := io.ReadFull(d.r, b)
	d.sum.Write(b[:read])
	d.left -= int64(read)
	if d.err == nil {
		d.err = err
	}
	if d.err != nil {
		d.rest = b[:read]
		return nil
	}
	return b
}

// text reads a text with its length in front, in its shortest form.
func (d *decoder) text() []byte {
	var head []byte
	for len(head) < binary.MaxVarintLen32 {
		b := d.take(1)
		if d.err != nil {
			return nil
		}
		if head = append(head, b[0]); b[0] < 0x80 {
			break
		}
	}
	n, size := binary.Uvarint(head)
	if size != len(head) || size > 1 && head[size-1] == 0 || int64(n) > d.left {
		d.err = errPlan
		return nil
	}
	return d.take(int(n))
}

// plan reads the head, the contacts, and what change exports said.
func (d *decoder) plan(contact func(*planfile.Entry) error, said func(state.Absorbed) error) (*Plan, error) {
	p := &Plan{}
	text := d.text()
	head := json.NewDecoder(bytes.NewReader(text))
	head.DisallowUnknownFields()
	if err := head.Decode(p); d.err != nil || err != nil || head.InputOffset() != int64(len(text)) {
		return nil, errPlan
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	var e planfile.Entry
	lastClass, last := runs.ClassExit, []byte(nil)
	for range p.Contacts {
		class := d.take(1)
		userID, payload := d.text(), d.text()
		if d.err != nil || runs.Class(class[0]) >= runs.Classes || runs.Class(class[0]) < lastClass || e.Decode(payload) != nil {
			return nil, errPlan
		}
		if e.UserID, e.Class = userID, runs.Class(class[0]); e.Class > lastClass {
			last = nil
		}
		if !isID(userID) || bytes.Compare(last, userID) >= 0 || p.checkEntry(&e) != nil || !bytes.Equal(e.Append(nil), payload) {
			return nil, errPlan
		}
		lastClass, last = e.Class, userID
		if contact != nil {
			if err := contact(&e); err != nil {
				return nil, &callerError{err}
			}
		}
	}
	last = nil
	var changed state.Said
	for range p.Said {
		userID, text := d.text(), d.text()
		if d.err != nil || !isID(userID) || bytes.Compare(last, userID) >= 0 || changed.Decode(text) != nil {
			return nil, errPlan
		}
		last = userID
		if said != nil {
			if err := said(state.Absorbed{UserID: userID, Said: text}); err != nil {
				return nil, &callerError{err}
			}
		}
	}
	return p, nil
}

func isID(userID []byte) bool {
	return len(userID) > 0 && len(userID) <= maxID && utf8.Valid(userID)
}
