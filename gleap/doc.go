// Package gleap calls Gleap's admin API: Identify Contact and Track Event for the sync,
// the deletion of a contact, and the check of the token.
//
// A [Client] sends one call until its fate is known. It paces every attempt, so
// that no window of the rate limit sees more requests than allowed; it retries what
// may succeed later; and it returns nil for what Gleap acknowledged, a
// [*RefusedError] for what Gleap will never take, an [*UnreachableError] after
// nothing went through for too long, and a [*StopError] where going on makes no
// sense, as with a bad token.
//
// A cancelled context ends waiting, for the pace or for a retry; a request that is
// on its way is finished first, bounded by its time-out, so that its fate is known. The
// error wraps [ErrNotTaken] where Gleap surely took nothing.
//
// No error and no log line holds the token, a body, or a user id.
package gleap
