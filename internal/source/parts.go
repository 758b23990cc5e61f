package source

import (
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// found is all that stands at a place.
type found struct {
	files  []Input // that the source matches
	beside []Input // what else stands in their folders, as far as it says whether they are all
	named  bool    // the source names one file: it is meant, whatever it is called
}

// success is the file that writers such as Spark leave when all parts are written.
const success = "_SUCCESS"

// isMark reports whether a name is that of a file that is no part of the snapshot among
// whose files it is: it is hidden, or says something of the others.
func isMark(name string) bool {
	base := baseOf(name)
	return strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_committed_") || strings.HasPrefix(base, "_started_") || saysAll(name)
}

// saysAll reports whether a file may say that all parts beside it are there.
func saysAll(name string) bool {
	base := baseOf(name)
	return base == success || isManifest(base)
}

// isPart reports whether a file among others is one that is read. Of several that are no parts one
// without a byte is as good as any: it shows that something went wrong.
func (p Place) isPart(name string, size int64) bool {
	return !isMark(name) && (size > 0 || p.Pick != PickAll)
}

// isPackedNothing reports whether a file is nothing, compressed: what writers leave, some for each
// processor, that had no row. It is as a file of zero bytes.
func (in Input) isPackedNothing(ctx context.Context) bool {
	const header = 256 // bytes that a compressed file without content has at most: 20, and a name
	if extension := path.Ext(in.Name); in.size == 0 || in.size > header || !slices.Contains([]string{".gz", ".gzip", ".zst", ".zstd"}, extension) {
		return false
	}
	text, err := in.Open(ctx)
	if err != nil {
		return false // who reads it says why
	}
	_, err = text.ReadByte()
	return text.Close() == nil && err == io.EOF && !text.isRaw
}

// parts chooses from what was found what is to be read, and looks whether it is all.
func (p Place) parts(ctx context.Context, f found) (*Inputs, error) {
	s := &Inputs{place: p, All: f.files}
	if f.named {
		return s, nil
	}
	s.All = slices.DeleteFunc(slices.Clone(f.files), func(in Input) bool {
		return !p.isPart(in.Name, in.size) || p.Pick == PickAll && in.isPackedNothing(ctx)
	})
	if len(s.All) == 0 {
		return nil, empty("%s has no part: all that is there is empty, hidden, a manifest or a mark such as _SUCCESS", p.Source)
	}
	if p.Pick == PickNewest || p.Loose {
		return s, nil
	}
	all := slices.Concat(f.files, f.beside)
	for _, in := range all {
		if baseOf(in.Name) == success {
			s.marks = append(s.marks, in)
		}
	}
	s.fulfilled, s.Incomplete = p.checkManifests(ctx, all)
	return s, nil
}

// Missing says that parts may be missing, where there are fewer than in the snapshot
// before and nothing shows that they are all: neither a manifest nor a _SUCCESS that is not
// older than any of them. It is "" if all is well.
func (s *Inputs) Missing(before int) string {
	if s.place.Pick != PickAll || s.place.Loose || s.fulfilled || len(s.All) >= before ||
		slices.ContainsFunc(s.All, func(in Input) bool { return in.Once }) {
		return ""
	}
	late, covered := s.uncovered()
	if covered {
		return ""
	}
	are := func(n int) string {
		if n == 1 {
			return "1 part is"
		}
		return fmt.Sprintf("%d parts are", n)
	}
	text := fmt.Sprintf("%s there, %d were in the snapshot applied last", are(len(s.All)), before)
	var names []string
	for _, in := range s.All {
		names = append(names, baseOf(in.Name))
	}
	if missing := gaps(names, before); len(missing) > 0 {
		is := " is"
		if len(missing) > 1 {
			is = " are"
		}
		text += ": " + strings.Join(missing[:min(len(missing), 3)], ", ")
		if more := len(missing) - 3; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		text += is + " missing"
	}
	if late != "" {
		text += "; _SUCCESS is older than " + late
	}
	return text + `; wait until all are written, write _SUCCESS after them, or set parts = "any" if their number varies`
}

// uncovered reports whether each part has a _SUCCESS in its folder, or in one above, that is
// not older, to the second. Of the parts whose _SUCCESS is older it names one.
func (s *Inputs) uncovered() (late string, covered bool) {
	covered = true
	for _, in := range s.All {
		newest := time.Time{}
		for _, mark := range s.marks {
			if isWithin(folderOf(in.Name), folderOf(mark.Name)) && mark.Time.After(newest) {
				newest = mark.Time
			}
		}
		if newest.Unix() < in.Time.Unix() {
			covered = false
			if !newest.IsZero() {
				late = in.Name
			}
		}
	}
	return late, covered
}

// baseOf and folderOf are for names of files with any slashes.
func baseOf(name string) string   { return path.Base(filepath.ToSlash(name)) }
func folderOf(name string) string { return path.Dir(filepath.ToSlash(name)) }

func isWithin(folder, outer string) bool {
	return outer == "." && !path.IsAbs(folder) || folder == outer || strings.HasPrefix(folder, strings.TrimSuffix(outer, "/")+"/")
}

// gaps returns the names that are missing among those of so many parts, as far as the
// numbers in the names tell: they count from 0 or from 1.
func gaps(names []string, count int) []string {
	pieces := make([][]string, len(names))
	number := -1 // where in the pieces the part's number stands
	for i, name := range names {
		pieces[i] = splitNumbers(name)
		if len(pieces[i]) != len(pieces[0]) {
			return nil
		}
		for at, piece := range pieces[i] {
			if piece == pieces[0][at] {
				continue
			}
			if at%2 == 0 || number >= 0 && number != at {
				return nil // more than a number differs
			}
			number = at
		}
	}
	if number < 0 && len(pieces[0]) == 3 {
		number = 1 // the only one
	}
	if number < 0 {
		return nil
	}
	have := map[int]bool{}
	width := len(pieces[0][number])
	for _, p := range pieces {
		n, err := strconv.Atoi(p[number])
		if err != nil || n > count {
			return nil
		}
		have[n] = true
		width = min(width, len(p[number]))
	}
	from, to := 1, count-1 // what is missing whether they count from 0 or from 1
	if have[0] {
		from = 0
	} else if have[count] {
		to = count
	}
	if have[0] && have[count] || len(have) < len(names) { // in folders the same names
		return nil
	}
	var missing []string
	for n := from; n <= to; n++ {
		if !have[n] {
			p := slices.Clone(pieces[0])
			p[number] = fmt.Sprintf("%0*d", width, n)
			missing = append(missing, strings.Join(p, ""))
		}
	}
	return missing
}

// splitNumbers cuts a name into what is no number, a number, what is none, and so on.
func splitNumbers(name string) []string {
	pieces := []string{""}
	for _, c := range []byte(name) {
		isDigit := c >= '0' && c <= '9'
		if isDigit != (len(pieces)%2 == 0) {
			pieces = append(pieces, "")
		}
		pieces[len(pieces)-1] += string(c)
	}
	if len(pieces)%2 == 0 {
		pieces = append(pieces, "")
	}
	return pieces
}
