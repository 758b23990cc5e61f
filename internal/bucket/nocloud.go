//go:build nocloud

package bucket

import "context"

// Built reports whether this build has object storage.
const Built = false

// openStorage has nothing to open buckets with.
func openStorage(context.Context, Address) (storage, error) { return nil, ErrNotBuilt }
