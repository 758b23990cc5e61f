package engage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"gleapsync/internal/attr"
	"gleapsync/internal/rounds"
	"gleapsync/internal/values"
)

// encodeTest encodes a row as a text with its line.
func encodeTest(dst []byte, line int, cells []attr.Value) []byte {
	dst = fmt.Appendf(dst, ":%d", line)
	for _, v := range cells {
		dst = fmt.Appendf(dst, " %s", v)
	}
	return dst
}

// What readTest reads.
const (
	testAll    = "all"
	testSome   = "some users"
	testPrints = "prints"
)

// readTest reads an export, with as many rows or bytes in a stretch if it is read in stretches,
// and returns all that comes of it.
func readTest(t *rapid.T, e Export, what string, size int) (rows []string, result Result, progress int, err error) {
	if e.Progress = func(n int) { progress += n }; size > 0 {
		e.Idle = func() bool { return true }
	}
	s, err := e.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := &rowReader{export: e, encode: encodeTest, stretchSize: size}
	s.reading = r
	r.add = func(userID, row []byte) error {
		rows = append(rows, string(userID)+string(row))
		return nil
	}
	switch what {
	case testSome:
		r.wanted = func(userID []byte) bool { return userID[len(userID)-1]%4 == 0 }
	case testPrints:
		r.addPrint = r.add
	}
	r.yield = func(userID []byte, cells []attr.Value) error { return r.add(userID, encodeTest(nil, s.Line(), cells)) }
	r.want(e.Attributes)
	r.result.Fields = make([]bool, len(e.Fields))
	for _, in := range s.inputs.All {
		table, err := s.open(t.Context(), in, e.Attributes)
		if err != nil {
			return nil, Result{}, progress, err
		}
		if err = r.begin(in.Name, table); err == nil {
			err = r.all(t.Context())
		}
		table.Close()
		if err != nil {
			return nil, Result{}, progress, err
		}
	}
	return rows, r.result, progress, nil
}

// compareTest reads an export as a whole and in stretches.
func compareTest(t *rapid.T, e Export, what string, size int) {
	rows, result, progress, err := readTest(t, e, what, 0)
	inRows, inResult, inProgress, inErr := readTest(t, e, what, size)
	if fmt.Sprint(err) != fmt.Sprint(inErr) {
		t.Fatalf("%v in stretches, else %v", inErr, err)
	}
	if !reflect.DeepEqual(result, inResult) || progress != inProgress {
		t.Fatalf("%+v and %d in stretches, else\n%+v and %d", inResult, inProgress, result, progress)
	}
	for i := range max(len(rows), len(inRows)) {
		if i >= len(rows) || i >= len(inRows) || rows[i] != inRows[i] {
			t.Fatalf("row %d of %d and %d: %q in stretches, else %q", i, len(inRows), len(rows), inRows[i:min(i+1, len(inRows))], rows[i:min(i+1, len(rows))])
		}
	}
}

// TestStretches: random CSV gives the same in stretches, whatever is wrong with it.
func TestStretches(t *testing.T) {
	forms := []struct {
		header string
		sound  string // a row, with # for its number
		cells  func(r *rand.Rand, n int) []string
	}{
		{"user_id,vip,city,email", "u#,1,,", func(r *rand.Rand, n int) []string {
			return []string{fmt.Sprint("u", r.IntN(n)), pick(r, "true", "false", "", "NULL", "x"), fmt.Sprint(r.IntN(50)), "a@example.com"}
		}},
		{"key,external_ids,city,vip", `p,"{""user_id"":""u#""}",,1`, func(r *rand.Rand, n int) []string {
			return []string{pick(r, "", "p1", fmt.Sprint("p", n/7)), pick(r, fmt.Sprintf(`{"user_id":["u%d","u%d"]}`, n, n/2), "{}", pick(r, "{}", "[1]"), fmt.Sprintf(`{"user_id":"u%d"}`, n)), "Köln", pick(r, "1", "0", "x")}
		}},
		{"key,user_id,vip,city", "p#,u#,1,", func(r *rand.Rand, n int) []string {
			return []string{fmt.Sprint("p", n/9), pick(r, "", "", "n/a", fmt.Sprint("u", n/3)), pick(r, "t", "f"), ""}
		}},
	}
	dir := t.TempDir()
	rounds.Check(t, func(t *rapid.T) {
		form := rapid.SampledFrom(forms).Draw(t, "form")
		rows := rapid.IntRange(1000, 4000).Draw(t, "rows")
		sound := rapid.SampledFrom([]int{0, tick + 200}).Draw(t, "rows without any")
		oddities := rapid.SampledFrom([]int{0, 5, 20, 60, 300}).Draw(t, "rows to an oddity")
		quotes := rapid.SampledFrom([]int{0, 2, 10}).Draw(t, "cells to a quoted one")
		end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "line break")
		r := rand.New(rand.NewPCG(1, uint64(rapid.Int().Draw(t, "seed"))))
		text := bytes.NewBufferString(form.header + end)
		for n := range rows {
			if n < sound {
				text.WriteString(strings.ReplaceAll(form.sound, "#", fmt.Sprint(n)) + end)
				continue
			}
			cells := form.cells(r, n+1)
			for i, cell := range cells {
				if quotes > 0 && r.IntN(quotes) == 0 || strings.ContainsAny(cell, `",`) {
					cell = strings.ReplaceAll(cell+pick(r, "", `"`, ",", "\n", "\n", "\r\n\n", "\na,b,c,d\n"), `"`, `""`)
					cells[i] = `"` + cell + `"`
				}
			}
			row := strings.Join(cells, ",")
			if oddities > 0 && r.IntN(oddities) == 0 {
				row = pick(r, row+",", "", end+end, row+`"`, `"`+row, strings.Replace(row, ",", `,"x" `, 1), "u1", `a"b,c,d,e`, "\xff"+row)
			}
			text.WriteString(row + end)
		}
		whole := text.Bytes()
		whole = whole[:len(whole)-rapid.SampledFrom([]int{0, 0, 1, 2, 9}).Draw(t, "cut off")]
		if err := os.WriteFile(filepath.Join(dir, "e.csv"), whole, 0o600); err != nil {
			t.Fatal(err)
		}
		compareTest(t, Export{
			Source: "e.csv", Dir: dir, Fields: []string{"email", "phone"},
			Attributes: []Attribute{{Kind: Audience, Key: "vip", Name: "vip", Column: "vip"}, {Kind: Trait, Key: "city", Name: "city", Column: "city", Type: values.Auto}},
		}, rapid.SampledFrom([]string{testAll, testSome, testPrints}).Draw(t, "what"), rapid.SampledFrom([]int{1, 50, 200, 3000}).Draw(t, "bytes of a stretch"))
	})
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

