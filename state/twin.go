package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"go.etcd.io/bbolt"

	"gleapsync/internal/wholefile"
)

// Twin is a second file beside a state: the state as it was when it was last kept somewhere
// else, with a note of whoever keeps it. What the state has and the twin has not is what is to
// be kept next.
type Twin struct{ path string }

// TwinSuffix is what is added to a state's path for its twin.
const TwinSuffix = ".replica"

// TwinOf returns the twin of the state file at path. There may be none.
func TwinOf(path string) Twin { return Twin{path + TwinSuffix} }

// Entry is what a state file has of one key, as it is stored there.
type Entry struct {
	Bucket []byte
	Key    []byte // nil: it is about the bucket itself, and Value is how many entries that says it has
	Value  []byte // nil: there is none
}

var (
	bucketNote = []byte("replica")
	keyNote    = []byte("note")
)

// perTransaction bounds the memory for what is written to a twin.
const perTransaction = 32 << 20

// Remove removes the twin.
func (t Twin) Remove() error {
	if err := os.Remove(t.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// open runs fn with the file, in the way that every state is read.
func (t Twin) open(o *bbolt.Options, fn func(*bbolt.DB) error) error {
	o.Timeout = readTimeout
	o.OpenFile = openExisting
	any := &file{path: t.path}
	return any.open(o, fn)
}

// Note returns the note, nil if there is no twin.
func (t Twin) Note() (note []byte, err error) {
	if _, err := os.Stat(t.path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	err = t.open(&bbolt.Options{ReadOnly: true}, func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			if b := tx.Bucket(bucketNote); b != nil {
				note = bytes.Clone(get(b, keyNote))
			}
			if note == nil {
				return damaged(errors.New("it has no note"))
			}
			return nil
		})
	})
	return note, err
}

// SetNote writes the note.
func (t Twin) SetNote(note []byte) error {
	return t.Change(note, func() (Entry, error) { return Entry{}, io.EOF })
}

// Change does to the twin what entries say, which next returns one by one until io.EOF, and
// writes the note: all of it or nothing.
func (t Twin) Change(note []byte, next func() (Entry, error)) error {
	return t.open(&bbolt.Options{FreelistType: bbolt.FreelistMapType}, func(db *bbolt.DB) error {
		return db.Update(func(tx *bbolt.Tx) error {
			if _, err := changeSome(tx, next, 1<<62); err != io.EOF {
				return err
			}
			return putNote(tx, note)
		})
	})
}

func putNote(tx *bbolt.Tx, note []byte) error {
	b, err := tx.CreateBucketIfNotExists(bucketNote)
	if err != nil {
		return err
	}
	return put(b, keyNote, note)
}

// changeSome does what entries say until they are so many bytes. It returns io.EOF after the
// last one.
func changeSome(tx *bbolt.Tx, next func() (Entry, error), most int) (n int, err error) {
	for n < most {
		e, err := next()
		if err != nil {
			return n, err
		}
		n += len(e.Key) + len(e.Value)
		if err := change(tx, e); err != nil {
			return n, err
		}
	}
	return n, nil
}

func change(tx *bbolt.Tx, e Entry) error {
	if bytes.Equal(e.Bucket, bucketNote) {
		return errors.New("the note of a twin is not part of a state")
	}
	if e.Key == nil && e.Value == nil {
		return tx.DeleteBucket(e.Bucket)
	}
	b, err := tx.CreateBucketIfNotExists(e.Bucket)
	switch {
	case err != nil:
		return err
	case e.Key == nil && len(e.Value) != 8:
		return errors.New("a count has 8 bytes")
	case e.Key == nil:
		return b.SetSequence(binary.BigEndian.Uint64(e.Value))
	case e.Value == nil:
		return b.Delete(e.Key)
	}
	b.FillPercent = 0.9 // they come in order
	return b.Put(e.Key, e.Value)
}

// Build writes the twin anew from all entries of a state.
func (t Twin) Build(note []byte, next func() (Entry, error)) error {
	temporary := t.path + ".new"
	os.Remove(temporary)
	defer os.Remove(temporary)
	db, err := bbolt.Open(temporary, 0o600, &bbolt.Options{Timeout: readTimeout, NoSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	for err == nil {
		var of error
		if err = db.Update(func(tx *bbolt.Tx) error {
			if _, of = changeSome(tx, next, perTransaction); of != nil && of != io.EOF {
				return of
			}
			return putNote(tx, note)
		}); err == nil && of == io.EOF {
			break
		}
	}
	if err = errors.Join(err, db.Sync(), db.Close()); err != nil {
		return err
	}
	return wholefile.Replace(temporary, t.path)
}

// Mark returns what the twin is like.
func (t Twin) Mark() (m Mark, err error) {
	err = t.open(&bbolt.Options{ReadOnly: true}, func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			if tx.Bucket(bucketMeta) == nil || tx.Bucket(bucketForgotten) == nil {
				return damaged(errors.New("it is no state"))
			}
			m = markOf(tx)
			return nil
		})
	})
	return m, err
}

