package sync

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// identify finds the attributes of an export's computations, and adds those that are new.
func (p *plan) identify(e *export, request Request) {
	if e.refused != nil {
		if len(e.attributes) == 0 {
			p.holdUnusable(e, e.Source, e.Source, engage.Audience, e.refused.Error())
			held := &p.unusable[len(p.unusable)-1]
			held.Rows, held.Invalid, held.WithoutUserID, held.Problems = e.result.Rows, e.result.Invalid, e.result.WithoutUserID, e.result.Problems
		}
		return
	}
	keys := map[string][]int{}
	for i, c := range e.computations {
		keys[c.Attribute.Key] = append(keys[c.Attribute.Key], i)
	}
	e.changes = make([]*attribute, len(e.computations))
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		p.identifyKey(e, key, keys[key], request)
	}
	for _, a := range e.attributes { // also of those that did not change
		if known := p.known[a.Key].Computation; a.computation == nil && known != nil {
			a.computation = known
		} else if a.computation == nil {
			a.computation = &state.Computation{}
			if reason := e.mismatched(a.Kind, func(name string) bool { return name == a.Name }); reason != "" && p.known[a.Key].Applied.At.IsZero() {
				a.hold(reason)
			}
		}
		a.decideType(a.fits)
	}
	if len(request.Only) == 0 {
		p.holdPatterns(e)
	}
	if len(e.attributes) == 0 && len(e.passedOver) > 0 {
		p.unusable = append(p.unusable, runs.ExportReport{
			Key: e.Source, Name: e.Source, Kind: engage.Audience, Source: e.Source, Status: runs.StatusApplied, Rows: e.result.Rows, PassedOver: e.passedOver,
		})
	}
}

// identifyKey finds the attribute of the computations of one key. Where they have several
// names, the one that the configuration names goes on, and the others are held.
func (p *plan) identifyKey(e *export, key string, computations []int, request Request) {
	a, name := p.fed(key), ""
	named := a != nil && a.export == e && !a.found
	switch {
	case named:
		names := e.namesOf(a, computations)
		if name = nameOf(a.Name, p.known[key].Computation, names); name == "" {
			a.hold(fmt.Sprintf("the changes have %s, and each may be %q: name the one that is meant as they have it", quoted(names), a.Name))
			return
		}
	case a != nil && a.export == e:
		name = a.Name
	}
	var others []engage.Attribute
	for _, i := range computations {
		c := &e.computations[i]
		found, ok := c.Attribute, c.Name != name
		if named {
			found, ok = e.Found(c.Name, c.Kind)
			ok = ok && (c.Name != name || c.Kind != a.Kind)
		}
		if ok {
			others = append(others, found)
		}
	}
	p.addTaken(e, others, request)
	added := p.fed(key)
	if added == nil || added.export != e {
		return
	}
	if added != a {
		_, known := p.known[key]
		added.isNew, name = !known, added.Name
	}
	var mine, ofKind []int
	for _, i := range computations {
		if c := &e.computations[i]; c.Name == name {
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
		p.identifyID(e, added, mine)
	}
}

// namesOf returns the names that computations have which are to be those of an attribute.
func (e *export) namesOf(a *attribute, computations []int) []string {
	var names []string
	for _, i := range computations {
		if c := &e.computations[i]; c.Attribute.Name == a.Name && !slices.Contains(names, c.Name) {
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
func (p *plan) identifyID(e *export, a *attribute, computations []int) {
	newest := slices.MaxFunc(computations, func(i, j int) int {
		return cmp.Compare(e.computations[i].Newest, e.computations[j].Newest)
	})
	n := &e.computations[newest]
	present := state.Computation{ID: n.ID}
	if known := p.known[a.Key].Computation; known != nil {
		present.Newest = p.believed(known.Newest)
		if known.ID != "" {
			present.ID = known.ID
		}
	}
	present.Name = n.Name
	other := slices.IndexFunc(computations, func(i int) bool { return e.computations[i].Kind != "" && e.computations[i].Kind != a.Kind })
	switch {
	case other >= 0:
		a.hold(fmt.Sprintf("the changes say that %s is of the kind %s, not %s", a.Key, e.computations[computations[other]].Kind, a.Kind))
		return
	case n.ID != "" && n.ID != present.ID && n.Newest > present.Newest:
		a.hold(fmt.Sprintf("%s has another id in Engage than before (%s, not %s): it was deleted and created again. To go on with the new one name it in exclude, run gleapsync retire %s, and take it out of exclude",
			a.Key, n.ID, present.ID, a.Key))
		return
	}
	for _, i := range computations {
		if c := &e.computations[i]; c.ID == present.ID || c.ID == "" {
			e.changes[i] = a
			a.fits.Add(c.Fits)
			present.Newest = max(present.Newest, c.Newest)
		}
	}
	a.computation = &present
}

func quoted(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, strconv.Quote(name))
	}
	return strings.Join(all, " and ")
}
