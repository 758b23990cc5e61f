package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"gleapsync/state"
)

// note is what the twin says of itself.
type note struct {
	Address string    `json:"address"` // of the replica
	ID      string    `json:"id"`      // of the snapshot that it is
	At      time.Time `json:"at"`      // of the snapshot
	Pending string    `json:"pending"` // the snapshot that was about to count, and that the local state has
	First   string    `json:"first"`   // of its parts
	Last    string    `json:"last"`
	Count   int       `json:"count"`
	Adopted bool      `json:"adopted"` // the local state comes from it
}

func noteOf(o Options, m *manifest) note {
	return note{Address: o.Name(), ID: m.ID, At: m.At, First: m.Parts[0].Key, Last: m.Parts[len(m.Parts)-1].Key, Count: len(m.Parts), Adopted: true}
}

func (n note) json() []byte {
	text, err := json.Marshal(n)
	if err != nil { // texts and numbers always marshal
		panic(err)
	}
	return text
}

// parseNote returns an empty note for what is none.
func parseNote(text []byte) (n note) {
	if json.Unmarshal(text, &n) != nil {
		return note{}
	}
	return n
}

// readNote returns the note of the twin, an empty one if there is no twin, or one of no use.
func readNote(o Options) (n note) {
	twin := state.TwinOf(o.State.Path)
	text, err := twin.Note()
	if err == nil && text != nil {
		err = json.Unmarshal(text, &n)
	}
	if err != nil {
		o.Log.Warn("the local copy of what the replica has is of no use, and is made anew", "reason", err.Error())
		_ = twin.Remove()
		return note{}
	}
	if n.Address != o.Name() {
		return note{}
	}
	return n
}

// Where a local state stands, beside the one of a snapshot.
type standing int

const (
	none      standing = iota // there is no local state
	ahead                     // it is the snapshot's, and maybe more
	behind                    // the snapshot has all that matters of it, and maybe more
	cut                       // it has commits that never came to the bucket, which went on without them
	unknown                   // it has more commits, and nobody knows whether it is of the same line
	otherLine                 // it was begun elsewhere
)

// stand tells them apart. twin and local are nil where there is none.
func stand(n note, twin, local *state.Mark, m *manifest) standing {
	switch {
	case local == nil:
		return none
	case twin == nil || n.ID == "": // nobody knows where it comes from
		switch {
		case local.ID != m.State.ID:
			return otherLine
		case local.Commits > m.State.Commits:
			return unknown
		}
		return behind
	case !n.Adopted: // it was about to be replaced
		return behind
	case local.ID != twin.ID:
		return otherLine
	case local.Commits < twin.Commits:
		return behind
	case n.ID == m.ID || n.Pending == m.ID:
		return ahead
	case local.Commits > twin.Commits:
		return cut
	}
	return behind
}

