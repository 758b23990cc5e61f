package app

import (
	"context"

	"gleapsync/internal/console"
	"gleapsync/internal/inspect"
	"gleapsync/state"
)

type inspectContactCmd struct {
	ID      string   `arg:"" help:"User id."`
	Key     []string `help:"Show this audience or trait, or those whose keys match; may be repeated." placeholder:"KEY|PATTERN"`
	All     bool     `help:"Show all audiences and traits, also those that say nothing of the contact."`
	History bool     `help:"Show all that Gleap was told, not only the last of it, as far as the log of deliveries has it."`
}

// Run shows all that is known of a contact.
func (c *inspectContactCmd) Run(ctx context.Context, a *App) error {
	return answer(a, func(v *inspect.View) (inspect.Contact, error) { return v.Asked(ctx, c.ID, c.Key) }, func(w console.Out, contact inspect.Contact) {
		console.Contact(w, contact, c.All || len(c.Key) > 0, c.History)
	})
}

type inspectForgottenCmd struct {
	ID string `arg:"" optional:"" help:"User id; without one all that were forgotten, by their hashes."`
}

// Run shows which contacts were forgotten, or whether one was.
func (c *inspectForgottenCmd) Run(a *App) error {
	if c.ID != "" {
		return answer(a, func(v *inspect.View) (inspect.Forgotten, error) { return v.Forgotten(c.ID) }, console.ForgottenContact)
	}
	return answer(a, func(v *inspect.View) ([]state.ForgottenContact, error) { return v.AllForgotten() }, console.AllForgotten)
}
