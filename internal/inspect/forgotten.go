package inspect

import (
	"fmt"
	"slices"

	"gleapsync/state"
)

// Forgotten is a contact that was forgotten.
type Forgotten struct {
	UserID string `json:"user_id"`
	state.ForgottenContact
	Owed bool `json:"deletion_owed,omitempty"` // Gleap may still have it
}

// AllForgotten returns the contacts that were forgotten, the latest first.
func (v *View) AllForgotten() ([]state.ForgottenContact, error) {
	f, err := v.store.Forgotten()
	if err != nil {
		return nil, err
	}
	return f.All(), nil
}

// Forgotten returns when a contact was forgotten, or [state.ErrNotFound].
func (v *View) Forgotten(userID string) (Forgotten, error) {
	f, err := v.store.Forgotten()
	if err != nil {
		return Forgotten{}, err
	}
	found, ok := f.Find([]byte(userID))
	if !ok {
		return Forgotten{}, fmt.Errorf("the contact %q was not forgotten: %w", userID, state.ErrNotFound)
	}
	return Forgotten{userID, found, slices.Contains(f.Owed, userID)}, nil
}

func (v *View) addForgotten(c *Contact) error {
	f, err := v.Forgotten(c.UserID)
	c.ForgottenAt, c.Owed = f.At, f.Owed
	return err
}
