package completion

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// Question is the hidden command with which a script asks the program. Its arguments are
// the words of the command line behind the program's name, up to the one to complete.
const Question = "__complete"

// What the shell has to do itself.
const (
	files   = ":files"
	folders = ":folders"
)

// Answer writes what the last of words may become: one candidate in a line, a tab and
// what it is for; or the one line ":files" or ":folders". It writes nothing for what it
// does not know. keys returns the keys that a configuration file has.
func Answer(w io.Writer, model *kong.Application, words []string, keys func(config string) []string) {
	if len(words) == 0 {
		return
	}
	last := len(words) - 1
	l := &line{Writer: w, keys: keys, word: words[last], node: model.Node, given: map[string]string{}}
	for _, word := range words[:last] {
		l.read(word)
	}
	l.answer()
}

// line is a command line up to the word that is to be completed.
type line struct {
	io.Writer
	keys func(config string) []string
	word string // to be completed

	node      *kong.Node        // the command so far
	unknown   bool              // the command is none
	arguments int               // how many the command has so far
	given     map[string]string // flags with their last value
	open      *kong.Flag        // its value is next
	noFlags   bool              // there was a --
}

// read takes note of a word before the one that is to be completed.
func (l *line) read(word string) {
	name, value, hasValue := strings.Cut(word, "=")
	switch {
	case l.open != nil:
		l.given[l.open.Name] = word
		l.open = nil
	case l.noFlags || !strings.HasPrefix(word, "-") || word == "-":
		l.readArgument(word)
	case word == "--":
		l.noFlags = true
	default:
		flag := l.flag(name)
		switch {
		case flag == nil:
		case hasValue || flag.IsBool() || flag.IsCounter():
			l.given[flag.Name] = value
		default:
			l.open = flag
		}
	}
}

func (l *line) readArgument(word string) {
	for _, child := range l.node.Children {
		if child.Name == word && l.arguments == 0 {
			l.node = child
			return
		}
	}
	l.unknown = l.unknown || len(l.node.Children) > 0
	l.arguments++
}

// flags returns the flags of the command and of those that it belongs to, the
// command's own first.
func (l *line) flags() []*kong.Flag {
	var all []*kong.Flag
	for node := l.node; node != nil; node = node.Parent {
		all = append(all, node.Flags...)
	}
	return all
}

func (l *line) flag(name string) *kong.Flag {
	for _, flag := range l.flags() {
		if name == "--"+flag.Name || flag.Short != 0 && name == "-"+string(flag.Short) {
			return flag
		}
	}
	return nil
}

func (l *line) answer() {
	name, _, hasValue := strings.Cut(l.word, "=")
	arguments := l.node.Positional
	next := min(l.arguments, len(arguments)-1) // the last may be repeated
	switch {
	case l.open != nil:
		l.offerValues(l.open.Value, l.open.PlaceHolder, "")
	case l.unknown:
	case strings.HasPrefix(l.word, "-") && !l.noFlags:
		if !hasValue {
			l.offerFlags()
		} else if flag := l.flag(name); flag != nil {
			l.offerValues(flag.Value, flag.PlaceHolder, name+"=")
		}
	case len(l.node.Children) > 0:
		for _, child := range l.node.Children {
			if !child.Hidden {
				l.offer(child.Name, child.Help)
			}
		}
	case next >= 0 && (next == l.arguments || arguments[next].IsCumulative()):
		l.offerValues(arguments[next], strings.ToUpper(arguments[next].Name), "")
	case !l.noFlags: // nothing else can follow
		l.offerFlags()
	}
}

func (l *line) offerFlags() {
	for _, flag := range l.flags() {
		if _, given := l.given[flag.Name]; !flag.Hidden && (!given || flag.IsCumulative()) {
			l.offer("--"+flag.Name, flag.Help)
		}
	}
}

// offerValues offers the values of a flag or argument, each behind prefix. what is the
// name of its value.
func (l *line) offerValues(v *kong.Value, what, prefix string) {
	what, _, withLimit := strings.Cut(what, "=")
	what, _, _ = strings.Cut(what, "|") // a pattern nobody can guess
	switch {
	case v.Enum != "":
		for _, value := range v.EnumSlice() {
			if value != "" { // what a flag is that is left out
				l.offer(prefix+value, "")
			}
		}
	case what == "PATH" || what == "FILE":
		fmt.Fprintln(l, files)
	case what == "FOLDER" || what == "PLACE":
		fmt.Fprintln(l, folders)
	case what == "KEY":
		for _, key := range l.keys(l.config()) {
			if withLimit {
				key += "="
			}
			l.offer(prefix+key, "")
		}
	}
}

// offer writes a candidate if the word can become it.
func (l *line) offer(candidate, help string) {
	if strings.HasPrefix(candidate, l.word) {
		fmt.Fprintf(l, "%s\t%s\n", candidate, help)
	}
}

// config returns the path of the configuration that the command line is for.
func (l *line) config() string {
	flag := l.flag("--config")
	if path, ok := l.given["config"]; ok || flag == nil {
		return path
	}
	for _, name := range flag.Envs {
		if path, ok := os.LookupEnv(name); ok {
			return path
		}
	}
	return flag.Default
}
