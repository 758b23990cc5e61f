// Package bucket reads and writes the objects of S3, Google Cloud Storage and Azure Blob
// Storage. It knows nothing of what is in them.
//
// An [Address] names a bucket and what is meant in it. [Address.Open] finds the credentials in
// the places where the cloud's own tools do, and returns a [Bucket].
//
// An object that is read to its end is whole, and the version that was asked for: when the
// connection breaks, a [Reader] goes on where it was. [Bucket.Put] writes an object as a whole,
// and if a [Condition] says so only while nobody else did.
//
// Every error is an [Error], which is fit to be shown: it has no address, which may be signed,
// and nothing else that came from outside.
//
// The clouds' own clients are not used: they are larger than all of gleapsync, for the four
// calls that are needed. Built with the tag nocloud, the package opens nothing.
package bucket
