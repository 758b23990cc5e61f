package sandbox

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
)

// maxAttributes is the largest number of custom attributes in one identify call.
const maxAttributes = 35

// Contact is what Gleap knows of one user.
type Contact struct {
	UserID string

	// Fields are Gleap's own, all but userId, as last sent: strings, value as a
	// json.Number, lastPageView as a map[string]any.
	Fields map[string]any

	// Attributes are the custom ones: strings, json.Numbers and booleans.
	Attributes map[string]any

	CreatedAt    time.Time // as sent, else the time of the first identify
	LastActivity time.Time // zero where no identify ever set it
	Identified   int       // identify calls applied
}

// Contact returns a copy of one contact and whether there is such a contact.
func (s *Sandbox) Contact(userID string) (Contact, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	contact, ok := s.contacts[userID]
	if !ok {
		return Contact{}, false
	}
	c := *contact
	c.Fields = maps.Clone(c.Fields)
	c.Attributes = maps.Clone(c.Attributes)
	if view, ok := c.Fields["lastPageView"].(map[string]any); ok {
		c.Fields["lastPageView"] = maps.Clone(view)
	}
	return c, true
}

// Contacts returns copies of all contacts, sorted by user id. Each is as it
// stands when its turn comes; one that is deleted meanwhile may be left out, as
// is one that is added.
func (s *Sandbox) Contacts() iter.Seq[Contact] {
	return func(yield func(Contact) bool) {
		s.mu.Lock()
		ids := slices.Collect(maps.Keys(s.contacts))
		s.mu.Unlock()
		slices.Sort(ids)
		for _, id := range ids {
			if c, ok := s.Contact(id); ok && !yield(c) {
				return
			}
		}
	}
}

// contactKeys are Gleap's own; any other is a custom attribute.
var contactKeys = schema{
	"userId": text, "email": email, "name": str, "phone": str, "companyName": str, "companyId": str,
	"lang": str, "plan": str, "value": number, "createdAt": moment, "lastActivity": moment, "lastPageView": dict,

	"user_id": locked, "firstName": locked, "lastName": locked, "sla": locked, "avatar": locked,
	"firstActivity": locked, "lastHeardFrom": locked, "unsubscribed": locked, "blocked": locked,
	"sessions": locked, "platform": locked, "deviceType": locked, "location": locked, "project": locked,
	"organisation": locked, "customData": locked, "gleapId": locked, "gleapHash": locked,
}

var pageViewKeys = schema{"page": str, "date": moment}

// checkContact checks the body of an identify call.
func checkContact(o object) error {
	if err := o.check(contactKeys, scalar, "userId"); err != nil {
		return err
	}
	attributes := 0
	for _, key := range o.keys {
		if _, own := contactKeys[key]; !own {
			attributes++
		}
	}
	if attributes > maxAttributes {
		return fmt.Errorf("%d custom attributes in one call, at most %d are allowed", attributes, maxAttributes)
	}
	if view, ok := o.values["lastPageView"].(object); ok {
		if err := view.check(pageViewKeys, unknown); err != nil {
			return fmt.Errorf("lastPageView: %w", err)
		}
	}
	return nil
}

// merge applies a checked identify call: only what was sent changes.
func (s *Sandbox) merge(o object, keepActivity bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().UTC()
	id := o.values["userId"].(string)
	c := s.contacts[id]
	if c == nil {
		c = &Contact{UserID: id, Fields: make(map[string]any), Attributes: make(map[string]any), CreatedAt: now}
		s.contacts[id] = c
	}
	for key, v := range o.values {
		switch _, own := contactKeys[key]; {
		case key == "userId":
		case own:
			c.Fields[key] = plain(v)
		case v == nil:
			delete(c.Attributes, key)
		default:
			c.Attributes[key] = v
		}
	}
	if t, ok := toTime(o.values["createdAt"]); ok {
		c.CreatedAt = t
	}
	if t, ok := toTime(o.values["lastActivity"]); ok {
		c.LastActivity = t
	} else if !keepActivity {
		c.LastActivity = now
	}
	c.Identified++
	s.counts.Identify++
}
