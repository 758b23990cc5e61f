package engage

import "gleapsync/internal/source"

// Beside returns the files beside those of e that end as they do and that none of the exports
// reads. No file is opened for it.
func (e *Export) Beside(all []*Export) []string {
	var places []source.Place
	for _, other := range all {
		places = append(places, other.place())
		if other.ProfileIDs != nil {
			places = append(places, other.ProfileIDs.place())
		}
	}
	return e.place().Beside(places)
}

// Around returns among which files Beside looks, as a pattern: the same for exports that have the same
// files beside them, "" for those that have none.
func (e *Export) Around() string { return e.place().Around() }

func (e *Export) place() source.Place {
	return source.Place{
		Source: e.Source, Dir: e.Dir, Pick: e.Pick, Loose: e.Changes,
		Command: e.Command, Secrets: e.Secrets, Hidden: e.Hidden, Log: e.Log, Timeout: e.Timeout,
	}
}
