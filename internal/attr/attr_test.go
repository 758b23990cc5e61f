package attr

import (
	"cmp"
	"encoding/json"
	"testing"
)

func TestExactNumber(t *testing.T) {
	for text, want := range map[string]bool{
		"0": true, "42": true, "-7": true, "0.1": true, "-1.5": true, "12.34": true, "0.0000001": true,
		"9007199254740992": true, "-9007199254740992": true,
		"9007199254740993": false, "9007199254740994": false, "12345678901234567890": false,
		"007": false, "1.50": false, "1.": false, ".5": false, "+5": false, "-0": false, "": false, " 1": false,
		"1e3": false, "1E3": false, "NaN": false, "Inf": false, "0x1p4": false, "1_000": false, "-": false,
		"0.12345678901234567890": false, "1,5": false,
	} {
		v, ok := exactNumber([]byte(text))
		if ok != want {
			t.Errorf("exactNumber(%q) = %v, want %v", text, ok, want)
		}
		if ok && (v.Kind() != Number || string(v.Text()) != text) {
			t.Errorf("exactNumber(%q) changed the text to %q", text, v.Text())
		}
	}
}

func TestPlainNumber(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "42": "42", "829.10": "829.1", "450.00": "450", "-1.50": "-1.5", "0.10": "0.1", "100": "100", "-0": "0", "-0.00": "0",
		"9007199254740992": "9007199254740992", "9007199254740992.0": "9007199254740992", "0.30000000000000004": "0.30000000000000004",
		"1234567.1200000000000000000000": "1234567.12",
		"9007199254740993":               "", "12345678901234567": "", "0.12345678901234567890": "", "007": "", "00123": "", "1e3": "", "1E+5": "",
		"+5": "", "1.": "", ".5": "", "": "", "-": "", " 1": "", "1 ": "", "1,5": "", "NaN": "", "0x1p4": "", "1_000": "",
	} {
		v, ok := PlainNumber([]byte(text))
		if got := string(v.Text()); got != want || ok != (want != "") {
			t.Errorf("PlainNumber(%q) = %q, %v, want %q", text, got, ok, want)
		}
	}
}

// FuzzNumber holds what looks at a number's digits only against what converts it, and
// against encoding/json.
func FuzzNumber(f *testing.F) {
	for _, text := range []string{"0", "-0", "007", "1.5", "-12.30", "0.1", "999999999999999", "1234567.12345678", "0.000000000000001",
		"1e5", "1E-5", "-1.0e+9", "1.", ".5", "-", "", "true", "1 ", "9007199254740993"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if isShortNumber(text) && !printsBack(text) {
			t.Errorf("%q is not printed back", text)
		}
		want := len(text) > 0 && (text[0] == '-' || '0' <= text[0] && text[0] <= '9') && text[len(text)-1] > ' ' && json.Valid(text)
		if isJSONNumber(text) != want {
			t.Errorf("isJSONNumber(%q) = %v", text, !want)
		}
	})
}

func TestNearestNumber(t *testing.T) {
	for text, want := range map[string]string{
		"1.50": "1.5", "007": "7", "1e3": "1000", "+5": "5", "-0": "0", "-0.0": "0", ".5": "0.5",
		"12345.678901234567890123": "12345.678901234567", "9007199254740992": "9007199254740992",
		"9007199254740993": "", // it would round
		"1e400":            "", "NaN": "", "inf": "", "": "", "twelve": "", "1 000": "", "--1": "",
	} {
		v, ok := NearestNumber([]byte(text))
		if got := string(v.Text()); got != want || ok != (want != "") {
			t.Errorf("NearestNumber(%q) = %q, %v, want %q", text, got, ok, want)
		}
		if ok && !json.Valid(v.Text()) {
			t.Errorf("NearestNumber(%q) = %q is no JSON", text, v.Text())
		}
	}
}

func TestAppendJSON(t *testing.T) {
	for want, v := range map[string]Value{
		`null`:             OfNull(),
		`true`:             OfBool(true),
		`false`:            OfBool(false),
		`12.5`:             OfNumber([]byte("12.5")),
		`"plain"`:          OfString([]byte("plain")),
		`"q\"\\\nü\u003c"`: OfString([]byte("q\"\\\nü<")),
		`""`:               OfString(nil),
		`"\ufffd"`:         OfString([]byte{0xff}),
	} {
		if got := string(v.AppendJSON(nil)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// FuzzCodec checks both directions: whatever decodes encodes to the same bytes
// up to the length's shortest form, and no bytes panic.
func FuzzCodec(f *testing.F) {
	for _, v := range []Value{{}, OfNull(), OfBool(true), OfBool(false), OfNumber([]byte("12")), OfString([]byte("a\x00b"))} {
		f.Add(v.Append(nil))
	}
	f.Add([]byte{byte(String), 0x80})
	f.Add([]byte{byte(Number), 4, 't', 'r', 'u', 'e'})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, err := Cut(b)
		if err != nil {
			return
		}
		again, left, err := Cut(v.Append(nil))
		if err != nil || len(left) != 0 || !again.Equal(v) {
			t.Fatalf("decoding the encoding of %v gave %v, %q, %v", v, again, left, err)
		}
		if len(rest) > len(b) {
			t.Fatal("the rest is longer than the whole")
		}
		if !json.Valid(v.AppendJSON(nil)) {
			t.Fatalf("%q is no JSON", v.AppendJSON(nil))
		}
	})
}

// TestCompare: the order is that of the kinds, and of the texts within one.
func TestCompare(t *testing.T) {
	ordered := []Value{{}, OfNull(), OfBool(false), OfBool(true), OfNumber([]byte("10")), OfNumber([]byte("9")), OfString(nil), OfString([]byte("10")), OfString([]byte("9"))}
	for i, v := range ordered {
		for j, w := range ordered {
			if got := v.Compare(w); got != cmp.Compare(i, j) {
				t.Errorf("%v, %v: %d", v, w, got)
			}
		}
	}
}
