// Package push carries a plan out: it makes calls of the entries of a plan file, and takes the
// answers to the state.
//
// Senders make the calls, each those of one contact after the other. What became of a call is
// an answer, and all answers come to one loop, which alone writes to the state:
//
//	entries ──▶ feeder ──▶ senders ──▶ answers ──▶ loop ──▶ batch ──▶ state
//	               ▲                                 │
//	               └──────── once it is announced ───┘
//
// The feeder reads entries and bounds what is open, that is announced and without an answer.
// The batch collects what the next commit writes. The refusals decide when a refused contact is
// parked (refusals.go): they hold the first ones of a run back, until another answer proves that
// it is the contacts which Gleap refuses. The course follows how far the run came in each class,
// for the turns of the next run. The tracker sends events beside the calls; its answers come to
// the loop too.
//
// Invariants: no call is made before the state has what it will say; the record of a contact
// changes only by what Gleap acknowledged; an event is sent once the calls of its contact are
// committed; when a run ends early, what Gleap took by then is still committed, and of whom
// Gleap took nothing for sure nothing stays announced.
package push
