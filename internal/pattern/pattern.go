// Package pattern has regular expressions that are compiled when they are first needed: to compile
// all of them takes longer than the start of the program, and most commands need few.
package pattern

import (
	"regexp"
	"sync"
)

// Of returns a function that returns an expression. It panics when it is first called if the text is
// none.
func Of(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
