package source

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A manifest is a file beside the parts of a snapshot that names them. These are known:
//
//   - Redshift's (UNLOAD … MANIFEST): {"entries":[{"url":"s3://…","meta":{"content_length":1}}]}.
//   - What Snowflake says of an unload (DETAILED_OUTPUT, LIST), kept as CSV or JSON:
//     FILE_NAME, FILE_SIZE, ROW_COUNT, or name, size.
//   - A list of paths, as Athena's UNLOAD writes it, or any other list of files in JSON.

// maxManifest bounds what is read of one, in bytes.
const maxManifest = 64 << 20

// isManifest reports whether a file's name is that of a manifest: it ends with the word,
// with or without an ending.
func isManifest(base string) bool {
	name := strings.ToLower(base)
	for _, ending := range []string{".gz", ".json", ".jsonl", ".ndjson", ".csv", ".txt"} {
		name = strings.TrimSuffix(name, ending)
	}
	return strings.HasSuffix(name, "manifest") && !strings.HasPrefix(name, ".")
}

// entry is a file that a manifest names.
type entry struct {
	path string
	size int64 // -1: it does not say
}

// checkManifests reads the manifests among files. It reports whether there is one that
// names parts of the snapshot, and returns an error if these are not all there, or others are.
func (p Place) checkManifests(ctx context.Context, files []Input) (fulfilled bool, err error) {
	var named []entry
	var by []string // the manifest of each
	for _, in := range files {
		if !isManifest(baseOf(in.Name)) {
			continue
		}
		entries, err := readManifest(ctx, in)
		if err != nil {
			return false, Ended(ctx, fmt.Errorf("the manifest %s: %w", in.Name, err))
		}
		for _, n := range entries {
			if p.isMeant(n.path) { // it may have the files of several exports
				named, by = append(named, n), append(by, in.Name)
			}
		}
	}
	if len(named) == 0 {
		return false, nil
	}
	left := make([]*Input, 0, len(files))
	for i := range files {
		if !isMark(files[i].Name) {
			left = append(left, &files[i])
		}
	}
	there := make([]bool, len(named))
	// Files in several folders may have the same name: the folder's name goes first.
	for elements := 2; elements > 0; elements-- {
		for i, n := range named {
			for j, in := range left {
				if !there[i] && in != nil && lastElements(in.Name, elements) == lastElements(n.path, elements) && (n.size < 0 || n.size == in.size) {
					there[i], left[j] = true, nil
				}
			}
		}
	}
	for i, n := range named {
		if there[i] {
			continue
		}
		name := path.Base(n.path)
		for _, in := range left {
			if in != nil && baseOf(in.Name) == name {
				return false, fmt.Errorf("%s has %d bytes, and %d in the manifest %s: wait until all is written, or export it again", name, in.size, n.size, by[i])
			}
		}
		return false, fmt.Errorf("%s is missing, which the manifest %s names: wait until all is written, or export it again", name, by[i])
	}
	for _, in := range left {
		if in != nil && p.isPart(in.Name, in.size) {
			return false, fmt.Errorf("%s is named by no manifest, though others are: delete what is left over from an earlier export, or the manifest if that is older", in.Name)
		}
	}
	return true, nil
}

// isMeant reports whether the place's source matches a file of that name.
func (p Place) isMeant(name string) bool {
	pattern := p.Source
	if isRemote(pattern) {
		l, err := parseLocation(pattern)
		if err != nil || l.isFolder() {
			return err == nil
		}
		pattern = l.Key
	} else if !strings.ContainsAny(pattern, "*?[") {
		return true // a folder
	}
	ok, _ := path.Match(baseOf(pattern), path.Base(name))
	return ok
}

// lastElements returns the end of a path, with slashes.
func lastElements(name string, n int) string {
	all := strings.Split(filepath.ToSlash(name), "/")
	return strings.Join(all[max(0, len(all)-n):], "/")
}

