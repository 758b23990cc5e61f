package values

import (
	"strings"
	"testing"

	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
)

func TestTypes(t *testing.T) {
	for _, test := range []struct {
		typ        Type
		cell, want string
	}{
		{Auto, "42", "42"}, {Auto, "0042", `"0042"`}, {Auto, "1.50", "1.5"}, {Auto, "true", "true"}, {Auto, "T", "true"}, {Auto, "NaN", "null"}, {Auto, "[]", "null"}, {Auto, "[null]", "null"},
		{Auto, "false", "false"}, {Auto, "1e3", `"1e3"`}, {Auto, "n/a", `"n/a"`}, {Auto, "[5]", `"5"`}, {Auto, `["x",null,[],"y"]`, `"x, y"`}, {Auto, "{}", `"{}"`}, {Auto, "gold", `"gold"`}, {Auto, " 1", `" 1"`}, {Auto, "12345678901234567890", `"12345678901234567890"`},
		{Auto, `["a","b",3]`, `"a, b, 3"`}, {Auto, `[{"a": 1}, "x"]`, `"{\"a\":1}, x"`}, {Auto, `{ "a" : 9007199254740993 }`, `"{\"a\":9007199254740993}"`},
		{Auto, "[not json", `"[not json"`}, {Auto, "", "null"}, {Auto, "NULL", "null"}, {Auto, `\N`, "null"}, {Auto, "Null", `"Null"`},
		{Auto, "\xff", "error"},
		{Text, "42", `"42"`}, {Text, "true", `"true"`}, {Text, "[1]", `"1"`},
		{Number, "1.50", "1.5"}, {Number, "007", "7"}, {Number, " 1e3 ", "1000"}, {Number, "x", "error"}, {Number, "9007199254740993", "error"}, {Number, " ", "null"}, {Number, "NaN", "null"}, {Number, "[]", "null"}, {Number, "[null]", "null"}, {Number, "{}", "error"}, {Number, "[5]", "5"},
		{Boolean, "YES", "true"}, {Boolean, "0", "false"}, {Boolean, "null", "null"}, {Boolean, "2", "error"},
		{Datetime, "2026-03-01 12:00:00+02", `"2026-03-01T10:00:00Z"`}, {Datetime, "soon", "error"}, {Datetime, "[]", "null"}, {Text, "[]", "null"},
	} {
		var fits Fits
		v, reason := Read(test.typ, "", Said(cell.Text, []byte(test.cell)), &fits)
		if test.typ == Auto {
			v, _ = Convert(fits.Type(), v)
		}
		got := string(v.AppendJSON(nil))
		if reason != "" {
			got = "error"
		}
		if got != test.want {
			t.Errorf("%s %q: got %s %s, want %s", test.typ, test.cell, got, reason, test.want)
		}
	}
}

