package deliveries

import (
	"encoding/json"
	"time"

	"gleapsync/internal/runs"
)

// Delivery is one call that Gleap acknowledged.
type Delivery struct {
	At     time.Time                  `json:"at"`
	Run    string                     `json:"run"`
	Call   int                        `json:"call"` // its number in the run, from 1
	UserID string                     `json:"user_id"`
	Class  runs.Class                 `json:"class"`
	Set    map[string]json.RawMessage `json:"set"`    // what Gleap was told, by key
	Was    map[string]json.RawMessage `json:"was"`    // what it had been told before, by key; nothing of a key: it had not
	Fields []string                   `json:"fields"` // contact fields, by Gleap's names
}
