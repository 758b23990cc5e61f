package trino

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gleapsync/internal/generation"
)

// A generation lies in a catalog that has fewer types than Trino, and other ones than the export's.
// What is not kept as it is, is kept as the text that is read of it, and is read with the type that
// the export has.

// asTheyAre are the types whose values a catalog keeps as they are, if it has them; decimal has its
// digits behind it, varchar its length.
var asTheyAre = []string{"boolean", "integer", "bigint", "real", "double", "decimal", "date", "varchar"}

// keyTypes are those whose texts a user id may be.
var keyTypes = []string{"tinyint", "smallint", "integer", "bigint", "varchar", "char", "uuid"}

// Export returns what a generation of the rows is taken of, with some columns, of which one has the
// user ids.
func (t *Rows) Export(key int, columns []int) (generation.Export, error) {
	name, kind := quoteName(t.names[key]), nameOf(t.types[key])
	if !slices.Contains(keyTypes, kind) {
		return generation.Export{}, fmt.Errorf("the column %s, which has the user ids, holds neither texts nor integers nor UUIDs: a query can make it one with CAST(… AS varchar)", t.names[key])
	}
	e := generation.Export{From: t.from(), Key: "CAST(" + name + " AS varchar)"}
	if kind == "char" {
		e.Key = "trim(TRAILING ' ' FROM " + e.Key + ")"
	}
	had := map[string]bool{}
	for _, i := range columns {
		small := strings.ToLower(t.names[i])
		if had[small] {
			return generation.Export{}, fmt.Errorf("two columns are called %q but for capital letters: a query can name one otherwise", small)
		}
		had[small] = true
		e.Form += fmt.Sprintf("%q %s, ", t.names[i], t.types[i])
		e.Columns = append(e.Columns, generation.Column{Name: t.names[i], Keep: kept(t.types[i]), Compare: "%s"})
		e.Types = append(e.Types, t.types[i])
	}
	return e, nil
}

// nameOf returns a type without what stands behind its name.
func nameOf(kind string) string {
	name, _, _ := strings.Cut(kind, "(")
	return name
}

// kept returns what is kept of a column, which stands for %s.
func kept(kind string) string {
	switch {
	case slices.Contains(asTheyAre, nameOf(kind)):
		return "%s"
	case kind == "json":
		return "json_format(%s)"
	case kind == "varbinary":
		return "to_base64(%s)"
	case isStructured(kind):
		return inText(kind)
	}
	return "CAST(" + inText(kind) + " AS varchar)"
}

// checkKept reports if the columns of what was kept have other types than those that [kept] wants: a
// catalog may make something else of a date, or of a number.
func (t *Rows) checkKept() error {
	if len(t.types) != len(t.Types) {
		return errors.New("what was kept has other columns than the export")
	}
	for i, kind := range t.Types {
		want := "varchar"
		if slices.Contains(asTheyAre, nameOf(kind)) && nameOf(kind) != want {
			want = kind
		}
		if is := t.types[i]; is != want && nameOf(is) != want {
			return fmt.Errorf("the catalog of delta keeps the column %s as %s, where it should be %s: name a schema of another catalog", t.names[i], is, want)
		}
	}
	return nil
}
