package inputs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// catalog has the exports of a run and their attributes. These are those that the configuration
// names, and those that are found while the exports are opened and read.
type catalog struct {
	*Basis
	All      []*Input
	Fed      []*Attribute        // in the order of the configuration
	byID     []attributeRef      // all that the state knows or will know
	Unusable []runs.ExportReport // of what a wildcard takes and what cannot be an attribute
}

// newCatalog returns the catalog of a run that has no exports yet.
func newCatalog(b *Basis) catalog {
	c := catalog{Basis: b}
	for _, a := range b.Overview.Attributes {
		for int(a.ID) >= len(c.byID) {
			c.byID = append(c.byID, attributeRef{})
		}
		if !a.Gone() {
			c.byID[a.ID].key = a.Key
		}
	}
	return c
}

// attribute returns the attribute of an id, nil if no export feeds it.
func (c *catalog) attribute(id uint32) *Attribute {
	if int(id) >= len(c.byID) {
		return nil
	}
	return c.byID[id].attribute
}

// byKey returns the attribute of a key, nil if no export has it so far.
func (c *catalog) byKey(key string) *Attribute {
	i := slices.IndexFunc(c.Fed, func(a *Attribute) bool { return a.Key == key })
	if i < 0 {
		return nil
	}
	return c.Fed[i]
}

// add adds an export with the attributes that the configuration names.
func (c *catalog) add(e *Input) error {
	c.All = append(c.All, e)
	for _, settings := range e.Attributes {
		if other := c.byKey(settings.Key); other != nil { // the state kept the key for one of them
			return fmt.Errorf(`%s: choose another one with key = "…"`, shareKey(settings, []engage.Attribute{settings, other.Attribute}))
		}
		if _, err := c.addAttribute(e, settings); err != nil {
			return err
		}
	}
	return nil
}

// addAttribute gives an attribute its id: the one that the state has for its key, or the
// next.
func (c *catalog) addAttribute(e *Input, settings engage.Attribute) (*Attribute, error) {
	a := &Attribute{
		Attribute: settings, Input: e, Status: runs.StatusApplied,
		Asked: c.Request.chooses(settings.Key),
	}
	if k, ok := c.known[a.Key]; ok {
		if k.Kind != string(a.Kind) && k.Name == a.Name {
			return nil, fmt.Errorf("%q is an attribute of the kind %s in the state, and contacts in Gleap have its values: put it back under %ss, or take it out, run gleapsync retire %s, and then add it as %[5]s", a.Name, k.Kind, k.Kind, a.Key, a.Kind)
		}
		if k.Kind != string(a.Kind) {
			return nil, fmt.Errorf("the key %s belonged to another %s before, and contacts in Gleap have its values: choose another key for the %s %q", a.Key, k.Kind, a.Kind, a.Name)
		}
		a.ID, a.Applied = k.ID, k.Applied
	} else {
		a.ID = uint32(len(c.byID))
		c.byID = append(c.byID, attributeRef{})
	}
	c.byID[a.ID] = attributeRef{a.Key, a}
	e.Feeds = append(e.Feeds, a)
	c.Fed = append(c.Fed, a)
	return a, nil
}

// holdUnusable reports what is held and is no attribute.
func (c *catalog) holdUnusable(e *Input, key, name string, kind engage.Kind, reason string) {
	c.Unusable = append(c.Unusable, runs.ExportReport{
		Key: key, Name: name, Kind: kind, Source: e.Origin(), Status: runs.StatusHeld, Reason: reason, Unreadable: e.unreadable,
	})
}

// holdPatterns reports the export's wildcards that take nothing: somebody expects something of
// them. reason says why one takes nothing, "" if nothing is to be said of that.
func (c *catalog) holdPatterns(e *Input, takes func(engage.Wildcard, *Attribute) bool, reason func(engage.Wildcard) string) {
	if len(c.Request.Only) > 0 {
		return
	}
	for _, w := range e.Wildcards {
		if slices.ContainsFunc(e.Feeds, func(a *Attribute) bool { return takes(w, a) }) ||
			slices.ContainsFunc(c.Unusable, func(r runs.ExportReport) bool { return r.Source == e.Origin() && w.Matches(r.Name) }) {
			continue
		}
		text := reason(w)
		if e.refused != nil {
			text = e.refused.Error()
		}
		if text != "" {
			c.holdUnusable(e, w.Pattern, w.Pattern, w.Kind, text)
		}
	}
}

// Orphans returns the attributes of the state that no export feeds.
func (c *catalog) Orphans() []state.Attribute {
	var all []state.Attribute
	for _, a := range c.Overview.Attributes {
		fed := slices.ContainsFunc(c.All, func(e *Input) bool {
			_, taken := e.Take(a.Name)
			return taken && e.IsUnknown() && !a.Retired ||
				slices.ContainsFunc(e.Attributes, func(f engage.Attribute) bool { return f.Key == a.Key })
		})
		if !fed && !a.Gone() {
			all = append(all, a)
		}
	}
	return all
}

