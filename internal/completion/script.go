package completion

import (
	_ "embed"
	"fmt"
)

//go:embed script.bash
var bash string

//go:embed script.zsh
var zsh string

//go:embed script.fish
var fish string

// Script returns what a shell has to read to complete the command line: bash, zsh or
// fish.
func Script(shell string) (string, error) {
	switch shell {
	case "bash":
		return bash, nil
	case "zsh":
		return zsh, nil
	case "fish":
		return fish, nil
	}
	return "", fmt.Errorf("there is no completion for the shell %q: it is for bash, zsh and fish", shell)
}
