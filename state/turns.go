package state

import (
	"encoding/json"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// Turns is what a run that did not come through its plan leaves for the next one, so that
// nobody waits for ever. The zero Turns is that of a run that left nothing over.
type Turns struct {
	Classes map[string]Turn `json:"classes"` // those of which something is left over
	At      int             `json:"at"`      // where the push was in the round of its turns
	Calls   int             `json:"calls"`   // that the run made
}

// Turn is about one class of a plan.
type Turn struct {
	// Last is the contact that runs came to last: it and all before it had an answer. It is
	// empty as long as there is none.
	Last  string `json:"last,omitempty"`
	Since string `json:"since"` // the run since which the class was never empty
}

// putTurns stores turns; nil stands for those that are there.
func putTurns(tx *bbolt.Tx, t *Turns) error {
	if t == nil {
		return nil
	}
	meta := tx.Bucket(bucketMeta)
	if len(t.Classes) == 0 {
		return remove(meta, keyTurns)
	}
	return putJSON(meta, keyTurns, t)
}

func readTurns(tx *bbolt.Tx) (t Turns, err error) {
	text := get(tx.Bucket(bucketMeta), keyTurns)
	if text == nil {
		return t, nil
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return t, fmt.Errorf("the turns cannot be decoded: %w", err)
	}
	return t, nil
}

// forgetTurns takes contacts out. The next run begins their class with the first contact.
func forgetTurns(tx *bbolt.Tx, userIDs []string) error {
	t, err := readTurns(tx)
	if err != nil {
		return err
	}
	for class, turn := range t.Classes {
		if slices.Contains(userIDs, turn.Last) {
			turn.Last = ""
			t.Classes[class] = turn
		}
	}
	return putTurns(tx, &t)
}
