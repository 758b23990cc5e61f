package engage

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gleapsync/internal/table"
)

// readCalls reads all calls of a text and returns them in lines.
func readCalls(t *testing.T, text string, take func(CallType, []byte) bool) ([]string, Result, error) {
	t.Helper()
	dir := write(t, "calls.json", text)
	source, err := Export{Source: "calls.json", Dir: dir}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	result, err := source.ReadCalls(t.Context(), take, func(c *Call) error {
		line := fmt.Sprintf("%s %s %s %s", c.Type, c.Name, c.UserID, time.Unix(0, c.At).UTC().Format(time.RFC3339Nano))
		properties, unusable := c.Properties()
		for _, p := range properties {
			line += fmt.Sprintf(" %s=%s", p.Name, p.Value.AppendJSON(nil))
		}
		if unusable > 0 {
			line += fmt.Sprintf(" (%d unusable)", unusable)
		}
		calls = append(calls, line)
		return nil
	})
	return calls, result, err
}

func everyCall(CallType, []byte) bool { return true }

// TestReadCalls has a call of each kind as Segment writes it.
func TestReadCalls(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"track", `{"anonymousId":"x","type":"track","userId":"u1","event":"Order Completed","properties":{"total":49.9,"order_id":"007","coupon":null,"big":12345678901234567890,"paid":true,"items":["a",2],"nested":{"a": 1}},"timestamp":"2026-03-01T12:00:00.120Z","messageId":"m1","receivedAt":"2027-01-01T00:00:00Z"}`,
			`track Order Completed u1 2026-03-01T12:00:00.12Z total=49.9 order_id="007" big=12345678901234567890 paid=true items="[\"a\",2]" nested="{\"a\":1}"`},
		{"engage's own", `{"type":"track","userId":"u1","event":"Audience Entered","properties":{"audience_key":"vip","vip":true},"context":{"personas":{"computation_class":"audience","computation_key":"vip"}},"timestamp":1772366400}`,
			`track Audience Entered u1 2026-03-01T12:00:00Z audience_key="vip" vip=true`},
		{"page", `{"type":"page","userId":"u1","name":"Home","properties":{"url":"https://x.io/p"},"timestamp":"20260301T120000Z"}`,
			`page Home u1 2026-03-01T12:00:00Z url="https://x.io/p"`},
		{"page without a name", `{"type":"page","userId":"u1","properties":{"url":"u"},"timestamp":"2026-03-01T12:00:00Z"}`,
			`page  u1 2026-03-01T12:00:00Z url="u"`},
		{"screen", `{"type":"screen","userId":7,"name":"Main","timestamp":"1772366400500"}`,
			`screen Main 7 2026-03-01T12:00:00.5Z`},
		{"no properties", `{"type":"track","userId":"u1","event":"a","properties":"none","timestamp":"2026-03-01"}`,
			`track a u1 2026-03-01T00:00:00Z`},
		{"twice", `{"type":"track","userId":"u1","event":"a","properties":{"a":1,"b":2,"a":3,"b":null},"timestamp":"2026-03-01"}`,
			`track a u1 2026-03-01T00:00:00Z a=3`},
		{"not UTF-8", `{"type":"track","userId":"u1","event":"a","properties":{"a":"` + "\xff" + `","b":1,"` + "\xfe" + `":2},"timestamp":"2026-03-01"}`,
			`track a u1 2026-03-01T00:00:00Z b=1 (2 unusable)`},
		{"too many", `{"type":"track","userId":"u1","event":"a","properties":{` + manyProperties(maxProperties+5) + `},"timestamp":"2026-03-01"}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			calls, result, err := readCalls(t, test.line+"\n", everyCall)
			if err != nil || result.Rows != 1 || result.Invalid > 0 || len(calls) != 1 {
				t.Fatalf("%q, %+v, %v", calls, result, err)
			}
			if test.want == "" {
				if !strings.HasSuffix(calls[0], "(5 unusable)") {
					t.Error(calls[0][len(calls[0])-30:])
				}
			} else if calls[0] != test.want {
				t.Errorf("got  %s\nwant %s", calls[0], test.want)
			}
		})
	}
}

func manyProperties(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"p%d":%d`, i, i)
	}
	return strings.Join(all, ",")
}

// TestReadCallsCounts: what cannot be sent is counted, if somebody wants it.
func TestReadCallsCounts(t *testing.T) {
	const text = `{"type":"track","userId":"u1","event":"a","timestamp":"2026-03-01"}
{"type":"track","event":"a","timestamp":"2026-03-01"}
{"type":"track","userId":null,"event":"a","timestamp":"2026-03-01"}
{"type":"track","userId":"u1","event":" ","timestamp":"2026-03-01"}
{"type":"track","userId":"u1","timestamp":"2026-03-01"}
{"type":"screen","userId":"u1","timestamp":"2026-03-01"}
{"type":"track","userId":"u1","event":"a","timestamp":"soon"}
{"type":"track","userId":"u1","event":"a"}
{"type":"track","event":"unwanted","timestamp":"soon"}
{"type":"identify","userId":"u1","traits":{}}
{"type":"group"}
{"event":"a"}
[]

`
	calls, result, err := readCalls(t, text, func(_ CallType, name []byte) bool { return string(name) == "a" })
	if err != nil || fmt.Sprint(calls) != "[track a u1 2026-03-01T00:00:00Z]" {
		t.Errorf("%q, %v", calls, err)
	}
	if result.Rows != 13 || result.WithoutUserID != 2 || result.Invalid != 6 || len(result.Problems) != maxProblems {
		t.Errorf("%+v", result)
	}
	want := Problem{File: "calls.json", Line: 4, Reason: "the track call has no name"}
	if result.Problems[0] != want {
		t.Errorf("%+v", result.Problems[0])
	}
}

// TestReadCallsRefused: files that are no lines of JSON, and those that break off, cannot
// be used.
func TestReadCallsRefused(t *testing.T) {
	const line = `{"type":"track","userId":"u1","event":"a","timestamp":"2026-03-01"}`
	for text, want := range map[string]string{
		"user_id,event\nu1,a\n":  "calls.json: it takes JSON with one call per line",
		"":                       "calls.json: the file is empty",
		line + "\n" + line[:40]:  "calls.json: ",
		line + "\n" + line:       "",
		"\n" + line + "\r\n\r\n": "",
	} {
		_, _, err := readCalls(t, text, everyCall)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
		if strings.HasSuffix(text, line[:40]) && !errors.Is(err, table.ErrTruncated) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzReadCalls(f *testing.F) {
	f.Add(`{"type":"track","userId":"u1","event":"a","properties":{"a":[1,{"b":"\u0041"}]},"timestamp":"2026-03-01"}` + "\n{")
	f.Fuzz(func(t *testing.T, text string) {
		_, result, _ := readCalls(t, text, everyCall)
		if result.Invalid+result.WithoutUserID > result.Rows {
			t.Errorf("%+v", result)
		}
	})
}
