// Package nearest finds the word that somebody meant who mistyped it.
package nearest

import (
	"fmt"
	"strings"
)

// Hint is what an error about an unknown word ends with: the word of those known that is
// nearest to it, "" if none is near.
func Hint(word string, known []string) string {
	if w := Word(word, known); w != "" {
		return fmt.Sprintf(": did you mean %q?", w)
	}
	return ""
}

// Word returns the word of those known that is nearest to a word, "" if none is near: it
// begins with the word, differs in a third of its letters at most, or has the word within it.
func Word(word string, known []string) string {
	if begun := shortest(word, known, strings.HasPrefix); begun != "" {
		return begun
	}
	least, found := 1+max(1, len(word)/3), ""
	for _, w := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(w)); d < least {
			least, found = d, w
		}
	}
	if found != "" {
		return found
	}
	return shortest(word, known, strings.Contains)
}

// shortest returns the shortest word that a word of some letters is a part of, "" if none is.
func shortest(word string, known []string, isPart func(s, part string) bool) (found string) {
	for _, w := range known {
		if len(word) >= 3 && isPart(w, word) && (found == "" || len(w) < len(found)) {
			found = w
		}
	}
	return found
}

// distance counts the letters that are wrong, missing, too many, or in each other's place.
func distance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := []int{i + 1}
		for j := range len(b) {
			d := min(last[j+1], row[j]) + 1
			if a[i] == b[j] {
				d = min(d, last[j])
			} else {
				d = min(d, last[j]+1)
			}
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			row = append(row, d)
		}
		before, last = last, row
	}
	return last[len(b)]
}
