package engage

import (
	"testing"

	"gleapsync/internal/values"
)

// TestSettings: the texts are within the fingerprints of states that earlier versions
// wrote. If one changes, every export is read again after an upgrade.
func TestSettings(t *testing.T) {
	e := Export{
		Source: "a", TempDir: "/tmp", Attributes: []Attribute{{Kind: Audience, Key: "k", Name: "n"}},
		Wildcards: []Wildcard{{Kind: Trait, Pattern: "x*", Type: values.Auto}}, Password: "p", Command: []string{"a"}, Timeout: 3,
	}
	want := `engage.Export{Source:"a", Dir:"", Pick:"", Format:"", TempDir:"", Delimiter:0x0, UserID:"", Identifiers:"", Attributes:[]engage.Attribute{engage.Attribute{Kind:"audience", Key:"k", Name:"n", Column:"", Type:""}}, Wildcards:[]engage.Wildcard{engage.Wildcard{Kind:"trait", Pattern:"x*", Type:"auto"}}, Exclude:[]string(nil), Fields:[]string(nil), Query:"", Table:"", Password:REDACTED, PasswordFile:"", Command:[]string{"a"}, Secrets:[]string(nil), Log:(func(string))(nil), Timeout:3, Changes:false, Discover:false, Columns:engage.ChangeColumns{AudienceName:"", AudienceID:"", AudienceAction:"", UserID:"", Timestamp:"", MessageID:""}}`
	if got := e.Settings(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	e.Keys = map[string]string{"x": "y"}
	if got := e.Settings(); got == want {
		t.Error("other keys make other rows")
	}
}
