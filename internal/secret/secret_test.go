package secret

import (
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"strings"
	"testing"
)

func TestIsNeverPrinted(t *testing.T) {
	o := struct{ Token, Other Text }{"hidden-1", "hidden-2"}
	var logged strings.Builder
	for _, log := range []*slog.Logger{slog.New(slog.NewTextHandler(&logged, nil)), slog.New(slog.NewJSONHandler(&logged, nil))} {
		log.Info("x", "token", o.Token, "options", o)
	}
	if err := template.Must(template.New("").Parse("{{.Token}}")).Execute(&logged, o); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(o)
	all := fmt.Sprint(o, o.Token) + fmt.Sprintf("%v %+v %#v %s %q %x %d", o, o, o, o.Token, o.Token, o.Token, o.Token) + logged.String() + string(text)
	if err != nil || strings.Contains(all, "hidden") || strings.Contains(all, fmt.Sprintf("%x", "hidden")) || strings.Count(all, redacted) < 16 {
		t.Errorf("%s, %v", all, err)
	}
}
