package engage

import (
	"fmt"
	"strings"
	"testing"

	"gleapsync/internal/values"
)

// TestDoubledColumns: where a needed column stands twice nobody can tell which is meant,
// in any form. What is not needed may stand as often as it likes.
func TestDoubledColumns(t *testing.T) {
	vip := Attribute{Kind: Audience, Key: "vip", Name: "VIP", Column: "vip"}
	orders := Attribute{Kind: Trait, Key: "orders", Name: "Orders", Column: "orders", Type: values.Auto}
	value := Attribute{Kind: Trait, Key: "ltv", Name: "LTV", Type: values.Auto}
	for name, test := range map[string]struct {
		names  string
		export Export
		want   string // "": it can be read
	}{
		"nothing twice":                {"user_id,vip,orders", Export{Attributes: []Attribute{vip, orders}}, ""},
		"attributes":                   {"user_id,vip,orders,vip,orders,vip", Export{Attributes: []Attribute{vip, orders}}, `"vip" (column 2 and 4 and 6); "orders" (column 3 and 5)`},
		"not needed":                   {"user_id,vip,x,x,orders,ORDERS,email,email", Export{Attributes: []Attribute{vip}}, ""},
		"user id":                      {"user_id,vip,user_id", Export{Attributes: []Attribute{vip}}, `"user_id" (column 1 and 3)`},
		"user id in other spellings":   {"userId,vip,USER_ID", Export{Attributes: []Attribute{vip}}, `"userId" (column 1) and "USER_ID" (column 3)`},
		"one of them exact":            {"userId,vip,user_id", Export{Attributes: []Attribute{vip}}, ""},
		"named user id":                {"id,user_id,user_id,id", Export{UserID: "id", Attributes: []Attribute{audience}}, `"id" (column 1 and 4)`},
		"further user id":              {"user_id,user_id_1,user_id_1", Export{Attributes: []Attribute{audience}}, `"user_id_1" (column 2 and 3)`},
		"attribute in other spellings": {"user_id,VIP,Vip", Export{Attributes: []Attribute{vip}}, `"VIP" (column 2) and "Vip" (column 3)`},
		"one attribute exact":          {"user_id,VIP,vip,Vip", Export{Attributes: []Attribute{vip}}, ""},
		"keys that resemble":           {"user_id,a__b,a_b", Export{Attributes: []Attribute{{Kind: Trait, Key: "a__b", Column: "a__b"}, {Kind: Trait, Key: "a_b", Column: "a_b"}}}, ""},
		"audience's own column":        {"user_id,shopper,shopper", Export{Attributes: []Attribute{audience}}, `"shopper" (column 2 and 3)`},
		"value":                        {"user_id,value,value", Export{Attributes: []Attribute{value}}, `"value" (column 2 and 3)`},
		"contact field":                {"user_id,vip,email,Email,email", Export{Attributes: []Attribute{vip}, Fields: []string{"email"}}, `"email" (column 3 and 5)`},
		"contact field, not mapped":    {"user_id,vip,email,email", Export{Attributes: []Attribute{vip}, Fields: []string{"phone"}}, ""},
		"external ids":                 {"key,external_ids,external_ids", Export{Attributes: []Attribute{audience}}, `"external_ids" (column 2 and 3)`},
		"external ids, not used":       {"user_id,external_ids,external_ids", Export{UserID: "user_id", Attributes: []Attribute{audience}}, ""},
		"traits":                       {"user_id,traits,traits", Export{UserID: "user_id", Attributes: []Attribute{orders}}, `"traits" (column 2 and 3)`},
		"traits, not used":             {"user_id,orders,traits,traits", Export{Attributes: []Attribute{orders}}, ""},
	} {
		names := strings.Split(test.names, ",")
		want := ""
		if test.want != "" {
			want = "x: nobody can tell which column is meant: " + test.want + ": export each once, or under a name of its own"
		}
		row := strings.TrimSuffix(strings.Repeat("true,", len(names)), ",")
		if strings.Contains(test.names, "external_ids") || strings.Contains(test.names, "traits") {
			row = strings.TrimSuffix(strings.Repeat("{},", len(names)), ",")
		}
		e := test.export
		e.Dir, e.Source = write(t, "x", test.names+"\n"+row+"\n"), "x"
		if _, _, err := rows(e); fmt.Sprint(err) != cmpOrNil(want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
		// The same columns by any other way: whoever has columns asks for this layout.
		if _, err := newLayout(names, test.export); (err != nil) != (want != "") {
			t.Errorf("%s: the layout: %v", name, err)
		}
	}
	e := Export{Attributes: []Attribute{vip}, Source: "x", Dir: write(t, "x", `{"user_id":"u1","VIP":true,"Vip":false}`+"\n")}
	if _, _, err := rows(e); err == nil || !strings.Contains(err.Error(), `"VIP" (column 2) and "Vip" (column 3)`) {
		t.Errorf("JSON: %v", err)
	}
	// What a pattern takes twice is one attribute, which the reading then refuses.
	e = Export{Wildcards: []Wildcard{{Audience, "v*", ""}}}
	if taken := e.TakeColumns([]string{"user_id", "vip", "v2", "vip"}); len(taken) != 2 {
		t.Errorf("%v", taken)
	}
}

func cmpOrNil(text string) string {
	if text == "" {
		return "<nil>"
	}
	return text
}

// TestMissingColumn: an error says which columns are there, if they are names.
func TestMissingColumn(t *testing.T) {
	var many []string
	for i := range 32 {
		many = append(many, fmt.Sprintf("c%d", i))
	}
	for header, want := range map[string]string{
		"email,plan":                `; its columns are "email", "plan"`,
		strings.Join(many, ","):     `"c18", "c19" and 12 more`,
		"u1,secret@x.io":            "; the first line looks like a row of data: export it with a header",
		"secret,2026-03-01":         "; the first line looks like a row of data: export it with a header",
		"secret,true":               "; the first line looks like a row of data: export it with a header",
		"secret,-12.5":              "; the first line looks like a row of data: export it with a header",
		"\"secret\x02\",x":          "; the first line looks like a row of data: export it with a header",
		"# exported today":          "the file begins with a comment (#): take that line out, so that the names of the columns come first",
		"# exported today, by us,x": "the file begins with a comment (#): take that line out, so that the names of the columns come first",
	} {
		for _, id := range []string{"", "uid"} {
			e := Export{Source: "x", Dir: write(t, "x", header+"\nuser_id,x\nu1,1\n"), UserID: id, Wildcards: []Wildcard{{Audience, "x*", ""}}}
			source, err := e.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err = source.Header(t.Context()); err == nil {
				_, _, err = rows(e)
			}
			if err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "c20") {
				t.Errorf("%q, %q: %v", header, id, err)
			}
		}
	}
}