func TestFits(t *testing.T) {
	for _, test := range []struct {
		form   cell.Form
		values string // apart by |
		typ    Type
		want   string
	}{
		{cell.Text, "t|f|True|FALSE|true", Boolean, "true|false|true|false|true"},
		{cell.Text, "49.90|49.95|50.00|7", Number, "49.9|49.95|50|7"},
		{cell.Text, "49.90|49.95|1e3|7", Text, `"49.90"|"49.95"|"1e3"|"7"`},
		{cell.Text, "00123|12345", Text, `"00123"|"12345"`},
		{cell.Text, "50|NaN|inf|-Infinity|", Number, "50|null|null|null|null"},
		{cell.Text, "gold|NaN", Text, `"gold"|"NaN"`},
		{cell.Text, "NaN|nan", "", "null|null"},
		{cell.Text, `NULL|\N|[]| `, "", "null|null|null|null"},
		{cell.Text, "1|0|true", Text, `"1"|"0"|"true"`},
		{cell.Text, "3|9007199254740993", Text, `"3"|"9007199254740993"`},
		{cell.Text, "n/a|none|undefined|null", Text, `"n/a"|"none"|"undefined"|"null"`},
		{cell.JSON, `829.10|"450.00"|"12"`, Number, "829.1|450|12"},
		{cell.JSON, `1e3|2`, Number, "1000|2"},
		{cell.JSON, `3|12345678901234567`, Text, `"3"|"12345678901234567"`},
		{cell.JSON, `true|"t"|"FALSE"`, Boolean, "true|true|false"},
		{cell.JSON, `true|1`, Text, `"true"|"1"`},
		{cell.JSON, `NaN|Infinity|5|null|""`, Number, "null|null|5|null|null"},
		{cell.JSON, `[]|["x",null]|{"a": 1}`, Text, `null|"x"|"{\"a\":1}"`},
		{cell.JSON, `[5]|[6]`, Text, `"5"|"6"`},
		{cell.Number, "7|NaN|1e+20", Text, `"7"|null|"100000000000000000000"`},
		{cell.JSON, `"gold"|1e+20|[1,NaN]|{"a":[-Infinity,"NaN"]}`, Text, `"gold"|"100000000000000000000"|"1"|"{\"a\":[null,\"NaN\"]}"`},
		{cell.Text, `[NaN]|["x", NaN]|[NaN`, Text, `null|"x"|"[NaN"`},
		{cell.Number, "829.10|NaN|1e-7", Number, "829.1|null|0.0000001"},
		{cell.Boolean, "t|f|true", Boolean, "true|false|true"},
	} {
		var fits Fits
		var all []attr.Value
		for value := range strings.SplitSeq(test.values, "|") {
			v, reason := Read(Auto, "", Said(test.form, []byte(value)), &fits)
			if reason != "" {
				t.Errorf("%s: %q: %s", test.values, value, reason)
			}
			all = append(all, v)
		}
		var got []string
		for _, v := range all {
			v, ok := Convert(fits.Type(), v)
			if !ok {
				t.Errorf("%s: %s does not fit the type that was decided", test.values, v)
			}
			got = append(got, string(v.AppendJSON(nil)))
		}
		if fits.Type() != test.typ || strings.Join(got, "|") != test.want {
			t.Errorf("%s: got %s %s, want %s %s", test.values, fits.Type(), strings.Join(got, "|"), test.typ, test.want)
		}
	}
}

// TestKnownTypes: what does not fit the type that an attribute has is an invalid value.
func TestKnownTypes(t *testing.T) {
	for _, test := range []struct {
		known      Type
		cell, want string
	}{
		{Number, "829.10", "829.1"}, {Number, "007", "error"}, {Number, "1e3", "error"}, {Number, "gold", "error"}, {Number, "9007199254740993", "error"},
		{Number, "NaN", "null"}, {Number, "[]", "null"}, {Number, "[5]", "error"}, {Number, "true", "error"}, {Number, "", "null"},
		{Boolean, "T", "true"}, {Boolean, "1", "error"}, {Boolean, "yes", "error"}, {Boolean, "[]", "null"}, {Boolean, "NULL", "null"},
		{Text, "829.10", `"829.10"`}, {Text, "NaN", `"NaN"`}, {Text, "[]", "null"}, {Text, `["a",null]`, `"a"`}, {Text, "\xff", "error"},
	} {
		v, reason := Read(Auto, test.known, Said(cell.Text, []byte(test.cell)), new(Fits))
		got := string(v.AppendJSON(nil))
		if reason != "" {
			got = "error"
		}
		if got != test.want {
			t.Errorf("%s %q: got %s %s, want %s", test.known, test.cell, got, reason, test.want)
		}
	}
}

func TestNumbersAsBooleans(t *testing.T) {
	for number, want := range map[string]string{"1": "true", "1.0": "true", "1.00": "true", "1e0": "true", "0": "false", "0.0": "false", "NaN": "", "2": "", "1.5": ""} {
		v, reason := Read(Boolean, "", Said(cell.Number, []byte(number)), nil)
		if got := v.String(); got != want || (reason != "") != (want == "" && number != "NaN") {
			t.Errorf("%s: %s, %s", number, got, reason)
		}
	}
	if _, reason := Read(Boolean, "", Said(cell.Text, []byte("1.0")), nil); reason == "" {
		t.Error("the text 1.0 is taken for true")
	}
}