// localMark returns what the local state is like, nil if there is none.
func localMark(o Options) (*state.Mark, error) {
	if _, err := os.Stat(o.State.Path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	s, err := state.Open(state.Options{Path: o.State.Path, Project: o.State.Project})
	if err != nil {
		return nil, err
	}
	return s.Mark(), nil
}

// bring brings the local state to what the bucket has. m is nil if that has nothing.
func bring(ctx context.Context, o Options, s *store, m *manifest) (note, error) {
	n := readNote(o)
	if m == nil {
		if n.ID != "" {
			return n, fmt.Errorf("it has no snapshot, although this machine left one there on %s: its folder was emptied, or is another one. Put it back, or remove %s to write it anew from the state here", n.At.Format(time.RFC3339), o.State.Path+state.TwinSuffix)
		}
		return n, nil
	}
	local, err := localMark(o)
	if err != nil {
		return n, err
	}
	var twin *state.Mark
	if n.ID != "" {
		mark, err := state.TwinOf(o.State.Path).Mark()
		if err != nil {
			n = note{}
		} else {
			twin = &mark
		}
	}
	switch stand(n, twin, local, m) {
	case ahead:
		if n.ID != m.ID {
			n, err = catchUp(ctx, o, s, n, m, true)
		}
		return n, err
	case none:
		o.Log.Info("there is no state here: it comes from the replica", "snapshot", m.ID, "of", m.At)
	case behind:
		o.Log.Info("the state here is older than the replica's, which takes its place", "snapshot", m.ID, "of", m.At, "left_by", m.Command)
	case cut:
		o.Log.Warn("the state here has commits that never came to the replica, which another machine went on with: it takes its place, and what those commits were about was told again", "commits", local.Commits-twin.Commits, "snapshot", m.ID, "of", m.At)
	case unknown:
		return n, fmt.Errorf("the state file %s has %d commits more than the snapshot %s of the replica, and nobody knows whether they are of the same line: move it away to go on with the replica's, or move it away and run gleapsync restore with it to go on with this one", o.State.Path, local.Commits-m.State.Commits, m.ID)
	case otherLine:
		return n, fmt.Errorf("the state file %s, begun on %s, is not the one of the replica, which was begun on %s: move it away to go on with the replica's, or move it away and run gleapsync restore with it to go on with this one", o.State.Path, local.Created.Format(time.RFC3339), m.State.Created.Format(time.RFC3339))
	}
	if n, err = catchUp(ctx, o, s, n, m, false); err != nil {
		return n, err
	}
	var slice []state.Announced
	if m.Slice != nil {
		packed, err := s.read(ctx, *m.Slice, mostSlice)
		if err != nil {
			return n, err
		}
		if slice, err = unpackSlice(packed); err != nil {
			return n, err
		}
		if len(slice) > 0 {
			o.Log.Warn("nobody knows what became of the last calls of the run before: these contacts are told again", "contacts", len(slice))
		}
	}
	t := state.TwinOf(o.State.Path)
	if err := t.Adopt(o.State, slice); err != nil {
		return n, err
	}
	n.Adopted = true
	return n, t.SetNote(n.json())
}

// mostSlice bounds what is read of one.
const mostSlice = 64 << 20

// catchUp brings the twin to a snapshot, with the parts alone that it does not have.
func catchUp(ctx context.Context, o Options, s *store, n note, m *manifest, adopted bool) (note, error) {
	t := state.TwinOf(o.State.Path)
	next := noteOf(o, m)
	next.Adopted = adopted
	var err error
	if n.ID != "" && n.Count <= len(m.Parts) && n.First == m.Parts[0].Key && n.Last == m.Parts[n.Count-1].Key {
		err = t.Change(next.json(), (&entries{next: s.parts(ctx, m.Parts[n.Count:])}).Next)
	} else {
		err = t.Build(next.json(), (&entries{next: s.parts(ctx, m.Parts)}).Next)
	}
	if err != nil {
		return n, err
	}
	mark, err := t.Mark()
	if err == nil && (mark.ID != m.State.ID || mark.Commits != m.State.Commits) {
		err = fmt.Errorf("the snapshot %s does not give the state that it was made of: take an earlier one with gleapsync restore --from, or a backup", m.ID)
	}
	if err != nil {
		_ = t.Remove()
		return note{}, err
	}
	return next, nil
}

// parts returns a function that reads parts, one after the other.
func (s *store) parts(ctx context.Context, all []object) func() ([]byte, error) {
	return func() ([]byte, error) {
		if len(all) == 0 {
			return nil, io.EOF
		}
		o := all[0]
		all = all[1:]
		return s.read(ctx, o, mostPart)
	}
}

// Fetch writes a snapshot that is kept, of which id is the name, to a new file.
func (h *Held) Fetch(ctx context.Context, id, path string) (Snapshot, error) {
	if h.manifest == nil {
		return Snapshot{}, fmt.Errorf("the replica %s has no snapshot yet", h.o.Name())
	}
	found, parts, err := h.manifest.find(id)
	if err != nil {
		return Snapshot{}, err
	}
	t := state.TwinAt(path + state.TwinSuffix)
	defer t.Remove()
	if err := t.Build([]byte("{}"), (&entries{next: h.holding.store.parts(ctx, parts)}).Next); err != nil {
		return found, err
	}
	return found, t.Extract(path)
}
