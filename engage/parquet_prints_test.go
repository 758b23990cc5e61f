package engage

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"gleapsync/internal/rounds"
	"gleapsync/internal/values"
)

// TestParquetPrints: of two Parquet files the prints tell which users to read, whatever way the
// second one is stored, and reading these says what reading all does.
func TestParquetPrints(t *testing.T) {
	type row struct {
		UserID string   `parquet:"user_id"`
		VIP    *bool    `parquet:"vip,optional"`
		City   *string  `parquet:"city,optional,dict"`
		Spent  *float64 `parquet:"spent,optional,dict"`
		Tags   []string `parquet:"tags,list"`
	}
	dir := t.TempDir()
	e := Export{Source: "e.parquet", Dir: dir}
	for _, key := range []string{"vip", "city", "spent", "tags"} {
		e.Attributes = append(e.Attributes, Attribute{Kind: Trait, Key: key, Name: key, Column: key, Type: values.Text})
	}
	rounds.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(4, uint64(rapid.Int().Draw(t, "seed"))))
		newRow := func(n int) row {
			yes, city, spent := r.IntN(2) == 0, pick(r, "Oslo", "Bern", ""), float64(r.IntN(40))/4
			one := row{UserID: fmt.Sprint("u", n), VIP: &yes, City: &city, Spent: &spent, Tags: []string{"a", "b"}[:r.IntN(3)]}
			if r.IntN(5) == 0 {
				one.City, one.VIP = nil, nil
			}
			return one
		}
		var rows []row
		for n := range rapid.IntRange(1, 3000).Draw(t, "rows") {
			rows = append(rows, newRow(n*9/10)) // some users have two
		}
		write := func() {
			options := []parquet.WriterOption{
				parquet.MaxRowsPerRowGroup(rapid.SampledFrom([]int64{100, 700, 10_000}).Draw(t, "rows of a group")), parquet.PageBufferSize(rapid.SampledFrom([]int{200, 10_000}).Draw(t, "page size")),
				parquet.DictionaryMaxBytes(rapid.SampledFrom([]int64{0, 20}).Draw(t, "size of a dictionary")),
			}
			if err := parquet.WriteFile(filepath.Join(dir, "e.parquet"), rows, options...); err != nil {
				t.Fatal(err)
			}
		}
		write()
		before, prints := somePrints(t, e)
		old, _ := saidOf(t, e, nil)
		every := rapid.SampledFrom([]int{1, 20, 500}).Draw(t, "rows to one that changes")
		for n := range rows {
			if r.IntN(every) == 0 {
				rows[n] = newRow(n)
			}
		}
		write()
		after, now := somePrints(t, e)
		if before.Form != after.Form || after.Rows != len(rows) {
			t.Fatal(before, after)
		}
		all, whole := saidOf(t, e, nil)
		wanted := map[string]bool{}
		for id := range all {
			if wanted[id] = !slices.Equal(prints[id], now[id]); !wanted[id] && !slices.Equal(unlined(old[id]), unlined(all[id])) {
				t.Fatalf("%s has the print of before, and says %q, not %q", id, all[id], old[id])
			}
		}
		some, result := saidOf(t, e, func(id []byte) bool { return wanted[string(id)] })
		maps.DeleteFunc(all, func(id string, _ []string) bool { return !wanted[id] })
		if !reflect.DeepEqual(some, all) || result.Rows != whole.Rows {
			t.Fatalf("%v of %d, want %v of %d", some, result.Rows, all, whole.Rows)
		}
	})
}

// unlined returns what rows say without where they stand.
func unlined(rows []string) (said []string) {
	for _, row := range rows {
		_, what, _ := strings.Cut(row, " ")
		said = append(said, what)
	}
	return said
}
