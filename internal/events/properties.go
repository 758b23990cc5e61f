package events

import (
	"encoding/json"
	"fmt"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/values"
)

// propertyTypes has the types of the properties of track calls, by event and property. As
// with attributes all values of one have the same: it is decided for all that are read when
// the property comes for the first time, and kept in the state.
type propertyTypes struct {
	known map[string]map[string]values.Type
	fits  map[string]map[string]*values.Fits
	count int
}

// maxPropertyTypes bounds the memory for properties whose names are data. Those above it are
// texts.
const maxPropertyTypes = 10_000

// readPropertyTypes reads what append wrote; nothing if there is none.
func readPropertyTypes(text []byte) (*propertyTypes, error) {
	t := &propertyTypes{known: map[string]map[string]values.Type{}, fits: map[string]map[string]*values.Fits{}}
	if text != nil {
		if err := json.Unmarshal(text, &t.known); err != nil {
			return nil, fmt.Errorf("the types of the events' properties cannot be decoded: %w", err)
		}
	}
	for _, properties := range t.known {
		t.count += len(properties)
	}
	return t, nil
}

// see learns of a value, which convert makes one of the property's type once all are seen. The
// reason says why it cannot be.
func (t *propertyTypes) see(event string, p engage.Property) (reason string) {
	a := engage.Attribute{Kind: engage.Trait, Type: values.Auto, Known: t.known[event][string(p.Name)]}
	var fits *values.Fits
	if a.Known == "" {
		if fits = t.fits[event][string(p.Name)]; fits == nil {
			if t.count == maxPropertyTypes {
				return ""
			}
			if t.fits[event] == nil {
				t.fits[event] = map[string]*values.Fits{}
			}
			fits = new(values.Fits)
			t.fits[event][string(p.Name)] = fits
			t.count++
		}
	}
	if _, reason = a.Value(p.Value, fits); reason != "" && a.Known != "" && a.Known != values.Text {
		reason = fmt.Sprintf("the property came as %s before and the value is none: the event goes without it", a.Known)
	}
	return reason
}

// fork returns types that see an export of their own, so that what one that is held says
// decides nothing.
func (t *propertyTypes) fork() *propertyTypes {
	return &propertyTypes{known: t.known, fits: map[string]map[string]*values.Fits{}, count: t.count}
}

// join adds what a fork saw.
func (t *propertyTypes) join(fork *propertyTypes) {
	for event, properties := range fork.fits {
		if t.fits[event] == nil {
			t.fits[event] = map[string]*values.Fits{}
		}
		for property, fits := range properties {
			if before := t.fits[event][property]; before != nil {
				before.Add(*fits)
			} else if t.count < maxPropertyTypes {
				t.fits[event][property] = fits
				t.count++
			}
		}
	}
}

// decide decides the types of the properties that are new.
func (t *propertyTypes) decide() {
	for event, properties := range t.fits {
		for property, fits := range properties {
			if typ := fits.Type(); typ != "" {
				if t.known[event] == nil {
					t.known[event] = map[string]values.Type{}
				}
				t.known[event][property] = typ
			}
		}
	}
	clear(t.fits)
}

// convert makes a value of its property's type, None if it says nothing.
func (t *propertyTypes) convert(event, property string, said attr.Value) attr.Value {
	typ := t.known[event][property]
	if typ == "" && t.count >= maxPropertyTypes {
		typ = values.Text
	}
	v, _ := values.Convert(typ, said)
	return v
}

// append returns the types as the state keeps them.
func (t *propertyTypes) append() []byte {
	text, err := json.Marshal(t.known)
	if err != nil { // texts always marshal
		panic(err)
	}
	return text
}
