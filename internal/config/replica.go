package config

import (
	"errors"
	"strings"

	"gleapsync/internal/bucket"
)

// replica reads where the state lives too, nil if it lives here alone.
func (l *loader) replica() *bucket.Address {
	return l.folder("state.replica", l.text("state.replica", l.f.State.Replica))
}

// folder reads a folder of a bucket that is written to; nil: none is named.
func (l *loader) folder(setting, text string) *bucket.Address {
	if text == "" {
		return nil
	}
	a, err := bucket.Parse(text)
	switch {
	case err != nil:
	case !bucket.Built:
		err = bucket.ErrNotBuilt
	case strings.Trim(a.Key, "/") == "":
		err = errors.New("it takes a folder of its own in the bucket, such as s3://bucket/gleapsync/acme")
	case strings.ContainsAny(a.Key, "*?[\\"):
		err = errors.New("it is a folder, without wildcards")
	}
	if err != nil {
		l.fail(setting, err)
		return nil
	}
	a.Key = strings.Trim(a.Key, "/")
	return &a
}
