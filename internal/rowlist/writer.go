package rowlist

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"os"

	"github.com/zeebo/xxh3"
)

// Writer writes a list.
type Writer struct {
	file *os.File
	buf  *bufio.Writer
	sum  *xxh3.Hasher
	row  []byte
	last []byte
	rows uint64

	size, spare int64 // bytes: of all rows, and of notes that [Trim] may leave out
}

// Create begins the list of a state, in a file of its own.
func Create(state string, h Header) (*Writer, error) {
	file, err := os.OpenFile(Path(state, h.Name()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	w := &Writer{file: file, buf: bufio.NewWriterSize(file, bufferLen), sum: xxh3.New()}
	head := append([]byte(magic), h.ID[:]...)
	head = binary.BigEndian.AppendUint64(head, h.Seed)
	return w, w.write(append(head, h.Of[:]...))
}

var errOrder = errors.New("the user ids of a list of rows are not in their order")

// Add adds a row. They come in the order of their user ids, each once.
func (w *Writer) Add(r Row) error {
	if len(r.UserID) == 0 || w.rows > 0 && bytes.Compare(r.UserID, w.last) <= 0 {
		return errOrder
	}
	shared := 0
	for shared < len(w.last) && shared < len(r.UserID) && w.last[shared] == r.UserID[shared] {
		shared++
	}
	b := binary.AppendUvarint(w.row[:0], uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(r.UserID)-shared))
	b = append(b, r.UserID[shared:]...)
	b = append(b, r.Print[:]...)
	b = binary.AppendUvarint(b, uint64(len(r.Notes)))
	notes := len(b)
	for n := range r.Notes.All() {
		if n.Said == Nothing {
			b = n.Append(b)
		}
	}
	nothing := len(b) - notes
	for n := range r.Notes.All() {
		if n.Said != Nothing {
			b = n.Append(b)
		}
	}
	if w.row = b; len(b) > maxRow {
		return errors.New("a row of a list of rows is too long")
	}
	w.last = append(w.last[:shared], r.UserID[shared:]...)
	w.size, w.spare = w.size+int64(len(b)), w.spare+int64(len(r.Notes)-nothing)
	w.rows++
	return w.write(b)
}

func (w *Writer) write(b []byte) error {
	_, _ = w.sum.Write(b) // it never fails
	_, err := w.buf.Write(b)
	return err
}

// Close ends the list. Without it nobody takes it for one. It is not forced onto the disk: what
// does not get there is found to be damaged.
func (w *Writer) Close() error {
	err := w.write(binary.AppendUvarint([]byte{0, 0}, w.rows))
	sum := w.sum.Sum128().Bytes()
	_, sumErr := w.buf.Write(sum[:])
	return errors.Join(err, sumErr, w.buf.Flush(), w.file.Close())
}

// Discard removes the list. It may follow Close.
func (w *Writer) Discard() {
	w.file.Close()
	os.Remove(w.file.Name())
}
