package app

import (
	"context"
	"io"

	"gleapsync/internal/console"
	"gleapsync/internal/starter"
)

type initCmd struct {
	Folder  string `arg:"" optional:"" default:"." help:"Where the exports are: the folder and those in it are looked at."`
	Project string `help:"Name of the Gleap project; if left out, that of the configuration's folder." placeholder:"NAME"`
}

// Run writes a configuration for the exports in a folder.
func (c *initCmd) Run(ctx context.Context, a *App) error {
	result, err := starter.Write(ctx, starter.Options{Folder: c.Folder, Config: a.flags.Config, Project: c.Project})
	if err != nil {
		return err
	}
	return a.print(result, func(w io.Writer) { console.Started(w, result) })
}
