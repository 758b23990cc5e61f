package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gleapsync/internal/bucket"
	"gleapsync/state"
)

// format is the version of what is written to a bucket. A program refuses a later one.
const format = 1

// Snapshot is a state that the bucket has.
type Snapshot struct {
	ID      string     `json:"id"`
	Number  uint64     `json:"number"` // goes up by one
	At      time.Time  `json:"at"`
	State   state.Mark `json:"state"`
	Size    int64      `json:"size"`  // of the state file
	Bytes   int64      `json:"bytes"` // of the objects that it is made of
	End     bool       `json:"end"`   // a command left it so
	Command string     `json:"command"`
}

// manifest says what a snapshot is made of.
type manifest struct {
	Format  int    `json:"format"`
	Project string `json:"project"`
	Snapshot
	Whole  int      `json:"whole"` // so many of the parts have all of a state; the others, what changed
	Parts  []object `json:"parts"`
	Slice  *object  `json:"slice,omitempty"`  // what may have been sent since
	Former []former `json:"former,omitempty"` // the newest first
	// Unclean says that its parts and the former snapshots may hold contacts that were forgotten.
	Unclean bool `json:"unclean,omitempty"`
}

// former is an earlier snapshot that is kept.
type former struct {
	Snapshot
	Count int      `json:"count"`           // of the parts that it is made of
	Parts []object `json:"parts,omitempty"` // nil: they are the first ones of the manifest
}

const (
	// mostFormer is how many snapshots are kept beside the present one.
	mostFormer = 3
	// mostParts is after how many parts a state is written as a whole again, and half of its
	// size after how many bytes.
	mostParts     = 500
	mostManifest  = 4 << 20
	manifestNames = "snapshots/"
	partNames     = "parts/"
	sliceNames    = "slices/"
)

// isLong reports whether the next snapshot should have its state as a whole.
func (m *manifest) isLong() bool {
	var whole, changes int64
	for i, p := range m.Parts {
		if i < m.Whole {
			whole += p.Bytes
		} else {
			changes += p.Bytes
		}
	}
	return len(m.Parts)-m.Whole >= mostParts || changes > whole/2+1<<20
}

// formerOf returns which snapshots are kept beside one that comes after m.
func (m *manifest) formerOf(whole bool) []former {
	var kept []former
	if m.End {
		kept = append(kept, former{Snapshot: m.Snapshot, Count: len(m.Parts)})
	}
	kept = append(kept, m.Former...)
	kept = kept[:min(len(kept), mostFormer)]
	if whole {
		for i := range kept {
			if kept[i].Parts == nil {
				kept[i].Parts = m.Parts[:kept[i].Count]
			}
		}
	}
	return kept
}

// find returns the parts of a snapshot that is kept.
func (m *manifest) find(id string) (Snapshot, []object, error) {
	var known []string
	if m.ID == id {
		return m.Snapshot, m.Parts, nil
	}
	known = append(known, m.ID)
	for _, f := range m.Former {
		if f.ID == id {
			if f.Parts != nil {
				return f.Snapshot, f.Parts, nil
			}
			return f.Snapshot, m.Parts[:f.Count], nil
		}
		known = append(known, f.ID)
	}
	return Snapshot{}, nil, fmt.Errorf("the replica has no snapshot %q: it has %s", id, strings.Join(known, ", "))
}

// check returns what is wrong with a manifest that was read.
func (m *manifest) check(project string) error {
	switch {
	case m.Format > format:
		return fmt.Errorf("the replica was written by a newer gleapsync (format %d, this one knows %d): use that", m.Format, format)
	case m.Project != project:
		return fmt.Errorf("the replica belongs to the project %q, not to %q: set project or state.replica to what goes together", m.Project, project)
	case m.Whole < 1 || m.Whole > len(m.Parts):
		return errPart
	}
	for _, f := range m.Former {
		if f.Parts == nil && f.Count > len(m.Parts) {
			return errPart
		}
	}
	return nil
}

// objects returns the keys that a manifest names.
func (m *manifest) objects() map[string]bool {
	all := map[string]bool{}
	for _, p := range m.Parts {
		all[p.Key] = true
	}
	for _, f := range m.Former {
		for _, p := range f.Parts {
			all[p.Key] = true
		}
	}
	if m.Slice != nil {
		all[m.Slice.Key] = true
	}
	return all
}

// store is the bucket, with the folder of the replica.
type store struct {
	*bucket.Bucket
	folder string // with a slash at its end
}

func openStore(ctx context.Context, o Options) (*store, error) {
	b, err := o.Address.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("the replica %s cannot be used: %w", o.Name(), err)
	}
	folder := strings.Trim(o.Address.Key, "/")
	if folder != "" {
		folder += "/"
	}
	return &store{b, folder}, nil
}

// read reads an object, which has to be the one that is meant.
func (s *store) read(ctx context.Context, o object, most int64) ([]byte, error) {
	if o.Bytes > most {
		return nil, fmt.Errorf("%s: %w", s.Name(s.folder+o.Key), errPart)
	}
	var text []byte
	var err error
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		text, _, err = s.Get(ctx, s.folder+o.Key, o.Bytes+1024)
		if err == nil || errors.Is(err, bucket.ErrNotFound) || ctx.Err() != nil || wait > 2*time.Second {
			break
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		return nil, fmt.Errorf("%s is gone: %w", s.Name(s.folder+o.Key), err)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read: %w", s.Name(s.folder+o.Key), err)
	case int64(len(text)) != o.Bytes || digest(text) != o.SHA256:
		return nil, fmt.Errorf("%s: %w", s.Name(s.folder+o.Key), errPart)
	}
	return text, nil
}

// write writes an object that is named by what it is, so that it can be tried again.
func (s *store) write(ctx context.Context, key string, text []byte) (object, error) {
	o := object{Key: key, SHA256: digest(text), Bytes: int64(len(text))}
	_, err := s.Put(ctx, s.folder+key, text, bucket.Condition{})
	return o, err
}

// manifest reads the manifest that a lease names.
func (s *store) manifest(ctx context.Context, l *lease, project string) (*manifest, error) {
	if l == nil || l.Snapshot == nil {
		return nil, nil
	}
	packed, err := s.read(ctx, *l.Snapshot, mostManifest)
	if err != nil {
		return nil, err
	}
	text, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, errPart
	}
	return &m, m.check(project)
}

// fenceOf returns the fencing number in an object's name.
func fenceOf(key string) (fence uint64, ok bool) {
	name := key[strings.LastIndexByte(key, '/')+1:]
	text, _, ok := strings.Cut(name, "-")
	if !ok {
		return 0, false
	}
	fence, err := strconv.ParseUint(text, 10, 64)
	return fence, err == nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
