package engage

import (
	"bytes"
	"encoding/json"
	"slices"

	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/keys"
	"gleapsync/internal/userid"
)

// yieldIDs hands the row on for those of its ids that count.
func (r *rowReader) yieldIDs() error {
	switch r.export.Identifiers {
	case FirstID:
		if r.firstID == nil {
			r.firstID = bytes.Clone(r.ids[0])
		}
		return r.yield(r.firstID, r.cells)
	case LastID:
		if len(r.lastID) == 0 {
			r.lastCells = make([]attr.Value, len(r.cells))
		}
		r.lastID, r.lastLine = append(r.lastID[:0], r.ids[len(r.ids)-1]...), r.rows.Line()
		for i, cell := range r.cells {
			if cell.Kind() != attr.None { // what says nothing leaves what was said
				r.lastCells[i] = cell.Clone()
			}
		}
		return nil
	}
	for _, id := range r.ids {
		if err := r.yield(id, r.cells); err != nil {
			return err
		}
	}
	return nil
}

// endProfile closes the profile whose rows were read.
func (r *rowReader) endProfile() error {
	if r.isHead && r.begun { // what is known of it is known elsewhere
		head := r.profileRows.clone()
		r.head, r.isHead, r.profileRows = &head, false, profileRows{}
		return nil
	}
	if !r.hasID {
		r.result.WithoutUserID += r.withoutID
		for _, row := range r.unreadableIDs {
			r.result.unknown(row)
		}
	}
	r.unreadableIDs = r.unreadableIDs[:0]
	var err error
	if len(r.lastID) > 0 {
		err = r.yield(r.lastID, r.lastCells)
	}
	r.hasID, r.withoutID, r.firstID, r.lastID = false, 0, nil, r.lastID[:0]
	return err
}

// readIDs puts the row's user ids into r.ids, and reads its JSON columns as far as they
// are needed. The reason says why external_ids, which may hold one, cannot be read.
func (r *rowCells) readIDs(fields [][]byte) (reason string) {
	r.ids = r.ids[:0]
	for _, i := range r.userIDs {
		if id := userid.Of(r.forms[i], fields[i]); !userid.IsNone(id) {
			r.ids = append(r.ids, id)
		}
	}
	needed := len(r.ids) == 0 && !r.named
	if !needed && !r.anyInJSON {
		return ""
	}
	var sound bool
	if r.jsonIDs, sound = r.readObject(r.jsonIDs, fields, r.external); !sound {
		reason = "external_ids is no JSON object, and no other column holds a user id"
	}
	if needed {
		r.ids = r.appendIDs(r.ids, r.jsonIDs.Get("user_id"))
		if len(r.ids) == 0 && slices.ContainsFunc(r.jsonIDs, func(m jsonscan.Member) bool { return keys.Almost(string(m.Name), "user_id") }) {
			reason = "external_ids has no user_id, and a member whose name is almost that"
		}
	}
	if r.anyInJSON {
		r.jsonTraits, r.traitsSound = r.readObject(r.jsonTraits, fields, r.traits)
	}
	return reason
}

// appendIDs appends the ids of a JSON list or scalar: strings, and numbers with all
// their digits.
func (r *rowCells) appendIDs(ids [][]byte, raw json.RawMessage) [][]byte {
	if len(raw) == 0 {
		return ids
	}
	r.items = jsonscan.Items(r.items[:0], raw)
	for _, item := range r.items {
		if c := item[0]; c != '"' && c != '-' && (c < '0' || c > '9') {
			continue
		}
		if id := userid.Of(cell.JSON, item); !userid.IsNone(id) {
			ids = append(ids, id)
		}
	}
	return ids
}
