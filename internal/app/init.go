package app

import (
	"context"
	"io"

	"gleapsync/internal/console"
	"gleapsync/internal/starter"
)

type initCmd struct {
	Place   string   `arg:"" optional:"" default:"." help:"Where the exports are: a folder, which is looked at with those in it, a database such as postgres://user@host/db, or s3://bucket/folder."`
	Project string   `help:"Name of the Gleap project; if left out, that of the configuration's folder." placeholder:"NAME"`
	Table   []string `help:"Of a database this table or view only, as schema.name, in which * stands for any characters; may be repeated." placeholder:"TABLE" sep:"none"`
	UserID  string   `help:"Column with the user ids; user_id, userId or external_ids if left out." placeholder:"COLUMN"`
}

// Run writes a configuration for the exports in a place.
func (c *initCmd) Run(ctx context.Context, a *App) error {
	if err := a.ofOne(); err != nil {
		return err
	}
	result, err := starter.Write(ctx, starter.Options{Place: c.Place, Config: a.flags.Config, Project: c.Project, Tables: c.Table, UserID: c.UserID})
	if err != nil {
		return err
	}
	return a.print(result, func(w io.Writer) { console.Started(w, result) })
}
