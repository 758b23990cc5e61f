package starter

import (
	"context"
	"path"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/database"
)

// isBucket reports whether a place is one in object storage.
func isBucket(place string) bool { return strings.Contains(place, "://") && !database.IsAddress(place) }

// where names a source in one line.
func (s source) where() string {
	if s.Table != "" {
		return s.Table
	}
	return s.Path
}

// objects returns what the objects under an address are, folder by folder.
func objects(ctx context.Context, address string) ([]source, error) {
	address, query, asked := strings.Cut(address, "?")
	if asked {
		query = "?" + query
	}
	address = strings.TrimSuffix(address, "/") + "/"
	e := engage.Export{Source: address + query, Pick: engage.PickAll, Changes: true} // without asking for parts
	opened, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	var folders []string
	names := map[string][]string{}
	for _, file := range opened.Files() {
		folder, name := path.Split(file.Name)
		if names[folder] == nil {
			folders = append(folders, folder)
		}
		names[folder] = append(names[folder], name)
	}
	var all []source
	for _, folder := range folders {
		for _, s := range sourcesIn(strings.TrimSuffix(folder, "/"), "", names[folder]) {
			s.Path += query
			all = append(all, s)
		}
	}
	return all, nil
}
