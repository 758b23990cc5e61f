package inspect

// Said writes what the present export says about an attribute of the contact.
func (c Contact) Said(key string) string {
	said, ok := c.Exports[key]
	switch {
	case !ok:
		return "in no export any more"
	case said.Error != "":
		return "not readable: " + said.Error
	case said.Absent:
		return "not in it"
	case said.Value.String() == "":
		return "says nothing"
	}
	return string(said.Value.AppendJSON(nil))
}
