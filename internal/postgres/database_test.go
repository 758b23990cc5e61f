package postgres

import (
	"strings"
	"testing"
)

func TestCutPassword(t *testing.T) {
	for source, want := range map[string]string{
		"postgres://reader@db:5432/warehouse?sslmode=verify-full": "postgres://reader@db:5432/warehouse?sslmode=verify-full ",
		"postgresql://reader:se%2Fcret@db/warehouse":              "postgresql://reader@db/warehouse se/cret",
		"redshift://reader:a@b:c@db:5439/dev":                     "redshift://reader@db:5439/dev a@b:c",
		"postgres:///warehouse?host=/var/run/postgresql":          "postgres:///warehouse?host=/var/run/postgresql ",
	} {
		shown, password, err := CutPassword(source)
		if got := shown + " " + string(password); got != want || err != nil {
			t.Errorf("%s: %q, %v", source, got, err)
		}
	}
	for _, source := range []string{
		"postgres://u:12/SECRET@db/x", "postgres://u:SECRET/x@db/x", "postgres://u:12#SECRET@db/x", "postgres://u:12?SECRET@db/x",
		"postgres://u:1%zzSECRET@db/x", "postgres://u@db/x?password=SECRET", "postgres://u@db/x?sslpassword=SECRET",
	} {
		shown, password, err := CutPassword(source)
		if err == nil || strings.Contains(err.Error(), "SECRET") || shown+string(password) != "" {
			t.Errorf("%s: %q %q: %v", source, shown, string(password), err)
		}
	}
}
