package inspect

import "gleapsync/state"

// ParkedContact is a contact whose call Gleap refused for good.
type ParkedContact struct {
	UserID string `json:"user_id"`
	state.Parked
}

// Parked returns the parked contacts in the order of their ids.
func (v *View) Parked() ([]ParkedContact, error) {
	parked, err := v.store.Parked()
	all := []ParkedContact{}
	for _, p := range parked {
		all = append(all, ParkedContact{p.UserID, p})
	}
	return all, err
}
