package source

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// location is a source in object storage, such as s3://bucket/folder/*.csv?region=eu-west-1.
type location struct {
	scheme, bucket string
	pattern        string // of keys, as [path.Match] has them; "" or with a / at its end: a folder
	settings       url.Values
}

// settingsOf has, by scheme, what may stand behind the question mark.
var settingsOf = map[string][]string{
	"s3":     {"endpoint", "profile", "region", "use_path_style"},
	"gs":     nil,
	"azblob": {"storage_account"},
}

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
	scheme, rest, _ := strings.Cut(source, "://")
	allowed, known := settingsOf[scheme]
	if !known {
		return location{}, errors.New("it takes a path, or an address that begins with s3://, gs://, azblob://, postgres:// or redshift://")
	}
	rest, query, _ := strings.Cut(rest, "?")
	l := location{scheme: scheme}
	l.bucket, l.pattern, _ = strings.Cut(rest, "/")
	if l.bucket == "" || strings.Trim(l.bucket, bucketLetters) != "" {
		return location{}, fmt.Errorf("behind %s:// it takes the name of a bucket (letters, digits, hyphens, dots) and a slash", scheme)
	}
	if _, err := path.Match(l.pattern, ""); err != nil {
		return location{}, errors.New(`its key is not a valid pattern: close each [, and write \[ for a [ that is meant as such`)
	}
	if l.isFolder() && l.prefix() != l.pattern {
		return location{}, errors.New("a folder (it ends with a slash) takes no wildcards: end it with /* for the objects in it")
	}
	settings, err := url.ParseQuery(query)
	if err != nil {
		return location{}, errors.New("what stands behind its question mark is not name=value&name=value (a ? is no wildcard here)")
	}
	l.settings = settings
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !slices.Contains(allowed, name) {
			return location{}, fmt.Errorf("behind its question mark %s:// takes these: %s", scheme, cmp.Or(strings.Join(allowed, " "), "none"))
		}
	}
	if endpoint := settings.Get("endpoint"); endpoint != "" {
		if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "http" && u.Scheme != "https" {
			return location{}, errors.New("its endpoint takes an address such as https://minio.example.com:9000, without a password")
		}
	}
	if value := settings.Get("use_path_style"); value != "" {
		if _, err := strconv.ParseBool(value); err != nil {
			return location{}, errors.New("its use_path_style takes true or false")
		}
	}
	return l, nil
}

const bucketLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._$"

func (l location) isFolder() bool { return l.pattern == "" || strings.HasSuffix(l.pattern, "/") }

// prefix is what all keys that match begin with.
func (l location) prefix() string {
	if i := strings.IndexAny(l.pattern, `*[\`); i >= 0 {
		return l.pattern[:i]
	}
	return l.pattern
}

// isName reports whether the pattern is the key of one object.
func (l location) isName() bool { return !l.isFolder() && l.prefix() == l.pattern }

// prefixes are what is to be listed: first what has all keys that match, and then, for the
// parts of a snapshot, what says beside them whether they are all. To list their whole
// folder for that could take long.
func (l location) prefixes(pick Pick) []string {
	all := []string{l.prefix()}
	folder, name := path.Split(l.prefix())
	if pick == PickAll && !l.isName() && name != "" && !strings.Contains(l.pattern[len(folder):], "/") {
		all = append(all, folder+success, folder+"manifest")
	}
	return all
}

// matches reports whether a key is meant. In a folder hidden files are not, nor the empty
// objects that stand for folders.
func (l location) matches(key string) bool {
	if l.isFolder() {
		within, ok := strings.CutPrefix(key, l.pattern)
		return ok && !strings.HasSuffix(key, "/") && !strings.Contains("/"+within, "/.")
	}
	ok, _ := path.Match(l.pattern, key) // it was checked
	return ok
}

// name is what people call an object.
func (l location) name(key string) string { return l.scheme + "://" + l.bucket + "/" + key }

// bool returns a setting that was checked.
func (l location) bool(name string) bool {
	value, _ := strconv.ParseBool(l.settings.Get(name))
	return value
}
