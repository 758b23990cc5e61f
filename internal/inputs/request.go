package inputs

import (
	"errors"
	"maps"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/guard"
	"gleapsync/internal/keys"
)

// Request says what is wanted of one run.
type Request struct {
	Full     bool                   // send all values of all contacts again
	Only     []string               // keys or patterns of the attributes to look at, nil: all
	MaxExits map[string]guard.Limit // by key or pattern: limits for this run
	// Keys or patterns of attributes whose exits and clears go in this run although rows
	// could not be read.
	AcceptAbsence []string

	// Set by package sync, for the run that it makes:
	Traces bool   // say of each value what it is told instead of, and where it stands
	Held   bool   // list who would leave
	Assume bool   // nothing is sent: parked contacts are taken as delivered too
	Lists  bool   // leave lists of the rows for the next run
	Retire string // the key of an attribute that is to go
}

// TellsAll reports whether the run tells Gleap everything again, whatever it was told before.
func (r Request) TellsAll() bool { return r.Full && len(r.Only) == 0 }

// chooses reports whether the run is to look at the attribute of a key.
func (r Request) chooses(key string) bool {
	return len(r.Only) == 0 || slices.ContainsFunc(r.Only, func(asked string) bool { return matchesKey(asked, key) })
}

// Accepts reports whether exits of the attribute of a key go although rows could not be read.
func (r Request) Accepts(key string) bool {
	return slices.ContainsFunc(r.AcceptAbsence, func(asked string) bool { return matchesKey(asked, key) })
}

// MaxExitsOf returns the request's own limit for an attribute with so many members: that of
// its key, else of the patterns that match it the one that lets the most go.
func (r Request) MaxExitsOf(key string, members int) (limit guard.Limit, ok bool) {
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

// Empties reports whether so many exits of the attribute of a key go although no members are left:
// somebody names this key, and counts them.
func (r Request) Empties(key string, exits int) bool {
	l, ok := r.MaxExits[key]
	return ok && l.Empties(exits)
}

// MayFeed reports whether the export feeds an attribute of a key, or one whose key a pattern
// matches, or may turn out to once it is read. A state may have kept the key of a former
// version.
func (e *Export) MayFeed(key string) bool {
	return slices.ContainsFunc(e.Attributes, func(a engage.Attribute) bool {
		return matchesKey(key, a.Key) || !a.Chosen && keys.Former(a.Name) == key
	}) || e.mayTake(key)
}

// mayTake is MayFeed without what the configuration names.
func (e *Export) mayTake(key string) bool {
	if engage.IsPattern(key) {
		return e.Discover || len(e.Wildcards) > 0
	}
	_, taken := e.Take(key)
	err := keys.Check(key)
	return taken || slices.Contains(slices.Collect(maps.Values(e.Keys)), key) ||
		e.Discover && (err == nil || errors.As(err, new(*keys.ReservedError)))
}

// matchesKey reports whether an attribute's key is the one that was asked for, or matches
// the pattern.
func matchesKey(asked, key string) bool {
	return asked == key || engage.IsPattern(asked) && engage.MatchesAny([]string{asked}, engage.Attribute{Key: key})
}
