package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// localFiles finds the files of a path, a glob or a folder.
func (p Place) localFiles() (found, error) {
	paths, beside, err := p.paths()
	if err != nil {
		return found{}, err
	}
	f := found{named: len(paths) == 1 && beside == nil}
	for _, path := range paths {
		in, err := p.localFile(path)
		if err != nil {
			return found{}, err
		}
		f.files = append(f.files, in)
	}
	for _, path := range beside {
		if in, err := p.localFile(path); err == nil && !slices.Contains(paths, path) {
			f.beside = append(f.beside, in)
		}
	}
	return f, nil
}

func (p Place) localFile(path string) (Input, error) {
	name := path
	if rel, err := filepath.Rel(p.Dir, path); err == nil && (!filepath.IsAbs(p.Source) || filepath.IsLocal(rel)) {
		name = rel // however the source is written
	}
	info, err := os.Stat(path)
	if err != nil {
		return Input{}, readable(name, err)
	}
	if !info.Mode().IsRegular() {
		return Input{}, Unreadable("%s is not a file", name)
	}
	f := file{path, name, info}
	return Input{
		Name: name, Version: fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano()), exact: identity(path),
		Time: info.ModTime(), size: info.Size(), local: true, Raw: f.open,
	}, nil
}

// paths returns what the source matches and, unless it is one file's name, what says
// whether that is all.
func (p Place) paths() (paths, beside []string, err error) {
	path, pattern := p.Source, p.Source
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.Dir, path)
		pattern = filepath.Join(EscapePattern(p.Dir), p.Source)
	}
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		paths, err := filesIn(path, p.Source)
		return paths, []string{}, err
	}
	if _, err := os.Lstat(path); err == nil || !strings.ContainsAny(p.Source, `*?[`) {
		return []string{path}, nil, nil
	}
	matches, err := filepath.Glob(pattern)
	switch {
	case err != nil:
		return nil, nil, Unreadable("%s is not a valid pattern", p.Source)
	case len(matches) == 0:
		return nil, nil, empty("no file matches %s", p.Source)
	}
	if p.Pick != PickAll {
		return matches, []string{}, nil
	}
	return matches, marksBeside(matches), nil
}

// marksBeside returns what says, in the folders of files, whether they are all.
func marksBeside(paths []string) []string {
	marks := []string{}
	seen := map[string]bool{}
	for _, path := range paths {
		folder := filepath.Dir(path)
		if seen[folder] {
			continue
		}
		seen[folder] = true
		entries, _ := os.ReadDir(folder) // if it cannot be listed there are none
		for _, entry := range entries {
			if saysAll(entry.Name()) {
				marks = append(marks, filepath.Join(folder, entry.Name()))
			}
		}
	}
	return marks
}

// filesIn returns the files in a folder and in the folders within, but for hidden ones.
func filesIn(folder, name string) ([]string, error) {
	var paths []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != folder && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case !d.IsDir():
			paths = append(paths, path)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, readable(name, err)
	case len(paths) == 0:
		return nil, empty("there is no file in the folder %s", name)
	}
	slices.Sort(paths)
	return paths, nil
}

// EscapePattern returns the pattern that the name of a file or folder alone matches, see
// [path/filepath.Match]: on Windows a backslash there separates folders, elsewhere it escapes.
func EscapePattern(name string) string {
	name = patternEscaper.Replace(name)
	if filepath.Separator == '\\' {
		return name
	}
	return strings.ReplaceAll(name, `\`, `\\`)
}

var patternEscaper = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")

// readable makes a file system's error one for people.
func readable(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Unreadable("%s does not exist: export it again, and the next run takes it (or look at its path in the configuration)", name)
	case errors.Is(err, fs.ErrPermission):
		return Unreadable("%s may not be read: permission denied", name)
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return Unreadable("%s cannot be read: %v", name, err)
}

// file is a file as it was found.
type file struct {
	path, name string
	found      fs.FileInfo
}

// open looks at the file once it is open: what was a file may be a pipe by now, and wait
// for somebody who writes to it.
func (f file) open(context.Context) (io.ReadCloser, error) {
	opened, err := os.OpenFile(f.path, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, readable(f.name, err)
	}
	now, err := opened.Stat()
	switch {
	case err != nil:
		err = readable(f.name, err)
	case !now.Mode().IsRegular():
		err = Unreadable("%s is not a file", f.name)
	case !f.isSame(now):
		err = f.changed()
	}
	if err != nil {
		opened.Close()
		return nil, err
	}
	return &openFile{opened, f}, nil
}

// isSame reports whether the file is as it was found.
func (f file) isSame(now fs.FileInfo) bool {
	return os.SameFile(now, f.found) && now.Size() == f.found.Size() && now.ModTime().Equal(f.found.ModTime())
}

func (f file) changed() error { return fmt.Errorf("%s changed while it was read", f.name) }

// openFile is a file that is being read.
type openFile struct {
	*os.File
	file
}

// Close checks that the file did not change while it was read.
func (f *openFile) Close() error {
	defer f.File.Close()
	now, err := f.Stat()
	if err != nil {
		return readable(f.name, err)
	}
	if byPath, err := os.Stat(f.path); err != nil || !os.SameFile(now, byPath) || !f.isSame(now) {
		return f.changed()
	}
	return nil
}
