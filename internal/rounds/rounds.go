// Package rounds says how long the tests are. They have few rounds, so that one waits for
// them; with GLEAPSYNC_TESTS=full in the environment they have all. What a test promises is the
// same in both. Flags such as -kills and -rapid.checks go before.
package rounds

import (
	"flag"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// Full reports whether the tests have all their rounds. It is to be asked in a test: what is
// asked before, go test does not know, and an answer of few rounds that it kept would pass for all.
func Full() bool { return os.Getenv("GLEAPSYNC_TESTS") == "full" }

// Of returns how many rounds a test has.
func Of(few, all int) int {
	if Full() {
		return all
	}
	return few
}

// Beside has a package's tests run beside each other, if they may, more of them than there are
// processors: they wait most of the time. It is to be called by TestMain; -parallel goes before.
func Beside() { _ = flag.Set("test.parallel", "8") }

// CollectLess has the garbage of a package's tests pile up for longer, if they have few rounds. It is
// to be called by TestMain.
func CollectLess() {
	if !Full() {
		debug.SetGCPercent(300)
	}
}

// Check checks a property with random input: 60 times if the tests have all their rounds.
func Check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	once.Do(func() {
		isSet := os.Getenv("RAPID_CHECKS") != ""
		flag.Visit(func(f *flag.Flag) { isSet = isSet || f.Name == "rapid.checks" })
		if !isSet {
			_ = flag.Set("rapid.checks", strconv.Itoa(Of(5, 60)))
		}
	})
	rapid.Check(t, property)
}

var once sync.Once
