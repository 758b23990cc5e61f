// Package savedplan keeps a plan in a file, so that what somebody looked at is what goes.
//
// A file has a head, a [Plan], which says what is to be stored beside the calls and what the state
// was like; the contacts, class by class in the order of the user ids; and what change exports said.
// docs/plan-format.md has it byte by byte. [Write] makes one and never replaces one. [Read] proves
// that a file is whole before anything of it is used, and whatever is read of it later is proven
// again: a plan that somebody changed makes no call.
//
// Whether the state is still what the plan was made for, [Plan.Check] decides for the attributes,
// [Plan.Concerned] for what other runs did, and [Stand] for each contact. These are pure functions, which
// [File.Left] asks for all contacts. The
// state alone says which contacts are over, so that a plan goes on after a stop or a crash with what
// is left of it; who was forgotten is left out.
package savedplan
