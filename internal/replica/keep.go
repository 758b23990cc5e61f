package replica

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"gleapsync/internal/bucket"
	"gleapsync/state"
)

// mostChange is how much is done to the twin in one transaction. With more than that it is
// copied.
const mostChange = 64 << 20

// Keep returns once the bucket has the state as it is, and next: what may be sent from now on,
// beside what the state itself has of unanswered calls.
func (h *Held) Keep(ctx context.Context, s *state.Store, next []state.Announced) error {
	if err := h.keep(ctx, s, next, false); err != nil {
		return fmt.Errorf("the replica %s does not have what is to be sent, so it is not sent: %w", h.o.Name(), err)
	}
	return nil
}

// keep tries for a while. end says that a command ends with it.
func (h *Held) keep(ctx context.Context, s *state.Store, next []state.Announced, end bool) error {
	h.keeping.Lock()
	defer h.keeping.Unlock()
	began := time.Now()
	for wait := h.o.Patience / 60; ; wait = min(2*wait, h.o.Patience/6) {
		err := h.keepOnce(ctx, s, next, end)
		switch {
		case err == nil || ctx.Err() != nil || h.Check() != nil:
			return err
		case !errors.As(err, new(*bucket.Error)) || time.Since(began) > h.o.Patience:
			return err
		}
		h.o.Log.Debug("the state could not be kept yet", "reason", err.Error())
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func (h *Held) keepOnce(ctx context.Context, s *state.Store, next []state.Announced, end bool) error {
	if err := h.Check(); err != nil {
		return err
	}
	before, mark := h.manifest, s.Mark()
	forgets := before != nil && (before.Unclean || mark != nil && mark.Forgotten > before.State.Forgotten)
	whole := before == nil || h.unsure || h.note.ID == "" || end && (forgets || before.isLong())
	if !whole && len(next) == 0 && before.Slice == nil && mark != nil && mark.ID == before.State.ID && mark.Commits == before.State.Commits && (before.End || !end) {
		return nil
	}
	m, packed, copied, err := h.compare(s, whole)
	if err != nil {
		return err
	}
	defer packed.close()
	if h.o.First != nil {
		if err := h.o.First(ctx, s); err != nil {
			return err
		}
	}
	h.complete(m, before, whole, end, forgets)
	if err := h.writeParts(ctx, m, packed); err != nil {
		return err
	}
	if len(next) > 0 {
		text, err := packSlice(next)
		if err != nil {
			return err
		}
		o, err := h.write(ctx, sliceNames, text)
		if err != nil {
			return err
		}
		m.Slice = &o
	}
	if err := h.count(ctx, m); err != nil {
		return err
	}
	h.manifest = m
	if err := h.follow(m, packed, copied); err != nil {
		h.unsure = true
		return fmt.Errorf("the local copy of what the replica has: %w", err)
	}
	h.unsure = false
	if end {
		if err := h.sweep(ctx); err != nil {
			if forgets {
				return fmt.Errorf("objects may still hold contacts that were forgotten: the next command removes them: %w", err)
			}
			h.o.Log.Debug("objects that are not needed any more are left", "reason", err.Error())
		}
	}
	return nil
}

// compare packs what the bucket does not have.
func (h *Held) compare(s *state.Store, whole bool) (*manifest, *spool, bool, error) {
	packed, err := newSpool(filepath.Dir(h.o.State.Path))
	if err != nil {
		return nil, nil, false, err
	}
	most := mostChange
	if whole {
		most = -1
	}
	m := &manifest{Format: format, Project: h.o.State.Project}
	var copied bool
	m.State, m.Size, copied, err = h.twin.Compare(s, whole, most, packed.add)
	if err == nil {
		err = packed.end()
	}
	if err != nil {
		packed.close()
		return nil, nil, false, err
	}
	return m, packed, copied, nil
}

// complete says what a manifest is about, as far as it follows from the one before.
func (h *Held) complete(m, before *manifest, whole, end, forgets bool) {
	m.Number, m.At, m.End, m.Command = 1, h.o.Now().UTC().Truncate(time.Second), end, h.o.Command
	if before != nil {
		m.Number = before.Number + 1
		m.Former = before.formerOf(whole)
		if !whole {
			m.Whole, m.Parts = before.Whole, before.Parts[:len(before.Parts):len(before.Parts)]
		}
	}
	m.Unclean = forgets && !end
	if forgets && end {
		m.Former = nil // they hold what was forgotten
	}
	var own [3]byte // each has a name of its own, also one that is tried again: the first may count
	rand.Read(own[:])
	m.ID = fmt.Sprintf("%d-%x", m.Number, own)
}

// name returns a name for a new object, which no other process gives.
func (h *Held) name(folder string) string {
	h.written++
	return fmt.Sprintf("%s%08d-%s-%d", folder, h.holding.fence, h.holding.nonce, h.written)
}

func (h *Held) write(ctx context.Context, folder string, text []byte) (object, error) {
	if err := h.Check(); err != nil {
		return object{}, err
	}
	h.moved += int64(len(text))
	return h.holding.store.write(ctx, h.name(folder), text)
}

func (h *Held) writeParts(ctx context.Context, m *manifest, packed *spool) error {
	all := len(m.Parts) == 0
	for next := packed.next(); ; {
		text, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		o, err := h.write(ctx, partNames, text)
		if err != nil {
			return err
		}
		m.Parts = append(m.Parts, o)
	}
	if all {
		m.Whole = len(m.Parts)
	}
	m.Bytes = 0
	for _, p := range m.Parts {
		m.Bytes += p.Bytes
	}
	return nil
}

// count writes a manifest and has the lease name it. From then on it counts.
func (h *Held) count(ctx context.Context, m *manifest) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	packed, err := pack(text)
	if err != nil {
		return err
	}
	o, err := h.write(ctx, manifestNames, packed)
	if err != nil {
		return err
	}
	if h.note.ID != "" && !h.unsure {
		pending := h.note
		pending.Pending = m.ID
		if err := h.twin.SetNote(pending.json()); err != nil {
			return err
		}
	}
	h.counts = o.Key
	return h.holding.update(ctx, func(l *lease) { l.Snapshot = &o })
}

// follow brings the twin to the snapshot that counts now.
func (h *Held) follow(m *manifest, packed *spool, copied bool) error {
	h.note = noteOf(h.o, m)
	if copied {
		return h.twin.Take(h.note.json())
	}
	return h.twin.Change(h.note.json(), (&entries{next: packed.next()}).Next)
}

// sweep removes what no snapshot needs that is kept. What a later holder wrote has a higher
// fencing number, and stays.
func (h *Held) sweep(ctx context.Context) error {
	s := h.holding.store
	needed := h.manifest.objects()
	needed[h.counts] = true
	var gone []string
	for _, folder := range []string{partNames, sliceNames, manifestNames} {
		for o, err := range s.List(ctx, s.folder+folder) {
			if err != nil {
				return err
			}
			key := strings.TrimPrefix(o.Key, s.folder)
			if fence, ok := fenceOf(key); ok && fence <= h.holding.fence && !needed[key] {
				gone = append(gone, o.Key)
			}
		}
	}
	for _, key := range gone {
		if err := h.Check(); err != nil {
			return err
		}
		if err := s.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
