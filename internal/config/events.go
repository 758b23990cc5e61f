package config

import (
	"fmt"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/inputs"
	"gleapsync/internal/nearest"
	"gleapsync/sync"
)

// events reads which changes of the exports are told as events too, and how events are
// sent.
func (l *loader) events(exports []inputs.Export) sync.Events {
	e := sync.Events{
		Entered:  l.eventName("events.entered", l.f.Events.Entered),
		Exited:   l.eventName("events.exited", l.f.Events.Exited),
		Computed: l.eventName("events.computed", l.f.Events.Computed),
		Traits:   l.patterns("events.traits", l.f.Events.Traits),
		Backfill: l.f.Events.Backfill,
		Batch:    l.atLeast("events.batch", l.f.Events.Batch, 1),
		Remember: l.seconds("events.remember", l.f.Events.Remember),
	}
	const most = 1000
	if e.Batch > most {
		l.fail("events.batch", fmt.Errorf("it takes %d at most", most))
	}
	for i, name := range e.Traits {
		if !mayHaveTrait(exports, name) {
			l.fail(fmt.Sprintf("events.traits[%d]", i), fmt.Errorf("there is no trait %q in the configuration%s", name, nearest.Hint(name, traitKeysOf(exports))))
		}
	}
	return e
}

func traitKeysOf(exports []inputs.Export) []string {
	var keys []string
	for _, e := range exports {
		for _, a := range e.Attributes {
			if a.Kind == engage.Trait {
				keys = append(keys, a.Key)
			}
		}
	}
	return keys
}

// mayHaveTrait reports whether one of the exports has a trait that a name or pattern
// stands for, as far as that is known before they are read.
func mayHaveTrait(exports []inputs.Export, pattern string) bool {
	return slices.ContainsFunc(exports, func(e inputs.Export) bool {
		return e.Discover || slices.ContainsFunc(e.Wildcards, func(w engage.Wildcard) bool { return w.Kind == engage.Trait }) ||
			slices.ContainsFunc(e.Attributes, func(a engage.Attribute) bool {
				return a.Kind == engage.Trait && engage.MatchesAny([]string{pattern}, a)
			})
	})
}
