package sync

import (
	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/runs"
)

// classOf returns the class of telling Gleap a value of an attribute where it has another,
// or may have it.
func classOf(a *attribute, has, told attr.Value) runs.Class {
	if a.Applied.At.IsZero() || told.Equal(has) {
		return runs.ClassFirst
	}
	was, is := a.MemberCount(has) > 0, a.MemberCount(told) > 0
	switch {
	case a.Kind == engage.Audience && is:
		return runs.ClassEntry
	case a.Kind == engage.Audience && was:
		return runs.ClassExit
	}
	return runs.ClassChange
}
