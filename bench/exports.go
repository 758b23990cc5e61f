package main

import (
	"bufio"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// workload is a set of exports of two days.
type workload struct {
	name     string
	contacts int
	shares   []float64 // of the contacts, for each audience; nil: one wide table
	wide     [2]int    // of a wide table: how many audiences and traits
	parquet  bool      // the wide table is a Parquet file, else CSV
	shuffled bool      // the rows are in no order, else in that of the user ids
	stamped  bool      // a last column of the wide table, changed_on, has the day of the row's last change

	duckDB, shell, first goal // of the wall time, as a share of theirs; first is of DuckDB's load
	perRow               goal // of the plan, as a share of that of the workload in smaller
	smaller              string
	alone                bool // gleapsync only, and one day's files at a time
}

// goal is what a figure must not be above, and what it should come to.
type goal struct{ limit, aim float64 }

const (
	seed  = 20261124
	churn = 0.01 // of an audience's members leave and as many enter; of a table's rows change
)

// tenAudiences have from 50 % to 2 % of all contacts: 1.5 rows a contact.
var tenAudiences = []float64{.50, .30, .20, .15, .10, .08, .06, .05, .04, .02}

func equalAudiences(n int, share float64) []float64 { return slices.Repeat([]float64{share}, n) }

// changes is what differs between the two days: how many contacts, how many values, and
// a sum over all of them that does not depend on their order.
type changes struct {
	contacts, values int
	sum              uint64
}

func (c *changes) add(userID, key, value string) {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%s", userID, key, value)
	c.values++
	c.sum += mix(h.Sum64())
}

// attributes returns the keys of the workload's audiences and traits.
func (w *workload) attributes() (audiences, traits []string) {
	if w.shares != nil {
		for i := range w.shares {
			audiences = append(audiences, fmt.Sprintf("audience_%02d", i))
		}
		return audiences, nil
	}
	for i := range w.wide[0] {
		audiences = append(audiences, fmt.Sprintf("audience_%02d", i))
	}
	for i := range w.wide[1] {
		traits = append(traits, fmt.Sprintf("trait_%02d", i))
	}
	return audiences, traits
}

const firstDay, secondDay = "day1", "day2" // the folders of a workload's exports

// write writes the exports of some days into dir and returns how many rows the last one has,
// and what changed.
func (w *workload) write(dir string, days ...string) (rows int, c changes, err error) {
	for _, day := range days {
		if err := os.MkdirAll(filepath.Join(dir, day), 0o700); err != nil {
			return 0, c, err
		}
	}
	ids := make([]uint64, w.contacts)
	for i := range ids {
		ids[i] = mix(seed + uint64(i))
	}
	if !w.shuffled {
		slices.Sort(ids)
	}
	if w.shares == nil {
		return w.writeTable(dir, ids, days)
	}
	changed := make([]bool, len(ids))
	for j, share := range w.shares {
		key := fmt.Sprintf("audience_%02d", j)
		files, err := create(dir, days, key+".csv", "key,user_id,email\n")
		if err != nil {
			return 0, c, err
		}
		var row []byte
		for i, id := range ids {
			before := uniform(id, 2*j) < share
			after := before
			if u := uniform(id, 2*j+1); before && u < churn && share < 1 || !before && u < churn*share/(1-share) {
				after = !before
				c.add(userID(id), key, strconv.FormatBool(after))
				changed[i] = true
			}
			row = append(row[:0], "use_"...)
			row = appendHex(row, mix(id), 10)
			row = append(row, ',')
			row = appendUserID(row, id)
			row = append(row, ',')
			row = appendHex(row, id, 8)
			row = append(row, ".a@example.com\n"...)
			for i, is := range []bool{before, after} {
				if is {
					files[i].Write(row)
				}
			}
			if after {
				rows++
			}
		}
		if err := closeAll(files); err != nil {
			return 0, c, err
		}
	}
	for _, is := range changed {
		if is {
			c.contacts++
		}
	}
	return rows, c, nil
}

// writeTable writes one row per contact, with a column per audience and trait.
func (w *workload) writeTable(dir string, ids []uint64, days []string) (rows int, c changes, err error) {
	audiences, traits := w.attributes()
	keys := slices.Concat(audiences, traits)
	header := append([]string{"user_id"}, keys...)
	if w.stamped {
		header = append(header, "changed_on")
	}
	files, err := create(dir, days, "table.csv", strings.Join(header, ",")+"\n")
	if err != nil {
		return 0, c, err
	}
	var row []byte
	for _, id := range ids {
		changed := w.changedColumn(id)
		if changed >= 0 {
			c.contacts++
			c.add(userID(id), keys[changed], string(w.appendCell(nil, id, changed, true)))
		}
		for i, file := range files {
			second := days[i] == secondDay && changed >= 0
			if i == 0 || second {
				row = w.appendRow(row[:0], id, len(keys), changed, second)
			}
			file.Write(row)
		}
	}
	if err := closeAll(files); err != nil || !w.parquet {
		return len(ids), c, err
	}
	return len(ids), c, w.toParquet(dir)
}

// changedColumn returns which cell of a row changes on the second day; -1: none.
func (w *workload) changedColumn(id uint64) int {
	if uniform(id, 1000) >= churn {
		return -1
	}
	return int(mix(id+1) % uint64(w.wide[0]+w.wide[1]))
}

// appendRow appends a line of the table: that of the second day, if it is another one then.
func (w *workload) appendRow(dst []byte, id uint64, columns, changed int, second bool) []byte {
	dst = appendUserID(dst, id)
	for column := range columns {
		dst = w.appendCell(append(dst, ','), id, column, second && column == changed)
	}
	if w.stamped {
		dst = append(dst, ",1"...)
		if second {
			dst[len(dst)-1] = '2'
		}
	}
	return append(dst, '\n')
}

var colours = []string{"amber", "black", "coral", "denim", "ebony", "green", "ivory", "khaki"}

// kindsOfTraits is after how many traits their kinds of values come again.
const kindsOfTraits = 8

// appendCell appends a cell of the table.
func (w *workload) appendCell(dst []byte, id uint64, column int, changed bool) []byte {
	u := mix(id + uint64(column)*7919)
	next := uint64(0)
	if changed {
		next = 1
	}
	if column < w.wide[0] {
		share := tenAudiences[column%len(tenAudiences)]
		return strconv.AppendBool(dst, (uniform(id, column) < share) != changed)
	}
	switch trait := (column - w.wide[0]) % kindsOfTraits; {
	case trait < 4: // whole numbers
		return strconv.AppendUint(dst, u%1000+next, 10)
	case trait < 6: // amounts
		dst = strconv.AppendUint(dst, u%5000+next, 10)
		return append(dst, '.', byte('0'+u%9+1), '5')
	default:
		return append(dst, colours[(u+next)%uint64(len(colours))]...)
	}
}

type file struct {
	*bufio.Writer
	f *os.File
}

// create creates a file for each day.
func create(dir string, days []string, name, header string) (files []file, err error) {
	for _, day := range days {
		f, err := os.Create(filepath.Join(dir, day, name))
		if err != nil {
			return files, err
		}
		files = append(files, file{bufio.NewWriterSize(f, 1<<20), f})
		files[len(files)-1].WriteString(header)
	}
	return files, nil
}

func closeAll(files []file) error {
	var errs []error
	for _, file := range files {
		errs = append(errs, file.Flush(), file.f.Close())
	}
	return errors.Join(errs...)
}

func userID(id uint64) string { return string(appendUserID(nil, id)) }

func appendUserID(dst []byte, id uint64) []byte { return appendHex(append(dst, 'u'), id, 16) }

func appendHex(dst []byte, v uint64, digits int) []byte {
	for i := 15; i > 15-digits; i-- {
		dst = append(dst, "0123456789abcdef"[v>>(4*i)&15])
	}
	return dst
}

// mix is the finaliser of splitmix64: a permutation of all numbers that looks random.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// uniform returns a number from 0 to 1 that depends on id and salt only.
func uniform(id uint64, salt int) float64 {
	return float64(mix(id^mix(uint64(salt)))>>11) / math.Exp2(53)
}
