package savedplan

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gleapsync/internal/extsort"
	"gleapsync/internal/planfile"
	"gleapsync/internal/tempdir"
	"gleapsync/internal/wholefile"
)

const (
	// magic begins a file; its last byte is the version of the format.
	magic = "gleapsync plan\n\x01"
	// end stands behind the contents, and before their checksum.
	end = "end plan"

	maxID  = 1024 // bytes of a user id
	footer = len(end) + sha256.Size
)

// CheckNew returns an error if there is something at path: a plan is never replaced.
func CheckNew(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return existsError(path)
	}
	return nil
}

func existsError(path string) error {
	return fmt.Errorf("%s exists already: choose another name for the plan, or remove that file", path)
}

// Write writes a plan to a new file at path, with its entries, sorted, and with what change exports
// said. Nobody finds a half of it.
func Write(path string, p *Plan, entries *planfile.Reader, said extsort.Stream) error {
	err := write(path, p, entries, said)
	if errors.Is(err, fs.ErrExist) {
		return existsError(path)
	}
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

func write(path string, p *Plan, entries *planfile.Reader, said extsort.Stream) error {
	dir, err := tempdir.New(filepath.Dir(path), ".gleapsync-plan-")
	if err != nil {
		return err
	}
	defer dir.Remove()
	file, err := os.OpenFile(dir.Join("plan"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 64<<10)
	err = encode(w, p, entries, said)
	if err = errors.Join(err, w.Flush(), file.Sync(), file.Close()); err != nil {
		return err
	}
	return wholefile.Create(file.Name(), path)
}

// encode writes what a file holds.
func encode(w io.Writer, p *Plan, entries *planfile.Reader, said extsort.Stream) error {
	sum := sha256.New()
	body := io.MultiWriter(w, sum)
	head, err := json.Marshal(p)
	if err != nil {
		return err
	}
	b := append([]byte(magic), appendText(nil, head)...)
	var e planfile.Entry
	var payload []byte
	contacts := 0
	for ; ; contacts++ {
		if _, err := body.Write(b); err != nil {
			return err
		}
		switch err := entries.NextInto(&e); {
		case err == nil:
		case err == io.EOF:
			return encodeSaid(w, body, sum.Sum, p, contacts, said)
		default:
			return err
		}
		payload = e.Append(payload[:0])
		b = appendText(append(b[:0], byte(e.Class)), e.UserID)
		b = appendText(b, payload)
	}
}

// encodeSaid writes what is behind the contacts.
func encodeSaid(w, body io.Writer, sum func([]byte) []byte, p *Plan, contacts int, said extsort.Stream) error {
	n := 0
	var b []byte
	for userID, changed, ok := said.Next(); ok; userID, changed, ok = said.Next() {
		b = appendText(appendText(b[:0], userID), changed)
		if _, err := body.Write(b); err != nil {
			return err
		}
		n++
	}
	if err := said.Err(); err != nil {
		return err
	}
	if contacts != p.Contacts || n != p.Said {
		return fmt.Errorf("%d contacts and %d with changes were counted, and %d and %d came", p.Contacts, p.Said, contacts, n)
	}
	if _, err := io.WriteString(body, end); err != nil {
		return err
	}
	_, err := w.Write(sum(nil))
	return err
}

// appendText appends a text with its length in front.
func appendText(dst, text []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}
