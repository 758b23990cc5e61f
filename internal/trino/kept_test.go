package trino

import (
	"fmt"
	"strings"
	"testing"
)

// TestKept: what was kept is read only if each column has the type that it was to be kept with.
func TestKept(t *testing.T) {
	for _, test := range []struct {
		kind, is string
		ok       bool
	}{
		{"boolean", "boolean", true}, {"date", "date", true}, {"decimal(10,2)", "decimal(10,2)", true},
		{"varchar(20)", "varchar", true}, {"varchar", "varchar(65535)", true}, {"json", "varchar", true}, {"timestamp(9)", "varchar", true},
		{"date", "timestamp(0)", false}, {"real", "double", false}, {"decimal(10,2)", "decimal(10,0)", false}, {"decimal(10,2)", "decimal", false},
		{"json", "json", false}, {"timestamp(9)", "timestamp(6)", false}, {"varchar", "char(20)", false},
	} {
		f := &fake{t: t, answers: []answer{pageOf(-1, "FINISHED", fmt.Sprintf(`"columns":[{"name":"x","type":%q}],`, test.is))}}
		target, _ := parse("trino://reader@db/lake/s")
		q := Query{Address: "trino://reader@db/lake/s", SQL: "SELECT x FROM kept", Types: []string{test.kind}}
		d := &database{Query: q, clean: func(s string) string { return s }, client: newClient(target, "", q.Timeout, f)}
		rows, err := d.open(t.Context())
		if err == nil {
			rows.Close()
		}
		if (err == nil) != test.ok || err != nil && !strings.Contains(err.Error(), test.is) {
			t.Errorf("%s kept as %s: %v", test.kind, test.is, err)
		}
	}
}
