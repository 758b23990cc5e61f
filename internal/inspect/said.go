package inspect

import "gleapsync/internal/inputs"

// Said writes what the present export says about an attribute of the contact.
func (c Contact) Said(key string) string {
	said, ok := c.Exports[key]
	switch {
	case !ok:
		return "in no export any more"
	case said.Error != "":
		return "not readable: " + said.Error
	case said.Absent:
		return notIn(said)
	case said.Value.String() == "":
		return "says nothing"
	}
	return string(said.Value.AppendJSON(nil))
}

// notIn says of an export in whose rows the contact is not how far that is known.
func notIn(said inputs.Said) string {
	if said.Unread > 0 {
		return "not in what can be read"
	}
	return "not in it"
}
