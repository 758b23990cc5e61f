package state

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"go.etcd.io/bbolt"
)

// bbolt follows the page numbers in its file without a doubt: one that points back to
// its own page makes it go round for ever, and one in a position of a key a fault in a
// goroutine where nobody can catch it. So the tree is walked here before bbolt does.
//
// A page begins with its number (8 bytes), flags (2), the number of its elements (2) and
// the number of pages that it goes on over (4), in the machine's byte order. An element
// of a branch page has the position of its key, counted from the element (4), the key's
// size (4) and the page of the child (8); one of a leaf page has flags (4), position (4),
// size of the key (4) and of the value (4). A meta page has the page of the list of free pages (8)
// and its transaction (8); that list's first number is how many follow, if the header cannot say it.
const (
	pageHeader   = 16
	elementSize  = 16
	branchPage   = 1
	leafPage     = 2
	freelistPage = 16
	isValue      = 0
	isBucket     = 1

	metaFreelist    = pageHeader + 32
	metaTransaction = pageHeader + 48
)

var errPages = errors.New("its pages are not in order")

// pageWalk walks the pages of a file.
type pageWalk struct {
	file    *os.File
	size    int
	pages   uint64                 // of the file
	seen    []uint64               // a bit for each page
	deep    bool                   // leaf pages too
	buffers [mostLevels + 1][]byte // for a page of each level
}

// mostLevels is enough for more pages than there are.
const mostLevels = 16

// checkPages walks the branch pages of all buckets, and the leaf pages if deep. It has to
// come before anything but the meta pages is read.
func checkPages(tx *bbolt.Tx, deep bool) error {
	file, err := os.Open(tx.DB().Path())
	if err != nil {
		return err
	}
	defer file.Close()
	size := tx.DB().Info().PageSize
	pages := uint64(tx.Size()) / uint64(size)
	w := &pageWalk{file: file, size: size, pages: pages, seen: make([]uint64, pages/64+1), deep: deep}
	if err := w.markFree(tx); err != nil {
		return err
	}
	if err := w.walkTree(uint64(tx.Cursor().Bucket().Root()), isBucket); err != nil {
		return err
	}
	// All of them, also those that nobody asks for: bbolt follows each, and one that has itself
	// in it without an end.
	return tx.ForEach(func(_ []byte, bucket *bbolt.Bucket) error {
		if bucket.Root() != 0 {
			return w.walkTree(uint64(bucket.Root()), isValue)
		}
		// It is part of a leaf page of the root.
		return bucket.ForEachBucket(func([]byte) error { return errPages })
	})
}

