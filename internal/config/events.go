package config

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/database"
	"gleapsync/internal/events"
	"gleapsync/internal/inputs"
	"gleapsync/internal/nearest"
	"gleapsync/sync"
)

// events reads which changes of the exports are told as events too, and how events are
// sent.
func (l *loader) events(f *file, exports []inputs.Export) sync.Events {
	e := sync.Events{
		Entered:  l.eventName("events.entered", f.Events.Entered),
		Exited:   l.eventName("events.exited", f.Events.Exited),
		Computed: l.eventName("events.computed", f.Events.Computed),
		Traits:   l.patterns("events.traits", f.Events.Traits),
		Backfill: f.Events.Backfill,
		Batch:    l.atLeast("events.batch", f.Events.Batch, 1),
		Remember: l.seconds("events.remember", f.Events.Remember),
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

func (l *loader) eventName(key, value string) string {
	name := l.text(key, value)
	if name == "" {
		l.fail(key, errors.New("it is empty"))
	}
	return name
}

// track reads an export of events, which comes after others.
func (l *loader) track(key string, k *trackKeys, before []events.Export) events.Export {
	if source, _ := expand(k.Source); source == engage.Stdin || database.IsAddress(source) {
		l.fail(key+".source", errNotFiles)
		return events.Export{}
	}
	e := l.export(key, &exportKeys{inputKeys: inputKeys{Source: k.Source, Pick: "all"}})
	t := events.Export{Export: e.Export, Keys: l.patterns(key+".keys", k.Keys), MaxAge: l.duration(key+".max_age", k.MaxAge)}
	for i, name := range k.Events {
		t.Names = append(t.Names, l.eventName(fmt.Sprintf("%s.events[%d]", key, i), name))
	}
	if slices.ContainsFunc(before, func(b events.Export) bool { return t.Source != "" && path.Clean(b.Source) == path.Clean(t.Source) }) {
		l.fail(key+".source", errors.New("another [[track]] reads it too: name all events that are to be taken from it in one"))
	}
	if len(t.Keys) > gleap.MaxData {
		l.fail(key+".keys", fmt.Errorf("an event in Gleap has %d keys at most", gleap.MaxData))
	}
	t.Since = l.since(key+".since", k.Since)
	return t
}

// errNotFiles is what is wrong with other sources of what happened.
var errNotFiles = errors.New("it takes files, which have names and stay what they are: a folder, a pattern, or objects such as s3://bucket/folder/")
