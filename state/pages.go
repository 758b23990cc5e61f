package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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
// size of the key (4) and of the value (4).
const (
	pageHeader  = 16
	elementSize = 16
	branchPage  = 1
	leafPage    = 2
	isValue     = 0
	isBucket    = 1
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
	w := &pageWalk{file: file, size: size, pages: uint64(tx.Size()) / uint64(size), deep: deep}
	w.seen = make([]uint64, w.pages/64+1)
	if deep {
		if err := w.checkFreelist(tx); err != nil {
			return err
		}
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

// checkFreelist checks that the list of free pages ends within the file.
func (w *pageWalk) checkFreelist(tx *bbolt.Tx) error {
	for id := range int(w.pages) {
		info, err := tx.Page(id)
		if err != nil {
			return err
		}
		if info != nil && info.Type == "freelist" && uint64(id+info.OverflowCount) >= w.pages {
			return errPages
		}
	}
	return nil
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
		if flags(page) != branchPage {
			return n, nil
		}
		id = child(page, 0)
	}
	return 0, errPages
}

func (w *pageWalk) walk(id uint64, levels int, elements uint32) error {
	if id >= w.pages || w.seen[id/64]&(1<<(id%64)) != 0 {
		return errPages
	}
	w.seen[id/64] |= 1 << (id % 64)
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
	if binary.NativeEndian.Uint32(e) != flag {
		return false
	}
	if flag == isValue {
		return true
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
	b := &w.buffers[level]
	if *b == nil {
		*b = make([]byte, w.size)
	}
	page := (*b)[:w.size]
	if err := w.readAt(page, id); err != nil {
		return nil, err
	}
	more := uint64(binary.NativeEndian.Uint32(page[12:]))
	if binary.NativeEndian.Uint64(page) != id || id < 2 || id+more >= w.pages {
		return nil, errPages
	}
	if more > 0 {
		page = slices.Grow(page, int(more)*w.size)[:(1+int(more))*w.size]
		*b = page
		if err := w.readAt(page, id); err != nil {
			return nil, err
		}
	}
	if count(page) == 0 && flags(page) == branchPage || !holdsElements(page) {
		return nil, errPages
	}
	return page, nil
}

func (w *pageWalk) readAt(b []byte, id uint64) error {
	if id >= w.pages {
		return errPages
	}
	_, err := w.file.ReadAt(b, int64(id)*int64(w.size))
	if err == io.EOF {
		return errPages
	}
	if err != nil {
		return fmt.Errorf("read page %d: %w", id, err)
	}
	return nil
}

func flags(page []byte) uint16 { return binary.NativeEndian.Uint16(page[8:]) }
func count(page []byte) int    { return int(binary.NativeEndian.Uint16(page[10:])) }

func child(page []byte, i int) uint64 {
	return binary.NativeEndian.Uint64(page[pageHeader+i*elementSize+8:])
}
