package completion

import (
	"embed"
	"fmt"
)

//go:embed script.bash script.zsh script.fish
var scripts embed.FS

// Script returns what a shell has to read to complete the command line: bash, zsh or
// fish.
func Script(shell string) (string, error) {
	text, err := scripts.ReadFile("script." + shell)
	if err != nil {
		return "", fmt.Errorf("there is no completion for the shell %q: it is for bash, zsh and fish", shell)
	}
	return string(text), nil
}
