package deliveries

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"gleapsync/internal/bucket"
)

// Bucket is a log in a folder of a bucket. Lines are written to files of a local folder, the
// spool, each of which becomes a part: an object that is named like it. A file that is complete
// is never written to again, so that a part can be put a second time when nobody knows whether it
// was the first time.
type Bucket struct {
	address bucket.Address // its key is the folder
	dir     string         // of the spool

	writing sync.Mutex
	writer  *spool // nil: nobody writes

	shipping sync.Mutex
	opened   *bucket.Bucket
}

// In returns the log in a folder of a bucket, with its spool in a local folder.
func In(address bucket.Address, dir string) *Bucket { return &Bucket{address: address, dir: dir} }

const (
	// partSize is how large a part becomes, about, before it is compressed: one is held in memory.
	partSize = 4 << 20
	// mostPart bounds what is read of one.
	mostPart = 64 << 20
	// readAtOnce is how many parts are read at a time.
	readAtOnce = 8
)

// partName is the name of a part: the day, the run, its number in the run, and what makes it
// different from all others. So names sort by time.
var partName = regexp.MustCompile(`^\d{4}-\d\d-\d\d-[^/]+-\d{6,}-[0-9a-f]{8}$`)

func dayOfPart(name string) string { return name[:len(dayFormat)] }

func newPartName(day, run string, number int) string {
	var nonce [4]byte
	rand.Read(nonce[:]) // never fails
	return fmt.Sprintf("%s-%s-%06d-%s", day, run, number, hex.EncodeToString(nonce[:]))
}

// spooled returns the names of the parts that are in the spool.
func (b *Bucket) spooled() (names []string, err error) {
	entries, err := os.ReadDir(b.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), plain); ok && partName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil // ReadDir sorts
}

func (b *Bucket) path(name string) string { return filepath.Join(b.dir, name+plain) }

func (b *Bucket) key(name string) string { return b.address.Key + "/" + name + compressed }

// Name is what people call the folder.
func (b *Bucket) Name() string { return b.address.Name(b.address.Key) }

// fail says which log an error is about.
func (b *Bucket) fail(err error) error { return fmt.Errorf("%s: %w", b.Name(), err) }

