package config

import (
	"errors"

	"gleapsync/engage"
	"gleapsync/internal/known"
)

// knownList reads a list of the contacts that may be created.
func (l *exportLoader) knownList(key string, k *knownListKeys) known.List {
	e := l.export(key, &exportKeys{inputKeys: k.inputKeys})
	if e.Source == engage.Stdin {
		l.fail(key+".source", errors.New("the standard input can be read once, and a list is needed whenever a contact is asked for: name a file or a command"))
	}
	return known.List{Export: e.Export, MaxAge: e.MaxAge}
}
