//go:build nocloud

package source

import (
	"context"
	"errors"
)

// openBucket has nothing to open buckets with.
func openBucket(context.Context, location) (bucket, error) {
	return nil, errors.New("this build of gleapsync has no object storage: use one that was built without the tag nocloud")
}
