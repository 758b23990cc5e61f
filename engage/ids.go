package engage

import (
	"fmt"

	"gleapsync/internal/userid"
)

// enoughIDs is how many ids tell whether all are of a kind.
const enoughIDs = 100

// idCheck looks at the first ids of a file. It refuses the file if they are all SHA-256
// hashes (Segment's single-column form is often hashed, and so are the ids that a destination
// may send; those in Gleap are not), or all numbers that something made of the ids.
type idCheck struct {
	named                 bool // the configuration names the user id's column: hashes are what they are
	seen, hashes, changed int
}

func (c *idCheck) add(id []byte) {
	if c.seen >= enoughIDs {
		c.seen = enoughIDs + 1 // it was checked
		return
	}
	c.seen++
	switch {
	case userid.IsHash(id):
		c.hashes++
	case userid.IsSpreadsheetNumber(id), userid.IsFloat(id):
		c.changed++
	}
}

// check is end once enough ids were seen.
func (c *idCheck) check(file, instead string) error {
	if c.seen != enoughIDs {
		return nil
	}
	return c.end(file, instead)
}

// end returns why the file cannot be used; instead says what to do about hashes.
func (c *idCheck) end(file, instead string) error {
	switch seen := min(c.seen, enoughIDs); {
	case seen == 0:
	case c.hashes == seen && !c.named:
		return fmt.Errorf("%s: the user ids are SHA-256 hashes, which Gleap does not know: %s", file, instead)
	case c.changed == seen:
		return fmt.Errorf("%s: all user ids are in scientific notation or end with .0: a spreadsheet or a column of floats has changed them, so export the column as text", file)
	}
	return nil
}
