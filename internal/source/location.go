package source

import (
	"errors"
	"path"
	"strings"

	"gleapsync/internal/bucket"
)

// location is a source in object storage, such as s3://bucket/folder/*.csv?region=eu-west-1.
// Its key is a pattern, as [path.Match] has them; "" or with a / at its end: a folder.
type location struct{ bucket.Address }

// Check returns what is wrong with the way a [Place.Source] is written. It does not look
// whether there is anything.
func Check(source string) error {
	if !isRemote(source) {
		return nil
	}
	_, err := parseLocation(source)
	return err
}

// parseLocation takes a key as it stands, without %XX. The error does not have the
// settings' values: somebody may have pasted a signed URL.
func parseLocation(source string) (location, error) {
	address, err := bucket.Parse(source)
	if errors.Is(err, bucket.ErrScheme) {
		return location{}, errors.New("it takes a path, or an address that begins with s3://, gs://, azblob://, postgres://, redshift:// or trino://")
	}
	if err != nil {
		return location{}, err
	}
	l := location{address}
	if _, err := path.Match(l.Key, ""); err != nil {
		return location{}, errors.New(`its key is not a valid pattern: close each [, and write \[ for a [ that is meant as such`)
	}
	if l.isFolder() && l.prefix() != l.Key {
		return location{}, errors.New("a folder (it ends with a slash) takes no wildcards: end it with /* for the objects in it")
	}
	return l, nil
}

func (l location) isFolder() bool { return l.Key == "" || strings.HasSuffix(l.Key, "/") }

// prefix is what all keys that match begin with.
func (l location) prefix() string {
	if i := strings.IndexAny(l.Key, `*[\`); i >= 0 {
		return l.Key[:i]
	}
	return l.Key
}

// isName reports whether the pattern is the key of one object.
func (l location) isName() bool { return !l.isFolder() && l.prefix() == l.Key }

// prefixes are what is to be listed: first what has all keys that match, and then, for the
// parts of a snapshot, what says beside them whether they are all. To list their whole
// folder for that could take long.
func (l location) prefixes(pick Pick) []string {
	all := []string{l.prefix()}
	folder, name := path.Split(l.prefix())
	if pick == PickAll && !l.isName() && name != "" && !strings.Contains(l.Key[len(folder):], "/") {
		all = append(all, folder+success, folder+"manifest")
	}
	return all
}

// matches reports whether a key is meant. In a folder hidden files are not, nor the empty
// objects that stand for folders.
func (l location) matches(key string) bool {
	if l.isFolder() {
		within, ok := strings.CutPrefix(key, l.Key)
		return ok && !strings.HasSuffix(key, "/") && !strings.Contains("/"+within, "/.")
	}
	ok, _ := path.Match(l.Key, key) // it was checked
	return ok
}