func readManifest(ctx context.Context, in Input) (entries []entry, err error) {
	opened, err := in.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := opened.Close(); err == nil {
			err = closeErr
		}
	}()
	text, err := io.ReadAll(io.LimitReader(opened, maxManifest+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxManifest:
		return nil, fmt.Errorf("it is larger than %d MiB", maxManifest>>20)
	}
	text = bytes.TrimSpace(text)
	if len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		entries, err = jsonEntries(text)
	} else {
		entries, err = csvEntries(text)
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	if err == nil && len(entries) == 0 {
		err = errors.New("it names no file: complete it, delete it, or give it another name if it is none")
	}
	return entries, err
}

var errNoManifest = errors.New("it is damaged, or no list of files: write it again, or give it another name if it is no manifest")

// jsonEntries reads a manifest in JSON: a list of files, an object with one, or an object
// per line.
func jsonEntries(text []byte) (entries []entry, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var value any
		if err := decoder.Decode(&value); err == io.EOF {
			return entries, nil
		} else if err != nil {
			return nil, errNoManifest
		}
		object, ok := value.(map[string]any)
		if n, isEntry := entryOf(object); isEntry {
			entries = append(entries, n)
			continue
		}
		lists := map[string]any{"": value}
		if ok {
			lists = object
		}
		for _, list := range lists {
			items, _ := list.([]any)
			for _, item := range items {
				if name, ok := item.(string); ok {
					entries = append(entries, entry{name, -1})
				} else if object, ok := item.(map[string]any); ok {
					if n, ok := entryOf(object); ok {
						entries = append(entries, n)
					}
				}
			}
		}
	}
}

// Names that a file's name and its size have, without underscores and case.
var (
	nameKeys = []string{"url", "uri", "path", "key", "file", "filename", "filepath", "datafiles3key"}
	sizeKeys = []string{"contentlength", "contentlengthinbytes", "size", "filesize", "length", "bytes"}
)

// entryOf reads the members of a file in a manifest.
func entryOf(object map[string]any) (entry, bool) {
	n := entry{size: -1}
	plain := map[string]any{}
	var add func(members map[string]any)
	add = func(members map[string]any) {
		for key, value := range members {
			if inner, ok := value.(map[string]any); ok { // Redshift's meta
				add(inner)
			} else {
				plain[plainKey(key)] = value
			}
		}
	}
	add(object)
	for _, key := range sizeKeys {
		switch size := plain[key].(type) {
		case float64:
			n.size = int64(size)
		case string:
			if size, err := strconv.ParseInt(size, 10, 64); err == nil {
				n.size = size
			}
		}
	}
	keys := nameKeys
	if n.size >= 0 {
		keys = append(keys[:len(keys):len(keys)], "name") // alone it may be that of anything
	}
	for _, key := range keys {
		if name, ok := plain[key].(string); ok && n.path == "" {
			n.path = name
		}
	}
	return n, n.path != ""
}

func plainKey(key string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(key))
}

// csvEntries reads a manifest that is CSV with a header, or has a path in each line.
func csvEntries(text []byte) (entries []entry, err error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace = -1, true, true
	all, err := r.ReadAll()
	if err != nil {
		return nil, errNoManifest
	}
	var header []string
	for i, row := range all {
		object := map[string]any{}
		for j, cell := range row {
			if j < len(header) {
				object[header[j]] = cell
			} else if header == nil && j == 0 {
				object["path"] = cell
			}
		}
		if _, isHeader := entryOf(headerAsObject(row)); i == 0 && isHeader {
			header = row
			continue
		}
		n, ok := entryOf(object)
		if !ok || header == nil && !strings.Contains(n.path, "/") { // as an id would be
			return nil, errNoManifest
		}
		entries = append(entries, n)
	}
	return entries, nil
}

// headerAsObject makes of a header what each of its rows could be.
func headerAsObject(row []string) map[string]any {
	object := map[string]any{}
	for _, name := range row {
		object[name] = "0"
	}
	return object
}