// TestFooter: a count of the rows is no row, however many columns there are.
func TestFooter(t *testing.T) {
	for _, text := range []string{
		"user_id\nu1\nu2\n(2 rows)\n", "user_id\nu1\n(1 row)\n\n", "user_id,x\nu1,1\nu2,2\n(2 rows)", "user_id,x\r\nu1,1\r\n(1 row)\r\n", "user_id\n(0 rows)\n",
		"user_id|x\nu1|1\n\n(1 rows affected)\n",
	} {
		for packing, pack := range packings {
			got, _, err := rows(Export{Source: "x", Dir: write(t, "x", pack(text)), Attributes: []Attribute{audience}})
			if err == nil || !strings.HasSuffix(err.Error(), " is a count of the rows, as psql writes it, and no row: use psql --csv, or switch it off with -P footer=off") {
				t.Errorf("%q, %s: %q, %v", text, packing, got, err)
			}
		}
	}
	for _, id := range []string{"(2 rows", "(rows)", "2 rows", "((2 rows))", "(2 rowss)"} {
		got, _, err := rows(Export{Source: "x", Dir: write(t, "x", "user_id\n"+id+"\n"), Attributes: []Attribute{audience}})
		if err != nil || len(got) != 1 {
			t.Errorf("%q: %q, %v", id, got, err)
		}
	}
	got, result, err := rows(Export{Source: "x", Dir: write(t, "x", "user_id,x\n(2 rows),1\nu1,\n"), Attributes: []Attribute{audience}})
	if err != nil || len(got) != 2 || result.Invalid > 0 {
		t.Errorf("a row with all its fields: %q, %+v, %v", got, result, err)
	}
}
