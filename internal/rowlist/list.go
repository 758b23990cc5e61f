package rowlist

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Header says what a list is of.
type Header struct {
	ID   [16]byte
	Seed uint64   // of the prints
	Of   [32]byte // all that the prints depend on besides: lists of something else say nothing
}

// Row is what a list has of a user.
type Row struct {
	UserID []byte
	Print  [16]byte
	Notes  Notes
}

// Note says of an attribute what the rows of a user said where the records do not tell, now or
// once what is to be sent is acknowledged. Of others the record says whether it counted.
type Note struct {
	ID   uint32
	Said Said
}

// Said is what rows said of an attribute.
type Said byte

// What rows may have said.
const (
	Nothing Said = iota // although the user has it in the records, or will
	Member              // that the user is one
	Other               // that the user is none
	saids
)

// NewID returns the id of a list that is about to be written.
func NewID() (id [16]byte) {
	rand.Read(id[:])
	return id
}

// suffix stands between the name of the state and a list's id.
const suffix = ".rows-"

// Path returns where the list of an id lies, given the path of the state.
func Path(state, id string) string { return state + suffix + id }

// Remove removes all lists of a state but those of some ids. What cannot be removed is left for
// the next time.
func Remove(state string, keep ...string) {
	entries, _ := os.ReadDir(filepath.Dir(state))
	for _, entry := range entries {
		id, isList := strings.CutPrefix(entry.Name(), filepath.Base(state)+suffix)
		if isList && isID(id) && !slices.Contains(keep, id) {
			_ = os.Remove(filepath.Join(filepath.Dir(state), entry.Name()))
		}
	}
}

// isID reports whether a text is a list's id as [Header.Name] writes it.
func isID(text string) bool {
	id, err := hex.DecodeString(text)
	return err == nil && len(id) == len(Header{}.ID)
}

// Name returns the list's id as a text.
func (h Header) Name() string { return hex.EncodeToString(h.ID[:]) }

// ErrDamaged is returned for what is no list, or not all of one.
var ErrDamaged = errors.New("the list of rows is damaged")

const (
	magic     = "gleaprow\x03" // the last byte is the version
	headSize  = len(magic) + 16 + 8 + 32
	sumSize   = 16
	maxRow    = 128 << 10
	bufferLen = 2 * maxRow
)
