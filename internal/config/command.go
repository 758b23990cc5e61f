package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/inputs"
	"gleapsync/internal/source"
)

// command reads what an export says of a command, which stands in place of its source.
func (l *exportLoader) command(key string, k *exportKeys, e *engage.Export) {
	switch {
	case k.Command == nil:
		if k.Env != nil {
			l.fail(key+".env", errors.New("it is for a command"))
		}
		return
	case k.Source != "":
		l.fail(key+".command", errors.New("source is set too: choose one"))
		return
	case len(k.Command) == 0 || k.Command[0] == "":
		l.fail(key+".command", errors.New(`it takes a program and its arguments, such as ["bq", "query", "…"]`))
		return
	case k.Pick != "":
		l.fail(key+".pick", errors.New("it is for the files of a source, not for a command"))
	}
	e.Hidden = hidden(l.token, k.Env)
	e.Secrets = append(e.Secrets, os.Getenv(l.token))
	for i, arg := range k.Command {
		e.Command = append(e.Command, l.text(fmt.Sprintf("%s.command[%d]", key, i), arg))
		for _, name := range variable.FindAllStringSubmatch(arg, -1) {
			name, _, _ := strings.Cut(name[1], ":-")
			e.Secrets = append(e.Secrets, os.Getenv(name))
		}
	}
	e.Source = source.CommandName(k.Command)
}

// hidden returns the environment variables that are ours alone, except for those that a
// command asks for: that of the API token, and all that begin with GLEAPSYNC_.
func hidden(token string, asked []string) []string {
	var names []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		ours := name == token || strings.HasPrefix(name, "GLEAPSYNC_") && name != "GLEAPSYNC_CONFIG"
		if ours && !slices.Contains(asked, name) {
			names = append(names, name)
		}
	}
	return names
}

// onlyOneStdin checks that not two exports are to read the standard input.
func (l *loader) onlyOneStdin(exports []inputs.Export) {
	n := 0
	for _, e := range exports {
		if e.Source == engage.Stdin {
			n++
		}
	}
	if n > 1 {
		l.errs = append(l.errs, fmt.Errorf("%s: more than one export has source = %q: the standard input can be read once", l.path, engage.Stdin))
	}
}