// markFree marks the pages that are in no tree: the meta pages, the list of free pages and all that
// stand in it, where old branch pages may still be.
func (w *pageWalk) markFree(tx *bbolt.Tx) error {
	last := uint64(tx.ID()) // of the transaction whose file this is
	if tx.Writable() {
		last--
	}
	list, meta, sound := uint64(0), make([]byte, w.size), true
	for id := range uint64(2) {
		if err := w.readAt(meta, id); err != nil {
			return err
		}
		if sound = w.mark(id) && sound; binary.NativeEndian.Uint64(meta[metaTransaction:]) == last {
			list = binary.NativeEndian.Uint64(meta[metaFreelist:])
		}
	}
	page, err := w.readAll(list, nil)
	if err != nil || flags(page) != freelistPage {
		return cmp.Or(err, errPages)
	}
	for i := range len(page) / w.size {
		sound = w.mark(list+uint64(i)) && sound
	}
	n, ids := uint64(count(page)), page[pageHeader:]
	if n == math.MaxUint16 { // there are more than that
		n, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	for sound = sound && n <= uint64(len(ids)/8); sound && n > 0; n-- {
		sound, ids = w.mark(binary.NativeEndian.Uint64(ids)), ids[8:]
	}
	if !sound {
		return errPages
	}
	return nil
}

// mark marks a page as seen, and reports whether it is one of the file, and was not seen before.
func (w *pageWalk) mark(id uint64) bool {
	if id >= w.pages || w.seen[id/64]&(1<<(id%64)) != 0 {
		return false
	}
	w.seen[id/64] |= 1 << (id % 64)
	return true
}

// walkTree walks a tree whose leaf pages have elements with those flags.
func (w *pageWalk) walkTree(root uint64, elements uint32) error {
	levels, err := w.levels(root)
	if err != nil {
		return err
	}
	return w.walk(root, levels, elements)
}

// levels returns how many branch pages are above each leaf page: as many as above the
// first one.
func (w *pageWalk) levels(id uint64) (int, error) {
	for n := range mostLevels {
		page, err := w.read(id, n)
		if err != nil {
			return 0, err
		}
		switch flags(page) {
		case leafPage:
			return n, nil
		case branchPage:
			id = child(page, 0)
		default:
			return 0, errPages
		}
	}
	return 0, errPages
}

func (w *pageWalk) walk(id uint64, levels int, elements uint32) error {
	if !w.mark(id) {
		return errPages
	}
	if levels == 0 && elements == isValue && !w.deep {
		return nil
	}
	page, err := w.read(id, levels)
	if err != nil {
		return err
	}
	want := uint16(branchPage)
	if levels == 0 {
		want = leafPage
	}
	if flags(page) != want {
		return errPages
	}
	for i := range count(page) {
		if levels > 0 {
			if err := w.walk(child(page, i), levels-1, elements); err != nil {
				return err
			}
		} else if !isLeafElement(page, i, elements) {
			return errPages
		}
	}
	return nil
}

// isLeafElement reports whether an element of a leaf page has those flags. A bucket's
// value is its root page (8 bytes) and its sequence (8); if the page is 0 the bucket is
// small and its only page follows.
func isLeafElement(page []byte, i int, flag uint32) bool {
	e := page[pageHeader+i*elementSize:]
	if is := binary.NativeEndian.Uint32(e) == flag; !is || flag == isValue {
		return is
	}
	at := binary.NativeEndian.Uint32(e[4:]) + binary.NativeEndian.Uint32(e[8:])
	value := e[at:][:binary.NativeEndian.Uint32(e[12:])]
	const bucketHeader = 16
	if len(value) < bucketHeader {
		return false
	}
	small := value[bucketHeader:]
	return binary.NativeEndian.Uint64(value) != 0 ||
		len(small) >= pageHeader && flags(small) == leafPage && holdsElements(small)
}

// holdsElements reports whether all elements of a page are within it.
func holdsElements(page []byte) bool {
	n := count(page)
	if pageHeader+n*elementSize > len(page) {
		return false
	}
	for i := range n {
		from := pageHeader + i*elementSize
		e := page[from:]
		at, size := binary.NativeEndian.Uint32(e), uint64(binary.NativeEndian.Uint32(e[4:]))
		if flags(page) == leafPage {
			at = binary.NativeEndian.Uint32(e[4:])
			size = uint64(binary.NativeEndian.Uint32(e[8:])) + uint64(binary.NativeEndian.Uint32(e[12:]))
		}
		if uint64(from)+uint64(at)+size > uint64(len(page)) {
			return false
		}
	}
	return true
}

// read reads a branch or leaf page and checks that what it says of itself can be. It is valid until
// the next one of that level is read.
func (w *pageWalk) read(id uint64, level int) ([]byte, error) {
	page, err := w.readAll(id, w.buffers[level])
	if err != nil {
		return nil, err
	}
	w.buffers[level] = page
	if count(page) == 0 && flags(page) == branchPage || !holdsElements(page) {
		return nil, errPages
	}
	return page, nil
}

// readAll reads a page with all that it goes on over, into the memory of b if that has room.
func (w *pageWalk) readAll(id uint64, b []byte) ([]byte, error) {
	page := slices.Grow(b[:0], w.size)[:w.size]
	if err := w.readAt(page, id); err != nil {
		return nil, err
	}
	more := uint64(binary.NativeEndian.Uint32(page[12:]))
	if binary.NativeEndian.Uint64(page) != id || id < 2 || id+more >= w.pages {
		return nil, errPages
	}
	if more == 0 {
		return page, nil
	}
	page = slices.Grow(page, int(more)*w.size)[:(1+int(more))*w.size]
	return page, w.readAt(page, id)
}

func (w *pageWalk) readAt(b []byte, id uint64) error {
	if id >= w.pages {
		return errPages
	}
	if _, err := w.file.ReadAt(b, int64(id)*int64(w.size)); err == io.EOF {
		return errPages
	} else if err != nil {
		return fmt.Errorf("read page %d: %w", id, err)
	}
	return nil
}

func flags(page []byte) uint16 { return binary.NativeEndian.Uint16(page[8:]) }
func count(page []byte) int    { return int(binary.NativeEndian.Uint16(page[10:])) }

func child(page []byte, i int) uint64 {
	return binary.NativeEndian.Uint64(page[pageHeader+i*elementSize+8:])
}
