package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// Asked is Contact with what the next run would do, and which runs sent what Gleap
// acknowledged. With keys, or patterns of keys, it is about these attributes only. It is an
// error if nothing is known of the contact.
func (v *View) Asked(ctx context.Context, userID string, keys []string) (Contact, error) {
	c, err := v.Contact(ctx, userID)
	if err != nil {
		return c, err
	}
	if err := c.check(); err != nil {
		return c, err
	}
	next, err := sync.AskNext(ctx, v.o, v.store, userID)
	if err != nil {
		return c, err
	}
	c.Next = &next
	if err := v.addRuns(&c); err != nil {
		return c, err
	}
	if err := v.addHistory(ctx, &c); err != nil {
		return c, err
	}
	if err := c.keep(keys); err != nil {
		return c, err
	}
	c.Will = map[string]string{}
	for _, key := range c.Keys() {
		c.Will[key] = c.willDo(key)
	}
	return c, nil
}

// check returns an error if nothing is known of the contact.
func (c *Contact) check() error {
	if c.Forgotten || !c.LastCall.IsZero() || c.Parked != nil || len(c.Events) > 0 {
		return nil
	}
	unread := map[string][]string{} // keys, by the reason
	for _, key := range c.Keys() {
		switch said := c.Exports[key]; {
		case said.Error != "":
			unread[said.Error] = append(unread[said.Error], key)
		case !said.Absent:
			return nil
		case said.Unread > 0:
			const rows = "some of its rows"
			unread[rows] = append(unread[rows], key)
		}
	}
	if len(unread) == 0 {
		return fmt.Errorf("the contact %q is not known here: no record, in no export, not forgotten", c.UserID)
	}
	text := fmt.Sprintf("the contact %q is not known here: no record, in no export that can be read, not forgotten", c.UserID)
	for _, reason := range slices.Sorted(maps.Keys(unread)) {
		text += fmt.Sprintf("; not readable: %s: %s", runs.FirstOf(unread[reason]), reason)
	}
	return errors.New(text)
}

// keep leaves out all attributes except those whose keys are asked for, or match.
func (c *Contact) keep(asked []string) error {
	if len(asked) == 0 {
		return nil
	}
	all := c.Keys()
	for _, a := range asked {
		if !slices.ContainsFunc(all, func(key string) bool { return matches([]string{a}, key) }) {
			return fmt.Errorf("no audience or trait has a key that is or matches %q, see gleapsync inspect audiences", a)
		}
	}
	maps.DeleteFunc(c.Attributes, func(key string, _ attr.Value) bool { return !matches(asked, key) })
	maps.DeleteFunc(c.Acknowledged, func(key string, _ time.Time) bool { return !matches(asked, key) })
	maps.DeleteFunc(c.Exports, func(key string, _ inputs.Said) bool { return !matches(asked, key) })
	c.History = slices.DeleteFunc(c.History, func(t Told) bool { return !matches(asked, t.Key) })
	maps.DeleteFunc(c.Runs, func(key, _ string) bool { return !matches(asked, key) })
	maps.DeleteFunc(c.Next.Attributes, func(key string, _ sync.NextValue) bool { return !matches(asked, key) })
	return nil
}

func matches(asked []string, key string) bool {
	return engage.MatchesAny(asked, engage.Attribute{Key: key})
}

// addRuns finds the runs that sent what Gleap acknowledged, or took it as sent, as far as their
// reports are kept. The state has the second only: of several runs that sent something in it,
// it takes the last.
func (v *View) addRuns(c *Contact) error {
	all, err := v.Runs(math.MaxInt)
	if err != nil {
		return err
	}
	c.Runs = map[string]string{}
	for key, at := range c.Acknowledged {
		i := slices.IndexFunc(all, func(r runs.Summary) bool {
			return r.Touched == nil && (r.Contacts.Sent > 0 || r.Mode == runs.Assuming) && !at.Before(r.Started.Truncate(time.Second)) && !at.After(r.Finished)
		})
		if i >= 0 {
			c.Runs[key] = all[i].Run
		}
	}
	return nil
}

// SaysSomething reports whether Gleap was told of an attribute of the contact, or will be, or
// would be if nothing kept it back. Of an export that cannot be read nobody can deny it.
func (c *Contact) SaysSomething(key string) bool {
	if _, ok := c.Attributes[key]; ok {
		return true
	}
	said := c.Exports[key]
	return said.Error != "" || c.Next.Attributes[key].Send != nil || !said.Absent && c.tells(key, said.Value)
}

// tells reports whether Gleap is told of a value of which it knows none before.
func (c *Contact) tells(key string, v attr.Value) bool {
	return state.MemberCount(c.Next.Attributes[key].Kind == engage.Trait, v) > 0
}

// What is said of an attribute whose reason is written once for all that have it.
const (
	waitsHeld     = "waits: the export is held"
	waitsWithheld = "waits: exits are withheld"
)

