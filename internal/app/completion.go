package app

import (
	"io"

	"github.com/alecthomas/kong"

	"gleapsync/internal/completion"
	"gleapsync/internal/config"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: ${enum}."`
}

// Run prints the script.
func (c *completionCmd) Run(a *App) error {
	script, err := completion.Script(c.Shell)
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.out, script)
	return err
}

// completeCmd is what the script asks.
type completeCmd struct {
	Words []string `arg:"" optional:""`
}

// Run answers what the last of the words may become.
func (c *completeCmd) Run(a *App, parsed *kong.Context) error {
	completion.Answer(a.out, parsed.Model, c.Words, config.Keys)
	return nil
}