// parts returns the names of the parts in the bucket from a day on, by name.
func (b *Bucket) parts(ctx context.Context, at *bucket.Bucket, since string) (names []string, err error) {
	for _, prefix := range prefixesFrom(since) {
		for o, err := range at.List(ctx, b.address.Key+"/"+prefix) {
			if err != nil {
				return nil, b.fail(err)
			}
			if name, ok := b.nameOf(o.Key); ok {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

func (b *Bucket) nameOf(key string) (name string, ok bool) {
	name, ok = strings.CutPrefix(key, b.address.Key+"/")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, compressed)
	return name, ok && partName.MatchString(name)
}

// prefixesFrom returns with what the names of a day and of all later ones begin. Lists cannot
// begin in the middle everywhere.
func prefixesFrom(day string) []string {
	if day == "" {
		return []string{""}
	}
	all := []string{day}
	for i := range len(day) {
		if i < 2 || day[i] == '-' { // no clock is a century ahead
			continue
		}
		last := byte('9')
		switch i {
		case 5: // the first digit of a month
			last = '1'
		case 8: // and of a day
			last = '3'
		}
		for digit := day[i] + 1; digit <= last; digit++ {
			all = append(all, day[:i]+string(digit))
		}
	}
	return all
}

// pieces returns what is to be read from a time on.
func (b *Bucket) pieces(ctx context.Context, since time.Time) ([]piece, error) {
	first := ""
	if !since.IsZero() {
		first = since.UTC().Format(dayFormat)
	}
	here, err := b.spooled() // first: what is put meanwhile is in both lists then
	if err != nil {
		return nil, err
	}
	at, err := b.address.Open(ctx)
	if err != nil {
		return nil, b.fail(err)
	}
	there, err := b.parts(ctx, at, first)
	if err != nil {
		return nil, err
	}
	isThere := map[string]bool{}
	for _, name := range there {
		isThere[name] = true
	}
	names := there
	for _, name := range here {
		if !isThere[name] && dayOfPart(name) >= first {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	all := make([]piece, len(names))
	for i, name := range names {
		all[i] = piece{dayOfPart(name), func(ctx context.Context) (io.Reader, func(), error) {
			if !isThere[name] {
				file, err := os.Open(b.path(name))
				if err == nil {
					return file, func() { file.Close() }, nil
				}
				if !errors.Is(err, fs.ErrNotExist) {
					return nil, nil, err
				}
			}
			text, _, err := b.get(ctx, at, name)
			if errors.Is(err, bucket.ErrNotFound) { // it was too old just now
				err = nil
			}
			return bytes.NewReader(text), func() {}, err
		}}
	}
	return all, nil
}

// get reads the lines of a part, with its version.
func (b *Bucket) get(ctx context.Context, at *bucket.Bucket, name string) (lines []byte, version string, err error) {
	packed, found, err := at.Get(ctx, b.key(name), mostPart)
	if err == nil {
		if lines, err = unpack(packed); err != nil {
			err = fmt.Errorf("it is damaged: %w", err)
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", at.Name(b.key(name)), err)
	}
	return lines, found.Version, nil
}

func pack(lines []byte) ([]byte, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer encoder.Close()
	return encoder.EncodeAll(lines, []byte{}), nil
}

func unpack(packed []byte) ([]byte, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*mostPart))
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	return decoder.DecodeAll(packed, nil)
}

// ship puts all that is in the spool into the bucket, and removes it here. What cannot be put
// stays for the next time.
func (b *Bucket) ship(ctx context.Context, forgotten func(userID string) bool) error {
	b.shipping.Lock()
	defer b.shipping.Unlock()
	names, err := b.complete()
	if err != nil {
		return fmt.Errorf("the log of deliveries: %w", err)
	}
	for i, name := range names {
		if err := b.shipPart(ctx, name, forgotten); err != nil {
			return fmt.Errorf("the log of deliveries: what is in %s is not in the bucket yet (parts: %d): %w", b.dir, len(names)-i, b.fail(err))
		}
	}
	return nil
}

// complete ends the part that is being written, and returns all that can be put.
func (b *Bucket) complete() ([]string, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	if b.writer != nil {
		if err := b.writer.end(); err != nil {
			return nil, err
		}
	}
	return b.spooled()
}

func (b *Bucket) shipPart(ctx context.Context, name string, forgotten func(userID string) bool) error {
	lines, err := os.ReadFile(b.path(name))
	if err != nil {
		return err
	}
	lines = lines[:bytes.LastIndexByte(lines, '\n')+1] // the state does not know of a call whose line was cut off
	if forgotten != nil {
		lines, _ = without(lines, func(line []byte) bool {
			var d Delivery
			return json.Unmarshal(line, &d) != nil || forgotten(d.UserID)
		})
	}
	if len(lines) > 0 {
		packed, err := pack(lines)
		if err != nil {
			return err
		}
		if err := b.put(ctx, name, packed); err != nil {
			return err
		}
	}
	return remove(b.path(name))
}

// put writes a part that is not there. One that is there was put before, by this spool, and what
// was forgotten since is not in it any more: it stays as it is.
func (b *Bucket) put(ctx context.Context, name string, packed []byte) (err error) {
	if b.opened == nil {
		if b.opened, err = b.address.Open(ctx); err != nil {
			return err
		}
	}
	_, err = b.opened.Put(ctx, b.key(name), packed, bucket.Condition{New: true})
	if !errors.Is(err, bucket.ErrCondition) {
		return err
	}
	for o, listErr := range b.opened.List(ctx, b.key(name)) {
		if listErr != nil {
			return listErr
		}
		if o.Key == b.key(name) {
			return nil
		}
	}
	return err
}

// expire removes what is older than keep.
func (b *Bucket) expire(ctx context.Context, keep time.Duration, now time.Time) error {
	at, err := b.address.Open(ctx)
	if err != nil {
		return b.fail(err)
	}
	first := now.Add(-keep).UTC().AddDate(0, 0, -1).Format(dayFormat) // as in a folder
	var old []string
	for o, err := range at.List(ctx, b.address.Key+"/") {
		if err != nil {
			return b.fail(err)
		}
		name, ok := b.nameOf(o.Key)
		if !ok {
			continue
		}
		if dayOfPart(name) >= first { // lists are in order
			break
		}
		old = append(old, o.Key)
	}
	for _, key := range old {
		if err := at.Delete(ctx, key); err != nil {
			return fmt.Errorf("%s: %w", at.Name(key), err)
		}
	}
	return nil
}
