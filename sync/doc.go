// Package sync works out what changed and sends it.
//
// A [Runner] makes a plan and carries it out. To make it, every export is read and
// sorted by user id within a memory budget (package extsort), and all of them are merged
// with the sorted records of the state: in one pass on each processor over a span of the
// user ids, which sees each contact once with all that is wanted and all that is known. The
// differences go to a plan file (package planfile), by their class: those who leave an
// audience, those who enter one, other changes, first deliveries. Counts for each attribute
// come out of the same passes. An export that a guard refuses is held, and the merge is done
// again without it. Only then is the first call sent (package push); what Gleap acknowledges
// is committed to the state in batches.
//
// Invariants: a call carries wanted minus known and nothing else; a contact that
// nobody says anything about gets no call; the record of a contact changes only after
// Gleap acknowledged.
package sync
