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
)

// workload is a set of exports of two days.
type workload struct {
	name     string
	contacts int
	shares   []float64 // of the contacts, for each audience; nil: one wide table
	wide     [2]int    // of a wide table: how many audiences and traits
	parquet  bool      // the wide table is a Parquet file, else CSV
	shuffled bool      // the rows are in no order, else in that of the user ids
}

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

// isWide reports whether the workload is a table that is mostly cells.
func (w *workload) isWide() bool { return w.wide[0]+w.wide[1] >= 100 }

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

// days are the folders of a workload's exports.
var days = [2]string{"day1", "day2"}

// write writes the exports into dir and returns how many rows the second day has, and
// what changed.
func (w *workload) write(dir string) (rows int, c changes, err error) {
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
		return w.writeTable(dir, ids)
	}
	changed := make([]bool, len(ids))
	for j, share := range w.shares {
		key := fmt.Sprintf("audience_%02d", j)
		files, err := createBoth(dir, key+".csv", "key,user_id,email\n")
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
			if before {
				files[0].Write(row)
			}
			if after {
				files[1].Write(row)
				rows++
			}
		}
		if err := closeBoth(files); err != nil {
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
func (w *workload) writeTable(dir string, ids []uint64) (rows int, c changes, err error) {
	audiences, traits := w.attributes()
	keys := slices.Concat(audiences, traits)
	header := "user_id"
	for _, key := range keys {
		header += "," + key
	}
	files, err := createBoth(dir, "table.csv", header+"\n")
	if err != nil {
		return 0, c, err
	}
	for _, id := range ids {
		changed := -1
		if uniform(id, 1000) < churn {
			changed = int(mix(id+1) % uint64(len(keys)))
			c.contacts++
			c.add(userID(id), keys[changed], w.wideValue(id, changed, true))
		}
		for day, file := range files {
			file.WriteString(userID(id))
			for column := range keys {
				file.WriteByte(',')
				file.WriteString(w.wideValue(id, column, day == 1 && column == changed))
			}
			file.WriteByte('\n')
		}
	}
	if err := closeBoth(files); err != nil || !w.parquet {
		return len(ids), c, err
	}
	return len(ids), c, w.toParquet(dir)
}

var colours = []string{"amber", "black", "coral", "denim", "ebony", "green", "ivory", "khaki"}

// kindsOfTraits is after how many traits their kinds of values come again.
const kindsOfTraits = 8

// wideValue returns a cell of the table.
func (w *workload) wideValue(id uint64, column int, changed bool) string {
	u := mix(id + uint64(column)*7919)
	next := uint64(0)
	if changed {
		next = 1
	}
	if column < w.wide[0] {
		share := tenAudiences[column%len(tenAudiences)]
		return strconv.FormatBool((uniform(id, column) < share) != changed)
	}
	switch trait := (column - w.wide[0]) % kindsOfTraits; {
	case trait < 4: // whole numbers
		return strconv.FormatUint(u%1000+next, 10)
	case trait < 6: // amounts
		return fmt.Sprintf("%d.%d5", u%5000+next, u%9+1)
	default:
		return colours[(u+next)%uint64(len(colours))]
	}
}

type file struct {
	*bufio.Writer
	f *os.File
}

func createBoth(dir, name, header string) (files [2]file, err error) {
	for i, day := range days {
		f, err := os.Create(filepath.Join(dir, day, name))
		if err != nil {
			return files, err
		}
		files[i] = file{bufio.NewWriterSize(f, 1<<20), f}
		files[i].WriteString(header)
	}
	return files, nil
}

func closeBoth(files [2]file) error {
	return errors.Join(files[0].Flush(), files[0].f.Close(), files[1].Flush(), files[1].f.Close())
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
