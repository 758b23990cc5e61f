// Package sandbox is a Gleap to rehearse with: the part of Gleap's admin API
// that a sync uses, answered from memory, with Gleap's rules, its rate limit
// and, on demand, its bad days.
//
// A [Sandbox] is an [http.Handler]. It serves
//
//	POST   /admin/identify            create or change one contact
//	POST   /admin/track               store events
//	GET    /admin/auth                check the token
//	DELETE /admin/contacts/{userId}   erase one contact
//
// and three views for whoever rehearses, without a token and counted nowhere:
//
//	GET    /sandbox/contacts          one contact a line, sorted by user id
//	GET    /sandbox/events            one event a line, in the order of their arrival
//	GET    /sandbox/counts            Counts
//
// A request passes the token, the rate limit and the faults, in this order,
// and only then is it looked at. Whatever the limit refused or a fault replaced
// changed nothing, but for the fault Lost, which loses the answer alone.
//
// [Options.Refuse] names contacts that are refused whatever is said of them, as
// Gleap refuses one with a broken e-mail address.
//
// Where Gleap's behaviour is not documented the sandbox is the stricter of the
// two, so that a mistake shows in a rehearsal: the limit holds in every rolling
// window, a key that stands twice in one object is refused, and so are unknown
// keys of an event or a page view and text that is not UTF-8.
//
// The package knows nothing of the client. Its idea of the wire comes from
// Gleap's documentation alone, because a struct shared with the client would
// agree with the client's mistakes. Nothing is ever written to disk, and memory
// grows with every contact and event.
package sandbox
