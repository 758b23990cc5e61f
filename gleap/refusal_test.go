package gleap

import (
	"strings"
	"testing"

	"gleapsync/internal/rounds"

	"pgregory.net/rapid"
)

func TestMessage(t *testing.T) {
	const call = `{"userId":"u123","name":"Ada King Lovelace","email":"ada@example.com","plan":"pro","value":12.5,"vip":true,"x":"seven","company":"Müller \"&\" Söhne","note":"a"}`
	const token = "abcDEF123"
	for name, test := range map[string]struct{ body, want string }{
		"the message":            {`{"message":"customData.x must be a number"}`, "customData.x must be a number"},
		"an error":               {`{"error":"plan is unknown"}`, "plan is unknown"},
		"an error with a name":   {`{"error":{"code":7,"message":"plan is unknown"}}`, "plan is unknown"},
		"several":                {`{"errors":[{"message":"x must be a number"},{"message":"plan is unknown"},{"message":"plan is unknown"}]}`, "x must be a number; plan is unknown"},
		"a list of texts":        {`{"message":["x must be a number","y too"]}`, "x must be a number; y too"},
		"a value of the call":    {`{"message":"x: \"seven\" is not a number"}`, `x: "…" is not a number`},
		"in another case":        {`{"message":"x: SEVEN is not a number"}`, "x: … is not a number"},
		"the user id":            {`{"message":"contact u123 is blocked"}`, "contact … is blocked"},
		"not within a word":      {`{"message":"u1234 and xu123 are words, seventh too"}`, "u1234 and xu123 are words, seventh too"},
		"a name, and parts":      {`{"message":"Ada King Lovelace, or lovelace, is too long"}`, "…, or …, is too long"},
		"a number":               {`{"message":"value 12.5 is too small"}`, "value … is too small"},
		"quotes and accents":     {`{"message":"company Müller \"&\" Söhne"}`, "company …"},
		"an address of others":   {`{"message":"bob@example.org has it already"}`, "… has it already"},
		"a telephone number":     {`{"message":"+49 170 1234567 has it already"}`, "… has it already"},
		"an id of Gleap's own":   {`{"message":"contact 65f1c0ffee65f1c0ffee0001 is locked"}`, "contact … is locked"},
		"the token":              {`{"message":"abcDEF123 may not do this"}`, "… may not do this"},
		"a key with digits":      {`{"message":"order_completed_last_30days must be a boolean"}`, "order_completed_last_30days must be a boolean"},
		"control characters":     {"{\"message\":\"a \\u001b[31mred\\n\\u0000line\"}", "a [31mred line"},
		"nothing":                {``, ""},
		"no JSON":                {`<html>x must be a number</html>`, ""},
		"no message":             {`{"success":false}`, ""},
		"a message of something": {`{"message":{"what":7}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := message([]byte(test.body), []byte(call), token); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	long := message([]byte(`{"message":"`+strings.Repeat("word ", 100)+`"}`), nil, "")
	if n := len([]rune(long)); n != longestMessage+1 {
		t.Errorf("%d characters, want %d", n, longestMessage+1)
	}
}

// TestMessageHidesValues: whatever an answer repeats of a call, as a word of its own, is not in
// the reason.
func TestMessageHidesValues(t *testing.T) {
	rounds.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[A-Za-zäöß0-9][A-Za-zäöß0-9 .@+-]{3,20}[A-Za-zäöß0-9]`).Draw(t, "value")
		value = strings.Join(strings.Fields(value), " ")
		contact := Contact{UserID: []byte(value), Fields: []FieldText{{Field: Name, Text: []byte(value)}}}
		body := `{"message":"userId ` + value + ` is wrong: (` + strings.ToUpper(value) + `)"}`
		if got := message([]byte(body), contact.AppendJSON(nil), ""); strings.Contains(strings.ToLower(got), strings.ToLower(value)) {
			t.Fatalf("%q has the value %q", got, value)
		}
	})
}
