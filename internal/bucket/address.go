package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Address is a place in object storage, such as s3://bucket/folder/?region=eu-west-1.
type Address struct {
	Scheme, Bucket string
	Key            string // what stands behind the bucket: a key, a folder, or a pattern
	settings       url.Values
}

// settingsOf has, by scheme, what may stand behind the question mark.
var settingsOf = map[string][]string{
	"s3":     {"endpoint", "profile", "region", "use_path_style"},
	"gs":     nil,
	"azblob": {"storage_account"},
}

// ErrScheme is the error for an address that begins with none of the schemes.
var ErrScheme = errors.New("it takes an address that begins with s3://, gs:// or azblob://")

// ErrNotBuilt is the error of a build without object storage.
var ErrNotBuilt = errors.New("this build of gleapsync has no object storage: use one that was built without the tag nocloud")

// Parse takes a key as it stands, without %XX. The error does not have the settings' values:
// somebody may have pasted a signed URL.
func Parse(text string) (Address, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	allowed, known := settingsOf[scheme]
	if !known {
		return Address{}, ErrScheme
	}
	rest, query, _ := strings.Cut(rest, "?")
	a := Address{Scheme: scheme}
	a.Bucket, a.Key, _ = strings.Cut(rest, "/")
	if a.Bucket == "" || strings.Trim(a.Bucket, letters) != "" {
		return Address{}, fmt.Errorf("behind %s:// it takes the name of a bucket (letters, digits, hyphens, dots) and a slash", scheme)
	}
	settings, err := url.ParseQuery(query)
	if err != nil {
		return Address{}, errors.New("what stands behind its question mark is not name=value&name=value (a ? is no wildcard here)")
	}
	a.settings = settings
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !slices.Contains(allowed, name) {
			return Address{}, fmt.Errorf("behind its question mark %s:// takes these: %s", scheme, cmp.Or(strings.Join(allowed, " "), "none"))
		}
	}
	if endpoint := settings.Get("endpoint"); endpoint != "" {
		if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "http" && u.Scheme != "https" {
			return Address{}, errors.New("its endpoint takes an address such as https://minio.example.com:9000, without a password")
		}
	}
	if value := settings.Get("use_path_style"); value != "" {
		if _, err := strconv.ParseBool(value); err != nil {
			return Address{}, errors.New("its use_path_style takes true or false")
		}
	}
	return a, nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._$"

// Name is what people call an object.
func (a Address) Name(key string) string { return a.BucketName() + "/" + key }

// BucketName is what people call the bucket.
func (a Address) BucketName() string { return a.Scheme + "://" + a.Bucket }

// bool returns a setting that was checked.
func (a Address) bool(name string) bool {
	value, _ := strconv.ParseBool(a.settings.Get(name))
	return value
}

// Open returns the bucket of an address, with the credentials that its cloud's tools would
// find. Whether there is such a bucket, the first call says.
func (a Address) Open(ctx context.Context) (*Bucket, error) {
	ctx, w := newWatch(ctx)
	defer w.end()
	s, err := openStorage(ctx, a)
	if err != nil {
		return nil, explain(ctx, err)
	}
	return &Bucket{a, s}, nil
}
