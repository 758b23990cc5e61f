package state

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"gleapsync/internal/attr"
)

// KindTrait is the kind of an attribute that holds a trait's value; every other is an
// audience's.
const KindTrait = "trait"

// Attribute is one attribute of the project's contacts, as the file knows it.
type Attribute struct {
	ID   uint32 `json:"-"`
	Key  string `json:"key"`
	Kind string `json:"kind"`
	// Type is the JSON type of its values (boolean, number or string), "" as long as none was
	// delivered. A file that was written before types were kept has none either.
	Type    string  `json:"type,omitempty"`
	Name    string  `json:"name"`
	Members int     `json:"members"` // contacts for which Gleap acknowledged true or a value
	Applied Applied `json:"applied,omitzero"`
	// Computation is set for an attribute that a change export feeds, or fed.
	Computation *Computation `json:"computation,omitempty"`
	// Retired is set for an attribute that is to go: its members are told that they are
	// none any more, and then it is gone.
	Retired bool `json:"retired,omitempty"`
	// Unanswered is set for one that is retired and that Gleap may still have of contacts, see
	// [Unanswered].
	Unanswered bool `json:"-"`
}

// Computation is what Engage's events said of an audience or trait.
type Computation struct {
	ID     string `json:"id,omitempty"` // Engage's own; it changes if one is deleted and created again
	Newest int64  `json:"newest"`       // time of its newest change, in nanoseconds since 1970
	// Name is the one that the events have, which may differ from the attribute's in case,
	// blanks and underscores. "": an earlier version did not note it.
	Name string `json:"name,omitempty"`
}

// Gone reports whether the attribute was retired and has no members left. The file
// keeps it only so that its id is not given out again.
func (a Attribute) Gone() bool { return a.Retired && a.Members == 0 && !a.Unanswered }

// Applied says which export Gleap acknowledged as a whole, for one attribute.
type Applied struct {
	Fingerprint string    `json:"fingerprint"`
	AsOf        time.Time `json:"as_of"` // of the data
	At          time.Time `json:"at"`    // when the last call was acknowledged
	Members     int       `json:"members"`
	HasFields   bool      `json:"has_fields"`         // contact fields came along
	Parts       int       `json:"parts,omitempty"`    // of the export, 0: it has none
	IDParts     int       `json:"id_parts,omitempty"` // of the identifiers, if they are a table of their own
	Rows        int       `json:"rows,omitempty"`     // of the export, 0: nobody knows
	// EndsLines says that its text ended with a line break: one of a later one that does not may
	// be cut off.
	EndsLines bool `json:"ends_lines,omitempty"`
	// WithheldRuns is in how many runs, one after the other, exits were withheld.
	WithheldRuns int `json:"withheld_runs,omitempty"`
	// Due is when the first of the values may be sent that this export has and that were held
	// back for their time; zero if there are none.
	Due time.Time `json:"due,omitzero"`
	// Unlisted is the version of the lists of known contacts, in a form of the caller's, that left
	// contacts of the export out; "": nobody was left out.
	Unlisted string `json:"unlisted,omitempty"`
	// List is the id of the list of the export's rows, see package rowlist; "": there is none.
	List string `json:"list,omitempty"`
}

// MemberCount is 1 for the value of a member of an audience, and for any value of a
// trait, else 0.
func MemberCount(trait bool, v attr.Value) int {
	switch v.Kind() {
	case attr.None, attr.Null:
		return 0
	case attr.False:
		if !trait {
			return 0
		}
	}
	return 1
}

// tally counts by how much the members of attributes change.
type tally struct {
	attributes []Attribute
	trait      map[uint32]bool
	gone       map[uint32]bool
	change     map[uint32]int
}

func newTally(attributes []Attribute) *tally {
	t := &tally{attributes, map[uint32]bool{}, map[uint32]bool{}, map[uint32]int{}}
	for _, a := range attributes {
		t.trait[a.ID], t.gone[a.ID] = a.Kind == KindTrait, a.Gone()
	}
	return t
}

// add counts a value that n contacts more have.
func (t *tally) add(id uint32, v attr.Value, n int) {
	if v.Kind() <= attr.Null { // of no member, as often
		return
	}
	t.change[id] += n * MemberCount(t.trait[id], v)
}

func (t *tally) write(tx *bbolt.Tx) error {
	for _, a := range t.attributes {
		if n := t.change[a.ID]; n != 0 {
			a.Members += n
			if err := putAttribute(tx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

func attributeKey(id uint32) []byte { return binary.BigEndian.AppendUint32(nil, id) }

// readAttributes decodes the attributes in the order of their ids.
func readAttributes(tx *bbolt.Tx) ([]Attribute, error) {
	var all []Attribute
	if err := each(tx.Bucket(bucketAttributes), func(key, text []byte) error {
		var a Attribute
		if err := json.Unmarshal(text, &a); err != nil || len(key) != 4 {
			return fmt.Errorf("attribute %x cannot be decoded", key)
		}
		a.ID = binary.BigEndian.Uint32(key)
		all = append(all, a)
		return nil
	}); err != nil {
		return nil, damaged(err)
	}
	if !slices.ContainsFunc(all, Attribute.Gone) {
		return all, nil
	}
	unanswered, err := readUnanswered(tx)
	if err != nil {
		return nil, damaged(err)
	}
	for _, u := range unanswered {
		for _, c := range u.Attributes {
			if int(c.ID) < len(all) && all[c.ID].ID == c.ID {
				all[c.ID].Unanswered = all[c.ID].Retired
			}
		}
	}
	return all, nil
}

// readAttribute decodes one attribute. One that is not there has no key.
func readAttribute(tx *bbolt.Tx, id uint32) (Attribute, error) {
	a, key := Attribute{ID: id}, attributeKey(id)
	sealed := tx.Bucket(bucketAttributes).Get(key)
	if sealed == nil {
		return a, nil
	}
	if err := getJSON(key, sealed, &a); err != nil {
		return a, damaged(fmt.Errorf("attribute %d: %w", id, err))
	}
	return a, nil
}

func putAttribute(tx *bbolt.Tx, a Attribute) error {
	return putJSON(tx.Bucket(bucketAttributes), attributeKey(a.ID), a)
}