// addTaken adds what an export's wildcards or its discovery take. What cannot be an
// attribute is held. So are all that share a key: nobody can tell which of them Gleap's
// contacts are to have.
func (c *catalog) addTaken(e *Input, taken []engage.Attribute) {
	groups := map[string][]engage.Attribute{}
	var keys []string
	for _, a := range taken {
		same := groups[a.Key]
		if same == nil {
			keys = append(keys, a.Key)
		}
		if !slices.ContainsFunc(same, func(b engage.Attribute) bool { return a.Name == b.Name && a.Kind == b.Kind }) {
			groups[a.Key] = append(same, a)
		}
	}
	for _, key := range keys {
		c.addFound(e, groups[key])
	}
}

// addFound adds what was found of one key.
func (c *catalog) addFound(e *Input, found []engage.Attribute) {
	key := found[0].Key
	hold := func(reason func(a engage.Attribute) string) {
		for _, a := range found {
			e.unfit = append(e.unfit, a.Name)
		}
		if !c.Request.chooses(key) {
			return
		}
		for _, a := range found {
			c.holdUnusable(e, key, a.Name, a.Kind, reason(a))
		}
	}
	all := found
	other := c.byKey(key)
	if other != nil {
		all = append([]engage.Attribute{other.Attribute}, found...)
	}
	shared := func(a engage.Attribute) string { return shareKey(a, all) + ": " + tellApart(key, found) }
	err := c.checkKey(key)
	switch k, known := c.known[key]; {
	case err != nil:
		hold(func(engage.Attribute) string {
			return err.Error() + ": give it another key under keys, or name it in exclude"
		})
	case other != nil:
		// Two exports may have the same name: then the first one feeds it.
		if other.found && slices.ContainsFunc(found, func(a engage.Attribute) bool { return a.Name != other.Name || a.Kind != other.Kind }) {
			other.Hold(shared(other.Attribute))
		}
		hold(shared)
	case len(found) > 1:
		if known { // its attribute is there, and stays as it is
			i := max(0, slices.IndexFunc(found, func(a engage.Attribute) bool { return a.Name == k.Name && string(a.Kind) == k.Kind }))
			if a, err := c.addAttribute(e, found[i]); err == nil {
				a.found = true
				e.Attributes = append(e.Attributes, found[i])
				a.Hold(shared(found[i]))
				found = slices.Delete(slices.Clone(found), i, i+1)
			}
		}
		hold(shared)
	default:
		a, err := c.addAttribute(e, found[0])
		if err != nil {
			hold(func(engage.Attribute) string { return err.Error() + " under keys, or name it in exclude" })
			return
		}
		a.found = true
		e.Attributes = append(e.Attributes, found[0])
	}
}

// shareKey says that an attribute has the key of others.
func shareKey(a engage.Attribute, all []engage.Attribute) string {
	var others []string
	for _, b := range all {
		if a.Name != b.Name || a.Kind != b.Kind {
			others = append(others, fmt.Sprintf("%s %q", b.Kind, b.Name))
		}
	}
	if len(others) == 0 {
		return fmt.Sprintf("another export has the %s %q too, with the key %s", a.Kind, a.Name, a.Key)
	}
	return fmt.Sprintf("%s %q has the key %s, and so has %s", a.Kind, a.Name, a.Key, strings.Join(others, " and "))
}

// tellApart says how those that share a key can be told apart. The key in exclude would take all
// of them out.
func tellApart(key string, found []engage.Attribute) string {
	i := slices.IndexFunc(found, func(a engage.Attribute) bool { return a.Name != key })
	if i < 0 {
		return "give it another key under keys, or name it in exclude"
	}
	return fmt.Sprintf("give one of them another key under keys, or name %q in exclude", found[i].Name)
}

// checkAsked makes sure that the attributes which the run was asked about are there: whether
// wildcards take them is not known before. As long as an export cannot be read, nobody can
// tell what it has.
func (c *catalog) checkAsked() error {
	asked := c.Request.Only
	if len(asked) == 0 && !slices.ContainsFunc(c.All, (*Input).IsUnknown) {
		asked = slices.Concat(slices.Sorted(maps.Keys(c.Request.MaxExits)), c.Request.AcceptAbsence)
	}
	for _, key := range asked {
		if slices.ContainsFunc(c.Fed, func(a *Attribute) bool { return matchesKey(key, a.Key) }) ||
			slices.ContainsFunc(c.Unusable, func(r runs.ExportReport) bool { return matchesKey(key, r.Key) }) {
			continue
		}
		if engage.IsPattern(key) {
			return fmt.Errorf("there is no audience or trait in the exports whose key matches %q", key)
		}
		return fmt.Errorf("there is no audience or trait with the key %q in the exports", key)
	}
	return nil
}

// KeysByID returns the keys of all attributes that the state knows or will know, "" for those that
// are gone.
func (c *catalog) KeysByID() []string {
	keys := make([]string, len(c.byID))
	for id, ref := range c.byID {
		keys[id] = ref.key
	}
	return keys
}
