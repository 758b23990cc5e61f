package app

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// confirmFlags are the flags of commands that cannot be undone.
type confirmFlags struct {
	Yes bool `help:"Do not ask. Without a terminal nobody is asked either." short:"y"`
}

// confirm asks on a terminal whether something that cannot be undone is to be done. A script
// has said so by calling the command.
func (f confirmFlags) confirm(a *App, question string) error {
	if f.Yes || !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	a.Close()
	fmt.Fprintf(os.Stderr, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was done")
}
