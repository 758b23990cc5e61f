// Package jsonscan takes JSON apart without decoding it: an object into the names of its
// members and their values as they stand. It is for lines and cells of which little is
// wanted, millions of them; it allocates nothing where nothing is escaped.
//
// [Object] finds ends and checks no more than it has to for that. [Line] and [Append] check
// also what is escaped in texts, and [Append] all of it: what encoding/json would refuse
// they refuse. NaN and the infinities, which Python writes, are values here and nothing
// else, see [Numberless].
package jsonscan
