// Package gleap calls Gleap's admin API: Identify Contact and Track Event for the sync,
// the deletion of a contact, and the check of the token.
//
// A [Client] sends one call until its fate is known. A call has one or more attempts, each of
// which takes a ticket from the pacer, so that no window of the rate limit sees more requests
// than allowed, and is one request on the wire at most. The verdict on an attempt says whether
// the call was acknowledged, is tried again, or failed: the client returns nil for what Gleap
// acknowledged, a [*RefusedError] for what Gleap will never take, an [*UnreachableError] after
// nothing went through for too long, and a [*StopError] where going on makes no sense, as with
// a bad token.
//
// A cancelled context ends waiting, for the pace or for a retry; a request that is
// on its way is finished first, bounded by its time-out, so that its fate is known. The
// error wraps [ErrNotTaken] where Gleap surely took nothing.
//
// What Gleap saw within the last window outlives the client: the [History] that
// [Client.Seen] returns is for the [Client.Resume] of the next one.
//
// What Gleap has of a contact are custom attributes, whose keys the project chooses, and
// contact fields, which every contact has, see [Field]. [BooleanAs] is the form in which
// booleans go out.
//
// No error and no log line holds the token, a body, or a user id. Of the reason that Gleap
// gives for a refusal a [RefusedError] has what is not in the call.
package gleap
