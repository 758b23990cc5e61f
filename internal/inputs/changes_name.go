package inputs

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/human"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
	"gleapsync/state"
)

// judge implements [kind]. It finds the attributes of an export's computations, and adds those that are new.
func (x *changes) judge() {
	if x.refused != nil {
		if len(x.Feeds) == 0 {
			x.holdUnusable(x.Input, x.Source, x.Source, engage.Audience, x.refused.Error())
			held := &x.Unusable[len(x.Unusable)-1]
			held.Rows, held.Invalid, held.WithoutUserID, held.Problems = x.Result.Rows, x.Result.Invalid, x.Result.WithoutUserID, x.Result.Problems
		}
		return
	}
	keys := map[string][]int{}
	for i, c := range x.computations {
		keys[c.Attribute.Key] = append(keys[c.Attribute.Key], i)
	}
	x.of = make([]*Attribute, len(x.computations))
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		x.identifyKey(key, keys[key])
	}
	x.judgeAudit()
	for _, a := range x.Feeds { // also of those that did not change
		if known := x.known[a.Key].Computation; a.Computation == nil && known != nil {
			a.Computation = known
		} else if a.Computation == nil {
			a.Computation = &state.Computation{}
			if reason := x.mismatched(a.Kind, func(name string) bool { return name == a.Name }); reason != "" && x.known[a.Key].Applied.At.IsZero() {
				a.Hold(reason)
			}
		}
		if err := x.missing[a.Key]; err != nil {
			a.Hold(err.Error())
		}
		a.decideType(x.fits[a])
	}
	x.holdPatterns(x.Input, func(w engage.Wildcard, a *Attribute) bool { return w.Matches(a.Name) && a.Kind == w.Kind }, func(w engage.Wildcard) string {
		if x.columns != nil {
			return "no column matches " + w.Pattern
		}
		return x.mismatched(w.Kind, w.Matches) // what it is to match may come some day
	})
	if len(x.Feeds) == 0 && x.Result.Rows > 0 { // that nothing came of rows must not look as if none came
		x.Unusable = append(x.Unusable, runs.ExportReport{
			Key: x.Source, Name: x.Source, Kind: engage.Audience, Source: x.Source, Status: runs.StatusApplied, PassedOver: x.passedOver,
			Rows: x.Result.Rows, Invalid: x.Result.Invalid, WithoutUserID: x.Result.WithoutUserID, Problems: x.Result.Problems,
			Note: fmt.Sprintf("nothing of an audience or trait came with the %s of %s, %d of them without user id", human.Count(x.Result.Rows, "new row"), x.Source, x.Result.WithoutUserID),
		})
	}
}

// identifyKey finds the attribute of the computations of one key. Where they have several
// names, the one that the configuration names goes on, and the others are held.
func (x *changes) identifyKey(key string, computations []int) {
	a, name := x.byKey(key), ""
	named := a != nil && a.Input == x.Input && !a.found
	switch {
	case named:
		names := x.namesOf(a, computations)
		if name = nameOf(a.Name, x.known[key].Computation, names); name == "" {
			a.Hold(fmt.Sprintf("the changes have %s, and each may be %q: name the one that is meant as they have it", quoted(names), a.Name))
			return
		}
	case a != nil && a.Input == x.Input:
		name = a.Name
	}
	var others []engage.Attribute
	for _, i := range computations {
		c := &x.computations[i]
		found, ok := c.Attribute, c.Name != name
		if named {
			found, ok = x.Found(c.Name, c.Kind)
			ok = ok && (c.Name != name || c.Kind != a.Kind)
		}
		if ok {
			others = append(others, found)
		}
	}
	x.addTaken(x.Input, others)
	added := x.byKey(key)
	if added == nil || added.Input != x.Input {
		return
	}
	if added != a {
		_, known := x.known[key]
		added.isNew, name = !known, added.Name
	}
	var mine, ofKind []int
	for _, i := range computations {
		if c := &x.computations[i]; c.Name == name {
			mine = append(mine, i)
			if c.Kind == "" || c.Kind == added.Kind {
				ofKind = append(ofKind, i)
			}
		}
	}
	if named && len(ofKind) > 0 {
		mine = ofKind
	}
	if len(mine) > 0 {
		x.identifyID(added, mine)
	}
}

// namesOf returns the names that computations have which are to be those of an attribute.
func (x *changes) namesOf(a *Attribute, computations []int) []string {
	var names []string
	for _, i := range computations {
		if c := &x.computations[i]; c.Attribute.Name == a.Name && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// nameOf returns which of the names that changes have is meant by the configuration's: it
// exactly, else the one that it was before, else the only one. It is "" if nobody can tell.
func nameOf(name string, known *state.Computation, names []string) string {
	switch {
	case len(names) == 0 || slices.Contains(names, name):
		return name
	case known != nil && known.Name != "":
		if slices.Contains(names, known.Name) {
			return known.Name
		}
	case len(names) == 1:
		return names[0]
	}
	return ""
}

// identifyID decides which of the computations of one name are those of the attribute. There
// are several if its audience was deleted and created again in Engage.
func (x *changes) identifyID(a *Attribute, computations []int) {
	newest := slices.MaxFunc(computations, func(i, j int) int {
		return cmp.Compare(x.computations[i].Newest, x.computations[j].Newest)
	})
	n := &x.computations[newest]
	present := state.Computation{ID: n.ID}
	if known := x.known[a.Key].Computation; known != nil {
		present.Newest = x.believed(known.Newest)
		if known.ID != "" {
			present.ID = known.ID
		}
	}
	present.Name = n.Name
	other := slices.IndexFunc(computations, func(i int) bool { return x.computations[i].Kind != "" && x.computations[i].Kind != a.Kind })
	switch {
	case other >= 0:
		a.Hold(fmt.Sprintf("the changes say that %s is of the kind %s, not %s", a.Key, x.computations[computations[other]].Kind, a.Kind))
		return
	case n.ID != "" && n.ID != present.ID && n.Newest > present.Newest:
		a.Hold(fmt.Sprintf("%s has another id in Engage than before (%s, not %s): it was deleted and created again. To go on with the new one name it in exclude, run gleapsync retire %s, and take it out of exclude",
			a.Key, n.ID, present.ID, a.Key))
		return
	}
	var fits values.Fits
	for _, i := range computations {
		if c := &x.computations[i]; c.ID == present.ID || c.ID == "" {
			x.of[i] = a
			fits.Add(c.Fits)
			present.Newest = max(present.Newest, c.Newest)
		}
	}
	x.fits[a] = fits
	a.Computation = &present
}

func quoted(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, strconv.Quote(name))
	}
	return strings.Join(all, " and ")
}

// mismatched returns what the changes have instead of what an export asks for, "" if they
// have nothing of that name.
func (x *changes) mismatched(kind engage.Kind, matches func(name string) bool) string {
	for _, name := range slices.Sorted(maps.Keys(x.mismatches)) {
		if !matches(name) {
			continue
		}
		class := x.mismatches[name]
		if engage.Kind(class) == engage.Audience || engage.Kind(class) == engage.Trait {
			return fmt.Sprintf("%q is no %s in the changes: they have it as %s", name, kind, class)
		}
		return fmt.Sprintf("%q was passed over: it is of the class %q, and only audiences, journey steps and traits are taken", name, class)
	}
	return ""
}
