package human

import (
	"slices"
	"strings"
	"unicode"
)

// Argument writes a path as a shell takes it.
func Argument(path string) string {
	if !strings.ContainsFunc(path, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("/._-+=:@%,", c)
	}) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// Commands has the commands in a text name a configuration file, so that they can be pasted; ""
// leaves the text as it is.
func Commands(text, config string) string {
	if config == "" {
		return text
	}
	config = Argument(config)
	const program = "gleapsync "
	parts := strings.Split(text, program)
	for i, part := range parts[1:] {
		end := strings.IndexFunc(part, func(c rune) bool { return !unicode.IsLetter(c) })
		if end < 0 {
			end = len(part)
		}
		if slices.Contains(configured, part[:end]) && !strings.HasPrefix(part[end:], " --config") {
			parts[i+1] = part[:end] + " --config " + config + part[end:]
		}
	}
	return strings.Join(parts, program)
}

// configured are the commands that read a configuration.
var configured = []string{
	"backup", "baseline", "check", "compact", "discard", "forget", "inspect", "plan", "report", "resend", "restore", "retire", "retry",
	"serve", "sync", "verify",
}
