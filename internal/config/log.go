package config

import (
	"errors"
	"strings"

	"gleapsync/sync"
)

// log reads where the log of deliveries is.
func (l *loader) log(f *file) sync.Deliveries {
	if strings.Contains(f.Log.Path, "://") {
		l.fail("log.path", errors.New("it is a folder of this machine: a bucket cannot be written to yet"))
		return sync.Deliveries{}
	}
	d := sync.Deliveries{Dir: l.file("log.path", f.Log.Path), Keep: l.duration("log.keep", f.Log.Keep)}
	if d.Dir == "" && d.Keep > 0 {
		l.fail("log.keep", errors.New("log.path is missing: without it no log is kept"))
	}
	return d
}
