// Package known reads the lists of the contacts that may be created in Gleap.
//
// Gleap has no call that asks whether it has a contact, and creates each one that it is told of.
// So where a configuration has lists, a contact without a record is left out unless one of them
// has its id. A contact with a record is one that Gleap acknowledged, and needs no list.
//
// A list that is missing, empty, cut off or otherwise not to be believed is held: nobody is created
// because of it. What it leaves out is looked at again in each run until it can be read.
//
// A run reads the lists anew each time. [Lists.Version] changes with the ids that they have, so that
// exports which did not change are read again for those who were left out before.
package known
