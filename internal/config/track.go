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
)

// track reads an export of events, which comes after others.
func (l *exportLoader) track(key string, k *trackKeys, before []events.Export) events.Export {
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
