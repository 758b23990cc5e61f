package nearest

import "testing"

func TestWord(t *testing.T) {
	known := []string{"audience", "project", "first_name", "last_name", "email", "vip", "max_exits", "on", "zip", "churn_eu"}
	for word, want := range map[string]string{
		"audeince": "audience", "audiences": "audience", "Project": "project", "mail": "email", "vpi": "vip", "maxexits": "max_exits",
		"vip": "vip", "churn": "churn_eu", "exits": "max_exits", "name": "last_name", "x": "", "on": "on", "no": "on", "": "", "something": "",
	} {
		if got := Word(word, known); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
	if got := Hint("mail", known); got != `: did you mean "email"?` {
		t.Error(got)
	}
	if got := Hint("something", known); got != "" {
		t.Error(got)
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "xbc", 1}, {"abc", "bc", 1}, {"kitten", "sitting", 3}} {
		if got := distance(test.a, test.b); got != test.want || distance(test.b, test.a) != test.want {
			t.Errorf("%s and %s: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
