package outside

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"unicode"

	"gleapsync/internal/pattern"
)

// What others write may hold anything: a server repeats the password that it was sent, a
// command the row that it could not write. Whatever of it comes into an error or a log
// passes [Cleaner], or is said in own words.

// Most is how much of a text from outside is shown, in bytes.
const Most = 300

var (
	secretName = pattern.Of(`(?i)TOKEN|SECRET|PASS|.PWD|KEY|CREDENTIAL|AUTH|CONNECTION_STRING|WEBHOOK`) // not PWD, which is a folder
	userInfo   = pattern.Of(`://\S+@`)
	mail       = pattern.Of(`[\pL\pN._%+-]+@[\pL\pN-]+(\.[\pL\pN-]+)+`)
)

// Cleaner returns a function that makes a text from outside one line that can be shown. It
// takes secrets out: those named, those that the names of environment variables tell, and
// what stands before the @ of an address; and mail addresses.
func Cleaner(secrets ...string) func(string) string {
	all := slices.Clone(secrets)
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); secretName().MatchString(name) {
			all = append(all, value)
			all = append(all, strings.Split(value, "\n")...) // it is looked for line by line
		}
	}
	// What is so short is no secret, and stands in every other word.
	all = slices.DeleteFunc(all, func(s string) bool { return len(strings.TrimSpace(s)) < 4 })
	// The longest first, or a secret that begins with another one would show its end.
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var pairs []string
	for _, secret := range all {
		pairs = append(pairs, secret, "***")
	}
	replacer := strings.NewReplacer(pairs...)
	return func(text string) string {
		text = userInfo().ReplaceAllString(replacer.Replace(text), "://***@")
		text = mail().ReplaceAllString(strings.ToValidUTF8(text, "�"), "***")
		text = strings.TrimSpace(strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, text))
		if len(text) > Most {
			text = strings.ToValidUTF8(text[:Most], "") + "…"
		}
		return text
	}
}
