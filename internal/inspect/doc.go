// Package inspect answers questions to a state: what it holds, who is in an audience and why,
// what the runs did.
//
// A [View] asks the state, and for one contact the exports too, with the words of package
// sync: what they say is what a sync would read, and what comes next is in the plan that a sync
// would make. It changes nothing, and can be used while a sync runs: the state's file is open
// for a moment at a time, so that no commit waits for it.
//
// User ids, attribute values and events come out of a View, since somebody asked for them.
// What package runs has of them are counts.
package inspect