// willDo writes what the next run would do with an attribute.
func (c *Contact) willDo(key string) string {
	known, has := c.Attributes[key]
	said, fed := c.Exports[key]
	next := c.Next.Attributes[key]
	stays := "nothing: " + notIn(said)
	switch {
	case has:
		stays = "stays" + short(known)
	case fed && said.Value.Kind() == attr.False:
		stays = "nothing: never told true"
	case fed && !said.Absent:
		stays = "nothing: no value"
	}
	differs := c.tells(key, said.Value)
	switch {
	case has && said.Absent:
		differs = c.tells(key, known)
	case has:
		differs = said.Value.Kind() != attr.None && !said.Value.Equal(known)
	}
	switch {
	case c.Forgotten && !has:
		return "nothing: forgotten"
	case next.Send != nil && has && next.Send.Equal(known):
		return "will be told" + short(known) + " again"
	case next.Send != nil && next.Send.Kind() == attr.Null:
		return "will be cleared" + left(said)
	case next.Send != nil:
		return "will be told" + cmp.Or(short(*next.Send), " the new value") + left(said)
	case c.Next.Error != "":
		return "nobody can tell: see below"
	case !fed:
		return stays + ": no export feeds it"
	case next.Held != "" && (differs || said.Error != ""):
		return waitsHeld
	case said.Error != "":
		return "nobody can tell before it is read"
	case !differs:
		return stays
	case c.Next.Unlisted != "":
		return "nothing: " + c.Next.Unlisted
	case c.Parked != nil:
		return "waits: the contact is parked"
	case said.Absent && next.Withheld != "" && c.tells(key, known):
		return waitsWithheld
	case said.Absent && has:
		return stays + ": who is not in the export keeps it"
	case next.Damped:
		why := next.WaitsFor(state.Known{Value: known, At: c.Acknowledged[key].Unix()}, said.Value)
		return "waits: " + cmp.Or(why, "too small a change, or too early")
	}
	return stays
}

func left(s inputs.Said) string {
	if s.Absent {
		return ": not in the export any more"
	}
	return ""
}

// short writes a value behind a blank, and nothing for a text: it may be long, and stands
// beside it already.
func short(v attr.Value) string {
	if v.Kind() == attr.String {
		return ""
	}
	return " " + v.String()
}

// FieldState is what is known of a contact field. Its text is in no state.
type FieldState struct {
	Name string
	Sent bool
	At   time.Time // when it was sent last, if Exact; else it was by then
	// Exact is set if the log of deliveries has the call.
	Exact bool
	Run   string // that sent it, if Exact
	Will  string // what the next run would do, in words
}

// FieldStates returns what is known of the contact fields that Gleap has or will get.
func (c *Contact) FieldStates() []FieldState {
	names := slices.Concat(c.Fields, c.Next.Fields)
	slices.Sort(names)
	var all []FieldState
	for _, name := range slices.Compact(names) {
		f := FieldState{Name: name, Sent: slices.Contains(c.Fields, name), At: c.LastCall, Will: "stays as it was sent"}
		if told, ok := c.FieldsSent[name]; ok {
			f.At, f.Run, f.Exact = told.At, told.Run, true
		}
		switch sends := slices.Contains(c.Next.Fields, name); {
		case sends && f.Sent:
			f.Will = "will be sent: the exports have another text"
			if c.again() {
				f.Will = "will be sent, with all values"
			}
		case sends:
			f.Will = "will be sent for the first time"
		case c.Next.FieldsWait:
			f.Will = "stays: an export that may have contact fields is held"
		}
		all = append(all, f)
	}
	return all
}

// again reports whether all values are sent again, so that a contact field that is sent need
// not have another text.
func (c *Contact) again() bool {
	for key, n := range c.Next.Attributes {
		if known, has := c.Attributes[key]; has && n.Send != nil && n.Send.Equal(known) {
			return true
		}
	}
	return false
}

// Waiting is a reason for which attributes of the contact wait.
type Waiting struct {
	What   string // Held, Held (for contact fields), Withheld or Not readable
	Keys   []string
	Reason string
}

// Waits returns why attributes are held or withheld, each reason once: of all, or of those that
// say something of the contact, and of others as far as they keep its fields back.
func (c *Contact) Waits(all bool) []Waiting {
	var waits []Waiting
	add := func(what, key, reason string) {
		i := slices.IndexFunc(waits, func(w Waiting) bool { return w.What == what && w.Reason == reason })
		if i < 0 {
			i, waits = len(waits), append(waits, Waiting{What: what, Reason: reason})
		}
		waits[i].Keys = append(waits[i].Keys, key)
	}
	for _, key := range c.Keys() {
		n, unread := c.Next.Attributes[key], c.Exports[key].Error
		switch {
		case n.Held != "" && (unread != "" || c.Will[key] == waitsHeld):
			switch {
			case all || c.SaysSomething(key):
				add("Held", key, n.Held)
			case c.Next.FieldsWait && len(c.Fields) > 0:
				add("Held (for contact fields)", key, n.Held)
			}
		case c.Will[key] == waitsWithheld:
			add("Withheld", key, n.Withheld)
		case unread != "" && (all || c.SaysSomething(key)):
			add("Not readable", key, unread)
		}
	}
	return waits
}

// From returns where the present export of an attribute is, with the line of the row that says
// something of the contact; "" if there is none.
func (c *Contact) From(key string) string {
	said := c.Exports[key]
	from := cmp.Or(said.File, said.Source)
	if said.Line > 0 {
		from = fmt.Sprintf("%s:%d", from, said.Line)
	}
	return from
}