// Compare calls yield with what is to be done to the twin so that it is as the state, or with
// all of the state if whole. If that is more than most bytes it also writes a copy of the
// state to the twin's new place, for [Twin.Take]. Commits have to wait meanwhile.
func (t Twin) Compare(s *Store, whole bool, most int, yield func(Entry) error) (m Mark, size int64, copied bool, err error) {
	if !s.Exists() {
		return m, 0, false, errNoFile(s)
	}
	n := 0
	count := func(e Entry) error { n += len(e.Key) + len(e.Value); return yield(e) }
	compare := func(before *bbolt.Tx) error {
		return s.view(func(tx *bbolt.Tx) error {
			m, size = markOf(tx), tx.Size()
			if err := differences(before, tx, count); err != nil || n <= most {
				return err
			}
			copied = true
			os.Remove(t.path + ".new")
			return writeNew(t.path+".new", func(w io.Writer) error { _, err := tx.WriteTo(w); return err })
		})
	}
	if whole {
		err = compare(nil)
		return m, size, copied, err
	}
	err = t.open(&bbolt.Options{ReadOnly: true}, func(db *bbolt.DB) error { return db.View(compare) })
	return m, size, copied, err
}

// Take makes the copy of the last Compare the twin.
func (t Twin) Take(note []byte) error {
	next := Twin{t.path + ".new"}
	if err := next.SetNote(note); err != nil {
		return err
	}
	return wholefile.Replace(next.path, t.path)
}

// differences yields what makes a state of another one, which may be nil.
func differences(before, after *bbolt.Tx, yield func(Entry) error) error {
	if before != nil {
		if err := before.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			if after.Bucket(name) != nil || bytes.Equal(name, bucketNote) {
				return nil
			}
			return yield(Entry{Bucket: name})
		}); err != nil {
			return err
		}
	}
	return after.ForEach(func(name []byte, b *bbolt.Bucket) error {
		if bytes.Equal(name, bucketNote) {
			return nil
		}
		var known *bbolt.Bucket
		if before != nil {
			known = before.Bucket(name)
		}
		if known == nil || known.Sequence() != b.Sequence() {
			if err := yield(Entry{Bucket: name, Value: binary.BigEndian.AppendUint64(nil, b.Sequence())}); err != nil {
				return err
			}
		}
		return bucketDifferences(name, known, b, yield)
	})
}

// bucketDifferences goes through two buckets in step. Both have their keys in order.
func bucketDifferences(name []byte, before, after *bbolt.Bucket, yield func(Entry) error) error {
	none := func() (k, v []byte) { return nil, nil }
	nextOld := none
	present := after.Cursor()
	newKey, newValue := present.First()
	var oldKey, oldValue []byte
	if before != nil {
		cursor := before.Cursor()
		oldKey, oldValue = cursor.First()
		nextOld = cursor.Next
	}
	for newKey != nil || oldKey != nil {
		order := bytes.Compare(newKey, oldKey)
		if newKey == nil || oldKey != nil && order > 0 {
			if err := yield(Entry{Bucket: name, Key: oldKey}); err != nil {
				return err
			}
			oldKey, oldValue = nextOld()
			continue
		}
		if oldKey == nil || order < 0 || !bytes.Equal(newValue, oldValue) {
			if err := yield(Entry{Bucket: name, Key: newKey, Value: newValue}); err != nil {
				return err
			}
		}
		if oldKey != nil && order == 0 {
			oldKey, oldValue = nextOld()
		}
		newKey, newValue = present.Next()
	}
	return nil
}

// Extract writes the state that the twin has to a new file.
func (t Twin) Extract(path string) error {
	if err := t.open(&bbolt.Options{ReadOnly: true}, func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			return writeNew(path, func(w io.Writer) error { _, err := tx.WriteTo(w); return err })
		})
	}); err != nil {
		return err
	}
	return (Twin{path}).open(&bbolt.Options{}, func(db *bbolt.DB) error {
		return db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketNote) })
	})
}

// Adopt makes a copy of the twin the state, in the place of one that is there, with announced
// for what may have reached Gleap since. No other run may use the state.
func (t Twin) Adopt(o Options, announced []Announced) error {
	s := Replace(o)
	release, err := s.Lock()
	if err != nil {
		return err
	}
	defer release()
	temporary := s.path + ".new"
	os.Remove(temporary)
	defer os.Remove(temporary)
	if err := t.Extract(temporary); err != nil {
		return err
	}
	if err := forgetWith(s, temporary); err != nil {
		return err
	}
	if err := swap(s, temporary); err != nil {
		return err
	}
	if len(announced) == 0 {
		return nil
	}
	if _, err := s.Commit(Delivery{Announced: announced}); err != nil {
		return fmt.Errorf("note what may have reached Gleap: %w", err)
	}
	return nil
}

// forgetWith has the file at path, which is about to take the place of a state, forget whom that has
// forgotten: a process that was killed may have forgotten somebody here alone.
func forgetWith(s *Store, path string) error {
	found, _, _ := recall(s) // what can be read of it
	if len(found.hashes) == 0 {
		return nil
	}
	to := storeOf(Options{Path: path, Project: s.project})
	if err := to.load(); err != nil {
		return err
	}
	known, err := to.Forgotten()
	if err != nil || known.includes(found) {
		return err
	}
	found.Owed = slices.DeleteFunc(found.Owed, func(id string) bool { return known.Has([]byte(id)) })
	return forgetAs(to, found)
}

// TwinAt returns a twin of no state, which [Twin.Build] makes.
func TwinAt(path string) Twin { return Twin{path} }
