package human

import (
	"strings"
	"unicode"
)

// Commands has the commands in a text name a configuration file, so that they can be pasted; ""
// leaves the text as it is.
func Commands(text, config string) string {
	if config == "" {
		return text
	}
	if strings.ContainsFunc(config, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("/._-+=:@%,", c)
	}) {
		config = "'" + strings.ReplaceAll(config, "'", `'\''`) + "'"
	}
	var pairs []string
	for _, name := range []string{"check", "compact", "discard", "forget", "inspect", "resend", "restore", "retire", "retry", "sync"} {
		command := "gleapsync " + name
		pairs = append(pairs, command, command+" --config "+config)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
