package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"gleapsync/internal/bucket"
)

// objects finds the objects of a bucket.
func (p Place) objects(ctx context.Context) (found, error) {
	l, err := parseLocation(p.Source)
	if err != nil {
		return found{}, Unreadable("the source is not valid: %v", err)
	}
	b, err := l.Open(ctx)
	if err != nil {
		return found{}, unreadable(l.BucketName(), err)
	}
	f := found{named: l.isName()}
	folders := map[string]bool{} // of the files
	var marks []Input
	for i, prefix := range l.prefixes(p.Pick) {
		for o, err := range b.List(ctx, prefix) {
			if err != nil {
				return found{}, unreadable(l.BucketName(), err)
			}
			in := Input{
				Name: l.Name(o.Key), Version: fmt.Sprintf("%q %d %d", o.Version, o.Size, o.Time.UnixNano()), Time: o.Time, size: o.Size,
				Raw: func(ctx context.Context) (io.ReadCloser, error) {
					return objectReader{b.Read(ctx, o), l.Name(o.Key)}, nil
				},
			}
			switch {
			case l.matches(o.Key):
				if i == 0 {
					f.files = append(f.files, in)
					folders[folderOf(in.Name)] = true
				}
			case saysAll(o.Key):
				marks = append(marks, in)
			}
		}
	}
	for _, in := range marks {
		if folders[folderOf(in.Name)] && !slices.ContainsFunc(f.beside, func(b Input) bool { return b.Name == in.Name }) {
			f.beside = append(f.beside, in)
		}
	}
	switch {
	case len(f.files) > 0:
		return f, nil
	case l.isFolder():
		return found{}, empty("there is no object in the folder %s", l.Name(l.Key))
	}
	return found{}, empty("no object matches %s", l.Name(l.Key))
}

// unreadable says of a bucket, or of an object, that it cannot be read.
func unreadable(name string, err error) error {
	return Unreadable("%s cannot be read: %v", name, err)
}

// objectReader reads an object.
type objectReader struct {
	*bucket.Reader
	name string
}

func (r objectReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.As(err, new(*bucket.Error)) {
		err = Unreadable("%v", err)
	}
	return n, err
}

func (r objectReader) Close() error {
	err := r.Reader.Close()
	if errors.As(err, new(*bucket.Error)) {
		err = unreadable(r.name, err)
	}
	return err
}
