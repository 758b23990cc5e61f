//go:build unix

// Package ttytest gives a test a terminal, and shows what a person sees on it.
package ttytest

import (
	"bufio"
	"iter"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/creack/pty"
)

// Record gives fn a terminal that is so many columns wide, on which somebody types some keys,
// and returns what was written to it until fn returned.
func Record(t testing.TB, columns int, fn func(tty *os.File), keys ...string) string {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	if _, err := master.WriteString(strings.Join(keys, "")); err != nil {
		t.Fatal(err)
	}
	const end = '\x00' // what is read after the terminal was closed may not be all
	written := make(chan string, 1)
	go func() {
		all, _ := bufio.NewReader(master).ReadString(end)
		written <- strings.TrimSuffix(all, string(end))
	}()
	fn(tty)
	if _, err := tty.WriteString(string(end)); err != nil {
		t.Fatal(err)
	}
	return <-written
}

// Frames plays a recording, and yields all rows of the terminal, with those that it
// scrolled away, whenever the cursor is about to go back to the beginning of its row, and
// at the end. The test fails if the recording does more than write, move the cursor and
// erase: colors, for one.
func Frames(t testing.TB, recording string, columns int) iter.Seq[[]string] {
	return func(yield func(rows []string) bool) {
		t.Helper()
		s := screen{columns: columns, rows: [][]rune{nil}}
		for _, token := range tokens.FindAllString(recording, -1) {
			if token == "\r" && !yield(s.text()) {
				return
			}
			if !s.take(token) {
				t.Fatalf("the terminal was told %q", token)
			}
		}
		yield(s.text())
	}
}

var tokens = regexp.MustCompile(`(?s)\x1b\[[0-9;?]*[A-Za-z]|.`)

// Last returns the rows that a recording leaves.
func Last(t testing.TB, recording string, columns int) (rows []string) {
	t.Helper()
	for rows = range Frames(t, recording, columns) {
	}
	return rows
}

// Bars plays a recording and returns how often a progress bar was on the terminal. The test
// fails if there was ever more than one, or one that is not by itself in the last row.
func Bars(t testing.TB, recording string, columns int) (n int) {
	t.Helper()
	for rows := range Frames(t, recording, columns) {
		for i, row := range rows {
			if !AnyBar.MatchString(row) {
				continue
			}
			if n++; i != len(rows)-1 || !wholeBar.MatchString(row) {
				t.Fatalf("a bar is not by itself in the last row of\n%s", strings.Join(rows, "\n"))
			}
		}
	}
	return n
}

// AnyBar matches what has a bar, or the beginning of one, in it.
var AnyBar = regexp.MustCompile(`\[[#.]+\]|\b(reading|sending|events) [0-9]`)

var wholeBar = regexp.MustCompile(`^(\[[#.]+\] )?(reading|sending|events)( [0-9,]+( of [0-9,]+)?(, [0-9.,]+/s(, [0-9hms]+ left)?)?)?$`)

// screen is a terminal without a bottom.
type screen struct {
	columns     int
	rows        [][]rune
	row, column int
}

// take does what a terminal does with a character or an escape sequence. It returns false
// for one that it does not know.
func (s *screen) take(token string) bool {
	switch token {
	case "\r":
		s.column = 0
	case "\n":
		s.down()
	case "\x1b[A": // up
		s.row = max(0, s.row-1)
	case "\x1b[K": // erase to the end of the row
		s.rows[s.row] = s.rows[s.row][:min(s.column, len(s.rows[s.row]))]
	default:
		r := []rune(token)[0]
		if !unicode.IsPrint(r) {
			return false
		}
		s.write(r)
	}
	return true
}

// write writes r. What is wider than a row goes on in the next one.
func (s *screen) write(r rune) {
	if s.column == s.columns {
		s.down()
		s.column = 0
	}
	for len(s.rows[s.row]) <= s.column {
		s.rows[s.row] = append(s.rows[s.row], ' ')
	}
	s.rows[s.row][s.column] = r
	s.column++
}

func (s *screen) down() {
	if s.row++; s.row == len(s.rows) {
		s.rows = append(s.rows, nil)
	}
}

// text returns the rows without blanks at their ends, and without empty ones at the end.
func (s *screen) text() []string {
	var all []string
	for _, row := range s.rows {
		all = append(all, strings.TrimRight(string(row), " "))
	}
	for len(all) > 0 && all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}
