package runs

import "fmt"

// Class says how urgent a contact's calls are: as the most urgent of the changes in them.
type Class int

// The classes, in the order of a plan.
const (
	ClassExit   Class = iota // members who left an audience
	ClassEntry               // members who came to an audience that was delivered before
	ClassChange              // other changes of attributes and fields that were delivered before
	ClassFirst               // first deliveries, and what is sent again without a change
	Classes                  // how many there are
)

var classNames = [Classes]string{"exit", "entry", "change", "first"}

// String returns the class as reports have it.
func (c Class) String() string { return classNames[c] }

// MarshalText returns the class as reports have it.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (c *Class) UnmarshalText(text []byte) error {
	for class, name := range classNames {
		if name == string(text) {
			*c = Class(class)
			return nil
		}
	}
	return fmt.Errorf("%q is no class", text)
}

// IsDelta reports whether a call has a change of something that was delivered before.
func (c Class) IsDelta() bool { return c < ClassFirst }
