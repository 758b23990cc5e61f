package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/human"
	"gleapsync/internal/textfile"
	"gleapsync/internal/userid"
	"gleapsync/state"
	"gleapsync/sync"
)

type forgetCmd struct {
	idFlags
	confirmFlags
	dryFlags
}

// idFlags say which contacts a command is about.
type idFlags struct {
	IDs  []string `arg:"" optional:"" name:"id" help:"User ids."`
	File string   `help:"File with a user id on each line, beside those that are named." placeholder:"PATH" type:"existingfile"`
}

// ids returns the user ids, each once.
func (f idFlags) ids() ([]string, error) {
	all := f.IDs
	if f.File != "" {
		text, err := textfile.Read(f.File)
		if err != nil {
			return nil, err
		}
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			line = strings.TrimRight(line, "\r\n")
			if strings.TrimSpace(line) == "" {
				continue
			}
			if reason := noID(line, n == 1); reason != "" {
				return nil, fmt.Errorf("%s:%d: %s: the file takes one user id a line and nothing else (who is really called that is named behind the command)", f.File, n, reason)
			}
			all = append(all, line)
		}
	}
	if len(all) == 0 {
		return nil, &UsageError{errors.New("no user id is named: write them behind the command, or name a file of them with --file")}
	}
	for _, id := range all {
		if id == "" || len(id) > userid.Max || !utf8.ValidString(id) {
			return nil, &UsageError{fmt.Errorf("a user id has 1 to %d bytes of UTF-8", userid.Max)}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

var header = regexp.MustCompile(`(?i)^user_?id([,;|\t]|$)`)

// noID says what shows that a line of a file is no user id. Whom it means would not be forgotten,
// and nobody would notice.
func noID(line string, first bool) string {
	reason, _ := userid.Check([]byte(line))
	switch {
	case first && header.MatchString(line):
		return "the line is a header"
	case line[0] == '"' && strings.HasSuffix(line, `"`):
		return "the user id is in quotes"
	case line[0] == '<':
		return "the line is HTML or a placeholder"
	case userid.IsNone([]byte(line)):
		return "the line says that there is no user id"
	}
	return reason
}

// Run deletes contacts here and in Gleap.
func (c *forgetCmd) Run(ctx context.Context, a *App) error {
	ids, err := c.ids()
	if err != nil {
		return err
	}
	if c.DryRun {
		cfg, store, err := a.load(ctx)
		if err == nil {
			err = checkGleap(cfg, store, false)
		}
		if err != nil {
			return err
		}
		return c.rehearse(a, store, ids)
	}
	return a.held(ctx, func(ctx context.Context, cfg *config.Config, store *state.Store) error {
		return c.forget(ctx, a, cfg, store, ids)
	})
}

func (c *forgetCmd) forget(ctx context.Context, a *App, cfg *config.Config, store *state.Store, ids []string) error {
	if err := checkGleap(cfg, store, false); err != nil {
		return err
	}
	if err := c.confirm(a, fmt.Sprintf("Delete %s in Gleap and here, and never create them again?", human.Count(len(ids), "contact"))); err != nil {
		return err
	}
	client, _, stop, err := a.client(cfg)
	if err != nil {
		return err
	}
	defer stop()
	f, err := sync.New(cfg.Sync, store, client, a.log, nil).Forget(ctx, ids)
	if f.Forgotten == 0 {
		return err
	}
	return errors.Join(err, a.print(f, func(w io.Writer) { console.Forgotten(w, f) }))
}

// rehearse says whom forget would delete, and deletes nobody.
func (c *forgetCmd) rehearse(a *App, store *state.Store, ids []string) error {
	p, err := sync.PlanForget(store, ids)
	if err != nil {
		return err
	}
	return a.print(p, func(w io.Writer) { console.WouldForget(w, p) })
}
