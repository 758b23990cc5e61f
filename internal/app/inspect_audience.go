package app

import (
	"encoding/json"
	"fmt"
	"io"

	"gleapsync/internal/console"
	"gleapsync/internal/human"
	"gleapsync/internal/inspect"
)

type inspectAudienceCmd struct {
	Key     string `arg:"" help:"Key of the audience or trait."`
	Members bool   `help:"List the user ids."`
}

// Run shows one audience or trait, with its members if asked for.
func (c *inspectAudienceCmd) Run(a *App) error {
	ask := func(v *inspect.View) (inspect.Attribute, error) { return v.Attribute(c.Key) }
	if !c.Members {
		return answer(a, ask, func(w console.Out, s inspect.Attribute) { console.Attributes(w, []inspect.Attribute{s}) })
	}
	v, err := a.view()
	if err != nil {
		return err
	}
	summary, err := ask(v)
	if err != nil {
		return err
	}
	a.Close()
	if a.asJSON() {
		return writeMembers(a.out, v, summary)
	}
	return v.Members(c.Key, func(userID string) error {
		_, err := fmt.Fprintln(a.out, human.Printable(userID))
		return err
	})
}

// writeMembers writes an audience with its members as JSON, one by one: there may be
// millions.
func writeMembers(w io.Writer, v *inspect.View, summary inspect.Attribute) error {
	head, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s,\"user_ids\":[", head[:len(head)-1]); err != nil {
		return err
	}
	separator := "\n"
	if err := v.Members(summary.Key, func(userID string) error {
		text, err := json.Marshal(userID)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s%s", separator, text)
		separator = ",\n"
		return err
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, "\n]}")
	return err
}
