package app

import (
	"context"
	"io"

	"gleapsync/internal/console"
	"gleapsync/internal/starter"
)

// Init writes a configuration for the exports in a folder, for a project or, if that is
// "", for one with the name of the configuration's folder.
func (a *App) Init(ctx context.Context, folder, project string) error {
	result, err := starter.Write(ctx, starter.Options{Folder: folder, Config: a.o.Config, Project: project})
	if err != nil {
		return err
	}
	return a.print(result, func(w io.Writer) { console.Started(w, result) })
}
