package parquet

import "sync/atomic"

// mostEntries is how many texts of dictionaries are kept, of all columns of a file together. What a
// dictionary has beyond that is made again for each row.
const mostEntries = 1 << 19

// dictionary has the values of a row group's column that stand in rows as their numbers. What is
// made of all of them, texts or hashes, is kept if there is room.
type dictionary struct {
	values
	unpacked []byte        // its page
	room     *atomic.Int64 // see mostEntries

	looked bool   // there is room, or none
	taken  int64  // of room
	texts  *Texts // nil: there is no room for them
	hashes []sum  // none: there is no room for them
}

func newDictionary(t valueType) dictionary { return dictionary{values: newValues(t)} }

// end gives back what the present row group needed.
func (d *dictionary) end() {
	if d.taken > 0 {
		d.room.Add(d.taken)
	}
	d.count, d.looked, d.taken, d.texts, d.hashes = 0, false, 0, nil, d.hashes[:0]
}

// takeRoom takes room for the entries at their first use, if there is as much.
func (d *dictionary) takeRoom() bool {
	if d.looked {
		return false
	}
	d.looked = true
	entries := int64(d.count)
	if d.room.Add(-entries) < 0 {
		d.room.Add(entries)
		return false
	}
	d.taken = entries
	return true
}

// asTexts returns what is to be read of the entries, nil if there is no room for that.
func (d *dictionary) asTexts(as valueText) *Texts {
	if d.takeRoom() {
		d.texts = &Texts{IsDictionary: true, ends: make([]int, 0, d.count)}
		for i := range d.count {
			d.texts.add(as, d.value(i))
		}
	}
	return d.texts
}

// asHashes returns the hashes of the entries, none if there is no room for them.
func (d *dictionary) asHashes(s salt) []sum {
	if d.takeRoom() {
		for i := range d.count {
			d.hashes = append(d.hashes, s.value(&d.values, i))
		}
	}
	return d.hashes
}
