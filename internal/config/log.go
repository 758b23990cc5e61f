package config

import (
	"errors"
	"path/filepath"
	"strings"

	"gleapsync/internal/deliveries"
)

// log reads where the log of deliveries is. The spool of one in a bucket is beside the state.
func (l *loader) log(state string) deliveries.Place {
	d := deliveries.Place{Keep: l.duration("log.keep", l.f.Log.Keep)}
	switch path := l.text("log.path", l.f.Log.Path); {
	case strings.Contains(path, "://"):
		if a := l.folder("log.path", path); a != nil {
			d.Bucket = deliveries.In(*a, state+".deliveries")
		}
	case filepath.IsAbs(path):
		d.Dir = path
	case path != "":
		d.Dir = filepath.Join(l.dir, path)
	case d.Keep > 0:
		l.fail("log.keep", errors.New("log.path is missing: without it no log is kept"))
	}
	return d
}