// TestParquetStretches: random Parquet gives the same in stretches.
func TestParquetStretches(t *testing.T) {
	type row struct {
		Key    string   `parquet:"key,dict"`
		UserID *string  `parquet:"user_id,optional"`
		IDs    *string  `parquet:"external_ids,optional,dict"`
		VIP    *bool    `parquet:"vip,optional"`
		City   *string  `parquet:"city,optional,dict"`
		Spent  *float64 `parquet:"spent,optional"`
		Points int64    `parquet:"points,dict"`
		Said   *string  `parquet:"said,optional,dict"`
		Tags   []string `parquet:"tags,list"`
		Email  *string  `parquet:"email,optional"`
	}
	dir := t.TempDir()
	rounds.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(3, uint64(rapid.Int().Draw(t, "seed"))))
		sound := rapid.SampledFrom([]int{150, tick + 200}).Draw(t, "rows without any oddity")
		text := func(of ...string) *string {
			if s := pick(r, of...); s != "-" {
				return &s
			}
			return nil
		}
		var rows []row
		for n := range rapid.IntRange(1000, 5000).Draw(t, "rows") {
			yes, spent := r.IntN(2) == 0, float64(r.IntN(100))+0.25
			one := row{Key: fmt.Sprint("p", n/3), UserID: text(fmt.Sprint("u", n)), VIP: &yes, City: text("Oslo", "7", "-"), Points: int64(r.IntN(9)), Tags: []string{"a", "b"}[:r.IntN(3)], Email: text("-", "a@example.com")}
			if n > sound {
				one.UserID = text("-", "-", fmt.Sprint("u", n), "a\\nb")
				one.IDs = text("-", "-", "-", "[1]", fmt.Sprintf(`{"user_id":["u%d","v%d"]}`, n, n))
				one.Said = text("-", "1", "x", "\\xff", "[1]")
				one.Spent = &spent
				if r.IntN(3) == 0 {
					one.VIP = nil
				}
			}
			rows = append(rows, one)
		}
		var out bytes.Buffer
		if err := parquet.Write(&out, rows, parquet.MaxRowsPerRowGroup(rapid.SampledFrom([]int64{400, 10_000}).Draw(t, "rows of a group")), parquet.PageBufferSize(1<<10),
			parquet.DictionaryMaxBytes(rapid.SampledFrom([]int64{0, 100}).Draw(t, "size of a dictionary"))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "e.parquet"), out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		e := Export{Source: "e.parquet", Dir: dir, Fields: []string{"email", "phone"}}
		for _, key := range []string{"vip", "said"} {
			e.Attributes = append(e.Attributes, Attribute{Kind: Audience, Key: key + "_in", Name: key, Column: key})
		}
		for _, key := range []string{"city", "spent", "points", "said", "tags", "vip"} {
			e.Attributes = append(e.Attributes, Attribute{Kind: Trait, Key: key, Name: key, Column: key, Type: rapid.SampledFrom([]values.Type{values.Auto, values.Text, values.Number}).Draw(t, key)})
		}
		compareTest(t, e, testAll, 1)
	})
}
