package engage

import (
	"fmt"
	"slices"

	"gleapsync/internal/values"
)

// maxProblems is how many broken rows are remembered with their reasons.
const maxProblems = 5

// Result says what was read.
type Result struct {
	Rows          int // without headers
	WithoutUserID int // rows of profiles that have no user id
	Invalid       int // rows that were broken as a whole
	// Unknown counts what was broken so that nobody knows whom it was about. As long as there
	// is any, that a user is not in the export proves nothing. FirstUnknown is one of it.
	Unknown      int
	FirstUnknown Problem
	Attributes   []AttributeResult
	HasFields    bool   // some of the contact fields may be there
	Fields       []bool // which of the contact fields were found, by their place in [Export.Fields]
	Problems     []Problem
	// Sparse says that a user of whom nothing is said of an attribute, not even null, is absent
	// from it, and not only who is in no row.
	Sparse bool
	// OtherNames are names in the rows of long tables that nothing takes, sorted: not all, if they
	// are thousands.
	OtherNames []string

	// Cut says that a row was broken only for want of a line break, see [Source.EndsLines].
	Cut bool
	// Ends says how the text ended that has a row on each line.
	Ends Ends

	longTraits, longIDs *Result // of long tables: what each of them came to
}

// Ends says how texts ended.
type Ends byte

// The ways in which texts end.
const (
	EndsUnseen  Ends = iota // there was none
	EndsLine                // each with a line break
	EndsWithout             // one of them without
)

// ended notes that a text ended with a line break, or without.
func (r *Result) ended(terminated bool) {
	if terminated {
		r.Ends = max(r.Ends, EndsLine)
	} else {
		r.Ends = EndsWithout
	}
}

// Share is how many of a whole were broken.
type Share struct{ Invalid, Of int }

// Shares returns what was broken of the rows that matter for an attribute, each of the whole
// that it is a part of.
func (r *Result) Shares(a AttributeResult) []Share {
	if r.longTraits == nil {
		return []Share{{r.Invalid + a.Invalid, r.Rows}}
	}
	return []Share{
		{r.longTraits.Invalid, r.longTraits.Rows},
		{r.Invalid - r.longTraits.Invalid, r.longIDs.Rows},
		{a.Invalid, a.values}, // the rows are of many attributes
	}
}

// AttributeResult says how one attribute fared; its place is that in
// [Export.Attributes].
type AttributeResult struct {
	Invalid int         // rows whose value could not be read
	Fits    values.Fits // of the values whose type is not known yet
	Err     error       // why the export does not have the attribute at all
	values  int         // of long tables: how many were read
}

// Problem is a broken row, without its data.
type Problem struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // 0: nobody knows
	Column string `json:"column,omitempty"`
	Reason string `json:"reason"`
	Rows   int    `json:"rows,omitempty"` // that have it, if there is no line to name each by
}

func (p Problem) String() string {
	text := p.File
	if p.Line > 0 {
		text += fmt.Sprintf(":%d", p.Line)
	}
	if p.Column != "" {
		text += ": column " + p.Column
	}
	text += ": " + p.Reason
	if p.Rows > 1 {
		text += fmt.Sprintf(" (%d rows)", p.Rows)
	}
	return text
}

// invalid counts a row that cannot be read.
func (r *Result) invalid(what Problem) {
	r.Invalid++
	r.remember(what)
}

// unknown counts a row that cannot be read, and of which nobody knows whom it is about.
func (r *Result) unknown(what Problem) {
	r.invalid(what)
	r.miss(1, what)
}

// miss notes that n rows, what is one of them, say nothing of anybody who is known.
func (r *Result) miss(n int, what Problem) {
	if r.Unknown == 0 {
		r.FirstUnknown = what
	}
	r.Unknown += n
}

// remember keeps some of the problems, and of each kind at least one as long as there is
// room for the kinds.
func (r *Result) remember(p Problem) {
	if p.Line == 0 {
		for i := range r.Problems {
			if known := &r.Problems[i]; known.Line == 0 && known.File == p.File && known.Column == p.Column && known.Reason == p.Reason {
				known.Rows++
				return
			}
		}
		p.Rows = 1
	}
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, p)
		return
	}
	kinds := map[[2]string]int{} // the last of each
	repeated := -1
	for i, known := range r.Problems {
		kind := [2]string{known.Column, known.Reason}
		if _, ok := kinds[kind]; ok {
			repeated = i
		}
		kinds[kind] = i
	}
	if _, ok := kinds[[2]string{p.Column, p.Reason}]; !ok && repeated >= 0 {
		r.Problems = append(slices.Delete(r.Problems, repeated, repeated+1), p)
	}
}
