// Package forms remembers in which forms contacts were told booleans.
//
// The state has booleans as booleans, whatever form they go out in. After a change of the
// form a contact that does not change keeps the old one, and filters in Gleap miss it. So
// the state remembers which forms contacts were told, each with the number of the last full
// resync in which it was: a later one that is complete told all contacts again.
package forms

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gleapsync/gleap"
	"gleapsync/state"
)

// forms are the forms in which contacts were told booleans, each with the last epoch.
type forms map[string]uint64

// formsOf returns the forms of a state. Earlier versions, which stored none, sent booleans.
func formsOf(o state.Overview) (forms, error) {
	f := forms{}
	if o.Booleans == nil {
		if slices.ContainsFunc(o.Attributes, func(a state.Attribute) bool { return a.Members > 0 }) {
			f[gleap.AsBoolean.String()] = o.Epoch
		}
		return f, nil
	}
	if err := json.Unmarshal(o.Booleans, &f); err != nil {
		return nil, fmt.Errorf("the forms of booleans cannot be decoded: %w", err)
	}
	return f, nil
}

// Notes says whether contacts keep booleans in a form that is not the present one, although
// the resync of that epoch is complete.
func Notes(o state.Overview, epoch uint64, present gleap.BooleanAs) ([]string, error) {
	all, err := formsOf(o)
	if err != nil {
		return nil, err
	}
	var old []string
	for _, form := range slices.Sorted(maps.Keys(all)) {
		if form != present.String() && all[form] >= epoch {
			old = append(old, fmt.Sprintf("%q", form))
		}
	}
	if old == nil {
		return nil, nil
	}
	return []string{fmt.Sprintf("boolean_as is %q now, and contacts that do not change keep what they were told as %s: run gleapsync sync --full once to tell all of them again",
		present, strings.Join(old, " and "))}, nil
}

// Told stores that contacts are told booleans in the present form, if the state does not say
// so yet. Booleans alone need not be said.
func Told(o state.Overview, epoch uint64, present gleap.BooleanAs, store func([]byte) error) error {
	all, err := formsOf(o)
	epoch = max(epoch, o.Epoch)
	if err != nil || all[present.String()] >= epoch || o.Booleans == nil && present == gleap.AsBoolean {
		return err
	}
	all[present.String()] = epoch
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return store(text)
}
