// Package serve runs syncs of a project on a schedule, one after the other, and shows what goes on:
// the status page, metrics, probes and JSON.
//
// The site only shows: no request starts a sync or changes anything. The one that costs more
// than a look at the state is that for what the exports say of a contact: it reads all of them
// and starts their commands, for one person at a time and only after a button was pressed
// (handler.go).
//
// [Several] is a server of each of several projects below one page, beside the [Server] of one: it
// has the schedules begin apart and lets a few runs go on at a time (several.go), and hands requests
// on to their sites (several_site.go).
//
// [Auth] lets the users of a file in (auth.go). Without one the site answers to whoever asks by
// an address or a name that is not public (handler.go). With one or without, what a page of
// another site has a browser ask for is refused, but for links (origin.go). The limits keep
// those who ask from taking what a run needs (web.go). loop.go has the schedule, read.go the
// looks at the state.
package serve
