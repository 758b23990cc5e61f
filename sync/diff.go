package sync

import (
	"gleapsync/internal/attr"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// diff works out what is to be told to Gleap about the contact, and counts it. The entry
// is empty if nothing is.
func (p *pass) diff() {
	c, e := &p.contact, &p.entry
	p.reasons, p.damped, p.leaving, p.counted = 0, p.damped[:0], p.leaving[:0], p.counted[:0]
	*e = planfile.Entry{UserID: c.userID, Class: runs.ClassFirst, Attributes: e.Attributes[:0], Fields: e.Fields[:0], News: e.News[:0], Origins: e.Origins[:0]}
	all := c.known && c.record.Epoch < p.Epoch // the resync has not come to it yet
	for _, k := range c.record.Attributes {
		a := p.attribute(k.ID)
		active := a != nil && a.counts && c.Counts(a.Input)
		want := attr.Value{}
		if active {
			c.old[k.ID] = c.now
			if !a.Input.IsDelta() {
				p.tallies[k.ID].before += a.MemberCount(k.Value)
			}
			p.tallies[k.ID].kept += c.keeps(a, k.Value)
		}
		if c.isUnanswered(k.ID) { // see below; of one that this run does not look at the record is no news
			continue
		}
		if active {
			want = p.withhold(a, c.Of(a.Attribute, k.Value), k.Value)
		}
		switch {
		case active && a.HasOtherType(k.Value) && (want.Kind() == attr.None || want.Equal(a.AsType(k.Value))):
			if v := a.AsType(k.Value); v.Kind() != attr.None {
				p.tallies[k.ID].retyped++
				p.tell(a, k.ID, v, runs.ClassFirst, false)
			}
		case want.Kind() != attr.None && !want.Equal(k.Value):
			if all || p.Resend || !p.damp(a, k, want) {
				p.count(a, want)
				p.tell(a, k.ID, want, classOf(a, k.Value, want), true)
			}
		case (all || active && p.Resend) && p.byID[k.ID].key != "":
			p.tell(a, k.ID, k.Value, runs.ClassFirst, active && a.MemberCount(k.Value) > 0)
		}
	}
	for _, id := range c.IDs() {
		a := p.attribute(id)
		if !a.counts {
			continue
		}
		v, _ := c.Value(id)
		p.tallies[id].members += a.MemberCount(v)
		left := a.leaves(v)
		if c.old[id] == c.now || c.isUnanswered(id) || left && !c.IsTried(id) {
			continue // compared already; nobody is told false who was never told true, or null who had no value
		}
		if left && a.absence != "" {
			p.holdBack(a, v)
			continue
		}
		may := attr.Value{}
		if left {
			may = attr.OfBool(true) // which is none of the members that the guard counts
		} else {
			p.count(a, v)
		}
		class := c.classNow(a, may, v)
		p.tell(a, id, v, class, !left && (class != runs.ClassFirst || !a.waited || p.o.Events.Backfill))
	}
	again := all || p.Resend
	if c.unanswered != nil {
		others := len(e.Attributes)
		p.diffUnanswered(again)
		again = again || len(e.Attributes) > others // what is held stays without an answer, and makes no call each time
	}
	if c.known || len(e.Attributes) > 0 {
		p.diffFields(again && p.fieldsComplete)
	}
	p.takeDamped()
}

// diffUnanswered has Gleap told of attributes of which it may have another value than the
// record: what the exports say, or what was sent if they say nothing. For the guard Gleap
// has what it may have. all says that the record is sent again as a whole.
func (p *pass) diffUnanswered(all bool) {
	c := &p.contact
	for _, u := range c.unanswered.Attributes {
		a := p.attribute(u.ID)
		if a == nil || !a.counts {
			continue
		}
		known := c.record.Find(u.ID).Value
		want := c.Of(a.Attribute, u.Value)
		if want.Kind() == attr.None {
			want = u.Value
		}
		if a.absence != "" && a.leaves(want) && !(want.Equal(known) && want.Equal(u.Value)) {
			p.holdBack(a, want)
			if a.leaves(u.Value) {
				continue // it stays without an answer until exits go again
			}
			want = u.Value
		}
		was, may, is := a.MemberCount(known) > 0, a.MemberCount(u.Value) > 0, a.MemberCount(want) > 0
		if may && !was { // else it is counted already
			p.tallies[u.ID].before++
			p.tallies[u.ID].kept += c.keeps(a, u.Value)
		}
		if is != (was || may) || is && was && !want.Equal(known) {
			p.count(a, want)
		}
		changed := !want.Equal(known) && (is || known.Kind() != attr.None)
		class := min(classOf(a, known, want), classOf(a, u.Value, want))
		p.tell(a, u.ID, want, class, changed || all && is)
	}
}

// withhold returns what is wanted, None for an exit or a clear that is withheld.
func (p *pass) withhold(a *attribute, want, known attr.Value) attr.Value {
	if a.absence == "" || !a.leaves(want) || want.Equal(known) {
		return want
	}
	p.holdBack(a, want)
	return attr.Value{}
}

// tell adds a value to the entry; if it is news, as an event too where these are wanted.
func (p *pass) tell(a *attribute, id uint32, v attr.Value, class runs.Class, isNews bool) {
	e := &p.entry
	e.Class = min(e.Class, class)
	p.reasons, p.reason = p.reasons+1, id
	if isNews && a.events {
		e.News = append(e.News, planfile.News{Index: len(e.Attributes), At: p.contact.Time(a.Attribute)})
	}
	e.Attributes = append(e.Attributes, state.Change{})
	told := &e.Attributes[len(e.Attributes)-1] // filled in its place: to copy it takes longer
	told.ID, told.Value = id, v
}

// damp puts a change of an attribute aside if it is not worth a call of its own, and reports
// whether it did.
func (p *pass) damp(a *attribute, has state.Known, want attr.Value) bool {
	damps, due := a.damping.Damps(has, want, p.At)
	if damps {
		p.damped = append(p.damped, dampedChange{a, state.Change{ID: a.ID, Value: want}, due})
	}
	return damps
}

// takeDamped has damped changes go along with the entry, or leaves them out if there is
// none. They make it no more urgent.
func (p *pass) takeDamped() {
	calls := !p.entry.Empty()
	reasons, reason := p.reasons, p.reason
	for _, d := range p.damped {
		if calls {
			p.count(d.attribute, d.change.Value)
			p.tell(d.attribute, d.change.ID, d.change.Value, runs.ClassFirst, true)
			continue
		}
		t := &p.tallies[d.attribute.ID]
		t.damped++
		t.due = earlier(t.due, d.due)
	}
	p.reasons, p.reason = reasons, reason
}

// keeps is 1 if the contact stays a member by a row that says nothing of it, else 0; Gleap has that
// value, or may have it.
func (c *contact) keeps(a *attribute, has attr.Value) int {
	if a.MemberCount(has) > 0 && c.IsSilent(a.Attribute) {
		return 1
	}
	return 0
}

// count counts a change of an attribute to what is wanted.
func (p *pass) count(a *attribute, want attr.Value) {
	p.tallies[a.ID].count(a, want)
	if p.contact.parked != nil {
		p.counted = append(p.counted, state.Change{ID: a.ID, Value: want})
	}
}
