// Package events reads event exports.
//
// An event export has files with track, page and screen calls. Each file is read once: its
// events become due in the state, together with the messages that were read, and then the
// file is done. A message that comes again, in another file or since a run was killed
// between two commits, is no event any more.
package events
