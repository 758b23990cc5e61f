package sync

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/runs"
)

// MayFeed reports whether the export feeds an attribute of a key, or one whose key a pattern
// matches, or may turn out to once it is read. A state may have kept the key of a former
// version.
func (e *Export) MayFeed(key string) bool {
	return slices.ContainsFunc(e.Attributes, func(a engage.Attribute) bool {
		return matchesKey(key, a.Key) || !a.Chosen && engage.FormerKey(a.Name) == key
	}) || e.mayTake(key)
}

// mayTake is MayFeed without what the configuration names.
func (e *Export) mayTake(key string) bool {
	if engage.IsPattern(key) {
		return e.Discover || len(e.Wildcards) > 0
	}
	_, taken := e.Take(key)
	err := engage.CheckKey(key)
	return taken || slices.Contains(slices.Collect(maps.Values(e.Keys)), key) ||
		e.Discover && (err == nil || errors.As(err, new(*engage.ReservedError)))
}

// matchesKey reports whether an attribute's key is the one that was asked for, or matches
// the pattern.
func matchesKey(asked, key string) bool {
	return asked == key || engage.IsPattern(asked) && engage.MatchesAny([]string{asked}, engage.Attribute{Key: key})
}

// chooses reports whether the run is to look at the attribute of a key.
func (r Request) chooses(key string) bool {
	return len(r.Only) == 0 || slices.ContainsFunc(r.Only, func(asked string) bool { return matchesKey(asked, key) })
}

// accepts reports whether exits of the attribute of a key go although rows could not be read.
func (r Request) accepts(key string) bool {
	return slices.ContainsFunc(r.AcceptAbsence, func(asked string) bool { return matchesKey(asked, key) })
}

// maxExits returns the request's own limit for an attribute with so many members: that of
// its key, else of the patterns that match it the one that lets the most go.
func (r Request) maxExits(key string, members int) (limit Limit, ok bool) {
	if limit, ok = r.MaxExits[key]; ok {
		return limit, true
	}
	for asked, l := range r.MaxExits {
		if matchesKey(asked, key) && (!ok || l.Of(members) > limit.Of(members)) {
			limit, ok = l, true
		}
	}
	return limit, ok
}

// checkAsked makes sure that the attributes which the run was asked about are there: whether
// wildcards take them is not known before. As long as an export cannot be read, nobody can
// tell what it has.
func (p *plan) checkAsked(request Request) error {
	asked := request.Only
	if len(asked) == 0 && !slices.ContainsFunc(p.exports, (*export).isUnknown) {
		asked = slices.Concat(slices.Sorted(maps.Keys(request.MaxExits)), request.AcceptAbsence)
	}
	for _, key := range asked {
		if slices.ContainsFunc(p.attributes, func(a *attribute) bool { return matchesKey(key, a.Key) }) ||
			slices.ContainsFunc(p.unusable, func(r runs.ExportReport) bool { return matchesKey(key, r.Key) }) {
			continue
		}
		if engage.IsPattern(key) {
			return fmt.Errorf("there is no audience or trait in the exports whose key matches %q", key)
		}
		return fmt.Errorf("there is no audience or trait with the key %q in the exports", key)
	}
	return nil
}

// checkKey returns an error if a key cannot be an attribute's. What was delivered before the
// list of reserved names grew goes on.
func (p *plan) checkKey(key string) error {
	err := engage.CheckKey(key)
	if errors.As(err, new(*engage.ReservedError)) && !p.known[key].Applied.At.IsZero() {
		return nil
	}
	return err
}

// reservedNotes names the attributes that go on only since they were delivered before.
func (p *plan) reservedNotes() []string {
	var notes []string
	for _, a := range p.attributes {
		var reserved *engage.ReservedError
		if a.chosen && !a.retired && errors.As(engage.CheckKey(a.Key), &reserved) {
			notes = append(notes, fmt.Sprintf("%s: it goes on since it was delivered before, and may overwrite the field, so choose another key for the %s %q", reserved, a.Kind, a.Name))
		}
	}
	return notes
}
