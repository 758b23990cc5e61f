package engage

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// found is what stands where an export's source points to.
type found struct {
	files  []input // that the source matches
	beside []input // what else stands in their folders, as far as it says whether they are all
	named  bool    // the source names one file: it is meant, whatever it is called
}

// success is the file that writers such as Spark leave when all parts are written.
const success = "_SUCCESS"

// isMark reports whether a name is that of a file that holds no rows of the export among
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

// isPart reports whether a file among others holds rows. Of several that are no parts one
// without a byte is as good as any: it shows that something went wrong.
func (e Export) isPart(name string, size int64) bool {
	return !isMark(name) && (size > 0 || e.Pick != PickAll)
}

// parts chooses from what was found what is to be read, and looks whether it is all.
func (e Export) parts(ctx context.Context, f found) (*Source, error) {
	s := &Source{export: e, inputs: f.files}
	if f.named {
		return s, nil
	}
	s.inputs = slices.DeleteFunc(slices.Clone(f.files), func(in input) bool { return !e.isPart(in.name, in.size) })
	if len(s.inputs) == 0 {
		return nil, empty("%s has no part: all that is there is empty, hidden, a manifest or a mark such as _SUCCESS", e.Source)
	}
	if e.Pick == PickNewest || e.Changes {
		return s, nil
	}
	all := slices.Concat(f.files, f.beside)
	for _, in := range all {
		if baseOf(in.name) == success {
			s.marks = append(s.marks, in)
		}
	}
	s.fulfilled, s.incomplete = e.checkManifests(ctx, all)
	return s, nil
}

// Parts returns how many inputs count. It is to be handed to [Source.MissingParts] once a
// newer snapshot is there.
func (s *Source) Parts() int { return len(s.inputs) }

// MissingParts says that parts may be missing, where there are fewer than in the snapshot
// before and nothing shows that they are all: neither a manifest nor a _SUCCESS that is not
// older than any of them. It is "" if all is well.
func (s *Source) MissingParts(before int) string {
	e := &s.export
	if e.Pick != PickAll || e.AnyParts || e.Changes || s.fulfilled || len(s.inputs) >= before ||
		slices.ContainsFunc(s.inputs, func(in input) bool { return in.open == nil || in.once }) {
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
	text := fmt.Sprintf("%s there, %d were in the snapshot applied last", are(len(s.inputs)), before)
	var names []string
	for _, in := range s.inputs {
		names = append(names, baseOf(in.name))
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
func (s *Source) uncovered() (late string, covered bool) {
	covered = true
	for _, in := range s.inputs {
		newest := time.Time{}
		for _, mark := range s.marks {
			if isWithin(folderOf(in.name), folderOf(mark.name)) && mark.time.After(newest) {
				newest = mark.time
			}
		}
		if newest.Unix() < in.time.Unix() {
			covered = false
			if !newest.IsZero() {
				late = in.name
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
