// Package rowlist keeps, sorted by user id, what tells the rows of a snapshot from later ones:
// a list of user ids, each with the print of its rows.
//
// A list is a filter and decides nothing. It says of which users a newer snapshot says something
// else, so that only their rows are read; what is to be done for them the records of the state
// say. So a list that is not there, that is damaged or another one costs time and nothing else:
// whoever finds it so has to read all. That is why a list is known by an id that was made at
// random, and that who refers to it keeps; why it says what its prints belong to; and why
// [Compare] returns an error unless it came to a sound end.
//
// The format is written down in docs/state-format.md.
package rowlist
