package engage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/internal/attr"
	"gleapsync/internal/rounds"
	"gleapsync/internal/values"
)

// somePrints returns the prints of an export's rows by user id, in their order.
func somePrints(t interface{ Fatal(...any) }, e Export) (Prints, map[string][][16]byte) {
	s, err := e.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][][16]byte{}
	found, err := s.Prints(context.Background(), e.Attributes, 7, func(userID, print []byte) error {
		all[string(userID)] = append(all[string(userID)], [16]byte(print))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, all
}

// saidOf returns what an export says of those users that are wanted, of all if it is nil, with
// the lines.
func saidOf(t interface{ Fatal(...any) }, e Export, wanted func([]byte) bool) (map[string][]string, Result) {
	s, err := e.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	encode := func(said []byte, line int, cells []attr.Value) []byte {
		said = fmt.Append(said, line)
		for _, c := range cells {
			said = fmt.Appendf(said, " %d:%q", c.Kind(), c.Text())
		}
		return said
	}
	yield := func(userID, said []byte) error {
		all[string(userID)] = append(all[string(userID)], string(said))
		return nil
	}
	var result Result
	if wanted == nil {
		result, err = s.ReadEncoded(context.Background(), e.Attributes, nil, encode, yield)
	} else {
		result, err = s.ReadSome(context.Background(), e.Attributes, wanted, encode, yield)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all, result
}

// TestPrints: of two snapshots that come one after the other, the first of which is sound, the
// prints tell which users to read, and reading these says what reading all does.
func TestPrints(t *testing.T) {
	dir := t.TempDir()
	soundCell := rapid.SampledFrom([]string{"", "1", "true", "FALSE", "x", `"x"`, `"a,b"`, `"say ""so"""`, "\"two\nlines\"", `"{""a"":1}"`, "é"})
	anyCell := rapid.OneOf(soundCell, rapid.SampledFrom([]string{`a"b`, `"a"b`, `"`, "\"\n", "1,2", "n/a", "12\x00"}))
	id := rapid.OneOf(rapid.Map(rapid.IntRange(0, 9), func(n int) string { return fmt.Sprint("u", n) }), rapid.SampledFrom([]string{`"u1"`, `"u""2"`, " u3", "u,4", "null", "", "9.5E+07"}))
	soundID := rapid.Map(rapid.IntRange(0, 12), func(n int) string { return fmt.Sprint("u", n) })
	rounds.Check(t, func(t *rapid.T) {
		header := rapid.SampledFrom([]string{"user_id,vip,score", "vip,user_id,score", "vip,score,user_id", "key,user_id,external_ids,vip,score", "key,external_ids,vip,score", "user_id,user_id_1,vip,score"}).Draw(t, "header")
		names := strings.Split(header, ",")
		row := func(id, cell *rapid.Generator[string]) string {
			var cells []string
			for _, name := range names {
				switch {
				case name == "external_ids":
					cells = append(cells, rapid.Map(id, func(id string) string { return `"{""user_id"":""` + strings.Trim(id, `"`) + `""}"` }).Draw(t, name))
				case strings.HasPrefix(name, "user_id"):
					cells = append(cells, id.Draw(t, name))
				case name == "vip":
					cells = append(cells, rapid.SampledFrom([]string{"true", "false", `"true"`, ""}).Draw(t, name))
				default:
					cells = append(cells, cell.Draw(t, name))
				}
			}
			return strings.Join(cells, ",")
		}
		lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return row(soundID, soundCell) }), 1, 20).Draw(t, "rows")
		path := filepath.Join(dir, "table.csv")
		e := Export{Source: path, Attributes: []Attribute{
			{Kind: Audience, Key: "vip", Name: "vip", Column: "vip"}, {Kind: Trait, Key: "score", Name: "score", Column: "score", Type: values.Text},
		}, Fields: []string{"email", "vip"}}
		write := func(lines []string) {
			end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end")
			text := header + end + strings.Join(lines, end) + rapid.SampledFrom([]string{"", end}).Draw(t, "last")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(lines)
		_, prints := somePrints(t, e)
		said, result := saidOf(t, e, nil)
		if result.Invalid+result.Unknown+result.Attributes[0].Invalid+result.Attributes[1].Invalid > 0 {
			t.Skip("the first one is to be sound")
		}
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			at := rapid.IntRange(0, len(lines)-1).Draw(t, "at")
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				lines[at] = row(soundID, soundCell)
			case 1:
				lines[at] = row(id, anyCell)
			case 2:
				lines = slices.Insert(lines, at, row(id, anyCell))
			default:
				if len(lines) > 1 {
					lines = slices.Delete(lines, at, at+1)
				}
			}
		}
		write(lines)
		s, err := e.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(context.Background(), e.Attributes, func([]byte, []attr.Value) error { return nil }); err != nil {
			t.Skip("it is refused: " + err.Error())
		}
		_, now := somePrints(t, e)
		differs := func(userID []byte) bool { return !slices.Equal(now[string(userID)], prints[string(userID)]) }
		all, whole := saidOf(t, e, nil)
		some, part := saidOf(t, e, differs)
		for id := range said {
			if !differs([]byte(id)) && !slices.Equal(withoutLines(said[id]), withoutLines(all[id])) {
				t.Fatalf("%s has the same prints, and is told as %q and %q", id, said[id], all[id])
			}
		}
		for id := range all {
			if differs([]byte(id)) && !slices.Equal(all[id], some[id]) {
				t.Fatalf("%s is %q, read alone %q", id, all[id], some[id])
			}
		}
		whole.Attributes[1].Fits, part.Attributes[1].Fits = values.Fits{}, values.Fits{} // the type is known
		if !reflect.DeepEqual(whole, part) {
			t.Fatalf("the result is\n%+v, of some\n%+v", whole, part)
		}
	})
}

func withoutLines(said []string) []string {
	var all []string
	for _, s := range said {
		_, s, _ := strings.Cut(s, " ")
		all = append(all, s)
	}
	return all
}
