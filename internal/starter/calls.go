package starter

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/keys"
)

// errEvents is what is wrong with rows that are not one for each user.
var errEvents = errors.New("it holds a row for each event: export a table with one row for each user")

// errChanges is what is wrong with changes that cannot be read as such.
var errChanges = errors.New("it holds changes, not who is in, and none of them names an audience or a trait")

// readChanges tells what calls, or rows with changes, are: those of audiences and traits are
// an export, the others can be events.
func readChanges(ctx context.Context, s source, base string, otherwise error) (*found, error) {
	if s.Table != "" || path.Ext(s.Path) == ".parquet" {
		return nil, otherwise
	}
	s.Pick = engage.PickAll
	e := s.export(base)
	e.Changes, e.Discover, e.Fields = true, true, nil
	opened, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	changes, err := opened.ReadChanges(ctx, func(*engage.Change) error { return nil })
	if err != nil {
		return nil, otherwise
	}
	f := &found{source: s, Kind: "changes", Rows: changes.Rows, Broken: changes.Invalid}
	for _, c := range changes.Computations {
		key, _ := keys.Of(c.Name)
		column := column{Name: c.Name, Key: key, Audience: c.Kind == engage.Audience, Values: string(c.Fits.Type())}
		if err := unwritable(c.Name); err != nil {
			column.LeftOut = err.Error()
		} else if engage.IsPattern(c.Name) {
			column.LeftOut = "its name would be a pattern: rename it"
		}
		f.Columns = append(f.Columns, column)
	}
	slices.SortFunc(f.Columns, func(a, b column) int { return strings.Compare(a.Name, b.Name) }) // files may be of one time
	if opened, err = e.Open(ctx); err != nil {
		return nil, err
	}
	_, err = opened.ReadCalls(ctx, func(engage.CallType, []byte) bool { f.Calls = true; return false }, func(*engage.Call) error { return nil })
	f.Calls = f.Calls && err == nil
	switch {
	case len(f.Columns) > 0:
	case f.Calls:
		f.Kind, f.Calls = "track", false
	default:
		return nil, otherwise
	}
	return f, nil
}

func (f *found) isCalls() bool { return f.Kind == "changes" || f.Kind == "track" }

// foldersOfCalls makes one source of all files of a folder, if nothing else is in it: more
// will come.
func foldersOfCalls(ctx context.Context, sources []source, base string, all []*found) []*found {
	folderOf := func(s source) string { return s.Path[:strings.LastIndex(s.Path, "/")+1] }
	for _, f := range slices.Clone(all) {
		folder := folderOf(f.source)
		_, query, _ := strings.Cut(f.Path, "?")
		inside := func(s source) bool { return strings.HasPrefix(folderOf(s), folder) }
		calls := slices.DeleteFunc(slices.Clone(all), func(f *found) bool { return !f.isCalls() || !inside(f.source) })
		others := slices.ContainsFunc(sources, func(s source) bool {
			return inside(s) && !slices.ContainsFunc(calls, func(f *found) bool { return f.Path == s.Path })
		})
		if !f.isCalls() || folder == "" || others || !slices.Contains(all, f) {
			continue
		}
		s := f.source
		s.Path = folder
		if query != "" {
			s.Path += "?" + query
		}
		if whole, err := readChanges(ctx, s, base, errEvents); err == nil {
			i := slices.Index(all, f)
			all[i] = whole
			all = slices.DeleteFunc(all, func(f *found) bool { return slices.Contains(calls, f) })
		}
	}
	return all
}
