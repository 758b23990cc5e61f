package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"gleapsync/engage"
	"gleapsync/internal/console"
	"gleapsync/sync"
)

type forgetCmd struct {
	IDs []string `arg:"" name:"id" help:"User ids."`
}

// Run deletes contacts here and in Gleap.
func (c *forgetCmd) Run(ctx context.Context, a *App) error {
	for _, id := range c.IDs {
		if id == "" || len(id) > engage.MaxUserID || !utf8.ValidString(id) {
			return &UsageError{fmt.Errorf("a user id has 1 to %d bytes of UTF-8", engage.MaxUserID)}
		}
	}
	cfg, store, err := a.load()
	if err != nil {
		return err
	}
	client, _, stop, err := a.client(cfg)
	if err != nil {
		return err
	}
	defer stop()
	f, err := sync.New(cfg.Sync, store, client, a.log, nil).Forget(ctx, c.IDs)
	if f.Forgotten == 0 {
		return err
	}
	return errors.Join(err, a.print(f, func(w io.Writer) { console.Forgotten(w, f) }))
}
