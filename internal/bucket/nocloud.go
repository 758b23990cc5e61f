//go:build nocloud

package bucket

import (
	"context"
	"errors"
)

// openStorage has nothing to open buckets with.
func openStorage(context.Context, Address) (storage, error) {
	return nil, errors.New("this build of gleapsync has no object storage: use one that was built without the tag nocloud")
}
