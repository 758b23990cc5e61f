//go:build unix

package engage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestChangeRows reads rows of a command, in each form of text.
func TestChangeRows(t *testing.T) {
	const header = "id,user_id,received_at,timestamp,vip,total_orders\n"
	for _, test := range []struct{ name, text, want, newest string }{
		{"what is blank says nothing", header + "1,u1,2026-02-01 08:00:00,2026-02-01T07:00:00Z,true,\n2,u2,2026-02-01 09:00:00,2026-02-01T07:30:00Z,,7\n3,u3,,2026-02-01T07:30:00Z,f,\n",
			"u1 07:00 vip=true, u2 07:30 total_orders=7, u3 07:30 vip=false", "09:00"},
		{"other spellings", strings.ToUpper(header) + "1,u1,2026-02-01 08:00:00,2026-02-01T07:00:00Z,true,5\n", "u1 07:00 vip=true, u1 07:00 total_orders=5", "08:00"},
		{"no time of its own", "user_id,received_at,vip,total_orders\nu1,2026-02-01 08:00:00,true,\n", "u1 08:00 vip=true", "08:00"},
		{"one that is ahead", header + "1,u1,2099-02-01 08:00:00,2026-02-01T07:00:00Z,true,\n", "u1 07:00 vip=true", "00:00"},
		{"JSON", `{"user_id":"u1","received_at":"2026-02-01T08:00:00Z","vip":true,"total_orders":null}` + "\n" + `{"user_id":2,"received_at":"2026-02-01T08:10:00Z","total_orders":"7"}` + "\n",
			"u1 08:00 vip=true, 2 08:10 total_orders=7", "08:10"},
		{"nothing", "", "", "00:00"},
		{"no rows", header, "", "00:00"},
		{"a value that is none", header + "1,u1,2026-02-01 08:00:00,2026-02-01T07:00:00Z,maybe,7\n", "u1 07:00 total_orders=7, 1 invalid", "08:00"},
		{"nobody", header + "1,,2026-02-01 08:00:00,2026-02-01T07:00:00Z,true,7\n", "1 without", "08:00"},
		{"a broken row", header + "1,u1,2026-02-01 08:00:00,2026-02-01T07:00:00Z,true,7\n1,2,3\n", "u1 07:00 vip=true, u1 07:00 total_orders=7, 1 invalid", "08:00"},
		{"no cursor", "user_id,timestamp,vip,total_orders\nu1,2026-02-01,true,\n", `there is no column "received_at": name it with cursor`, ""},
		{"no times in it", header + "1,u1,17th,2026-02-01T07:00:00Z,true,\n", "no row has a time in received_at", ""},
		{"twice", "user_id,received_at,vip,vip\nu1,2026-02-01,true,\n", `nobody can tell which column is meant`, ""},
		{"cut off", header + "1,u1,2026-02-01 08:00:00,2026-02-01T07", "ends", ""},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "2026-01-31T23:00:00Z"), []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		source, err := Export{
			Source: "cat", Dir: dir, Command: []string{"cat", SinceVariable}, Changes: true, Cursor: "received_at",
			Attributes: []Attribute{{Kind: Audience, Key: "vip", Name: "vip", Column: "vip"}, {Kind: Trait, Key: "total_orders", Name: "total_orders", Column: "total_orders"}},
			Since:      time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC),
		}.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if test.newest == "" || test.name == "nothing" {
			source.export.Since = time.Time{}
		}
		var all []string
		result, err := source.ReadChanges(t.Context(), func(c *Change) error {
			all = append(all, fmt.Sprintf("%s %s %s=%s", c.UserID, time.Unix(0, c.At).UTC().Format("15:04"), "KEY"+fmt.Sprint(c.Computation), c.Value.AppendJSON(nil)))
			return nil
		})
		for i := range all {
			for n, c := range result.Computations {
				all[i] = strings.ReplaceAll(strings.ReplaceAll(all[i], fmt.Sprint("KEY", n), c.Attribute.Key), `"`, "")
			}
		}
		if result.Invalid > 0 {
			all = append(all, fmt.Sprint(result.Invalid, " invalid"))
		}
		if result.WithoutUserID > 0 {
			all = append(all, fmt.Sprint(result.WithoutUserID, " without"))
		}
		switch got := strings.Join(all, ", "); {
		case test.newest == "":
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %s", test.name, err, test.want)
			}
		case err != nil || got != test.want || result.Newest.Format("15:04") != test.newest:
			t.Errorf("%s: %s up to %s, want %s up to %s (%v)", test.name, got, result.Newest, test.want, test.newest, err)
		}
	}
}
