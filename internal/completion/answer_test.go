package completion

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// grammar has one of everything that is told apart.
type grammar struct {
	Config  string `default:"default.toml" env:"COMPLETION_TEST_CONFIG" placeholder:"PATH"`
	Output  string `enum:"text,json" default:"text"`
	Verbose int    `short:"v" type:"counter"`
	Secret  string `hidden:""`

	Send struct {
		Only  []string          `placeholder:"KEY|PATTERN"`
		Limit map[string]string `placeholder:"KEY|PATTERN=LIMIT"`
		Dry   bool              `help:"Send nothing."`
		Rate  int
	} `cmd:"" help:"Send all."`
	Look struct {
		One struct {
			Key  string `arg:""`
			Full bool
		} `cmd:""`
		All struct{} `cmd:"" default:"1"`
	} `cmd:""`
	Copy struct {
		Path   string   `arg:""`
		Folder []string `arg:"" optional:""`
	} `cmd:""`
	Drop struct {
		Key string `arg:"" name:"former-key"`
	} `cmd:""`
	Draw struct {
		Shape string `arg:"" enum:"circle,square"`
	} `cmd:""`
	Internal struct{} `cmd:"" hidden:""`
}

func TestAnswer(t *testing.T) {
	t.Setenv("COMPLETION_TEST_CONFIG", "environment.toml")
	model := kong.Must(&grammar{}).Model
	keys := func(config string) []string {
		switch config {
		case "environment.toml":
			return []string{"vip", "orders"}
		case "other.toml":
			return []string{"others"}
		}
		return nil
	}
	const globals = " --help --config --output --verbose"
	for line, want := range map[string]string{
		"":                                  "send look copy drop draw",
		"s":                                 "send",
		"internal":                          "",
		"nosuch ":                           "",
		"nosuch --":                         "",
		"send nosuch ":                      "--only --limit --dry --rate" + globals,
		"-":                                 strings.TrimSpace(globals),
		"--o":                               "--output",
		"--s":                               "",
		"send ":                             "--only --limit --dry --rate" + globals,
		"send --dry --only vip --":          "--only --limit --rate" + globals,
		"send --dry=true --rate=3 --r":      "",
		"send -v --dr":                      "--dry",
		"--output ":                         "text json",
		"--output j":                        "json",
		"--output=":                         "--output=text --output=json",
		"--output=t":                        "--output=text",
		"--nosuch=":                         "",
		"send --output json --on":           "--only",
		"--output send ":                    "send look copy drop draw",
		"--config ":                         files,
		"--config=x":                        files,
		"send --only ":                      "vip orders",
		"send --only=o":                     "--only=orders",
		"send --limit ":                     "vip= orders=",
		"send --limit=v":                    "--limit=vip=",
		"send --limit vip=":                 "vip=", // as it stands: the limit is next
		"send --rate ":                      "",
		"look ":                             "one all",
		"look one ":                         "vip orders",
		"look one v":                        "vip",
		"look one -":                        "--full" + globals,
		"look one vip ":                     "--full" + globals,
		"look one -- ":                      "vip orders",
		"look one -- -":                     "",
		"look one --config other.toml ":     "others",
		"--config=other.toml look one ":     "others",
		"look one --config missing.toml ":   "",
		"look --full one vip --ou":          "--output",
		"copy ":                             files,
		"copy a ":                           folders,
		"copy a b c":                        folders,
		"drop ":                             "",
		"draw ":                             "circle square",
		"draw -- --output circle square sq": "",
	} {
		var out strings.Builder
		Answer(&out, model, strings.Split(line, " "), keys)
		var got []string
		for answer := range strings.Lines(out.String()) {
			candidate, _, _ := strings.Cut(strings.TrimSuffix(answer, "\n"), "\t")
			got = append(got, candidate)
		}
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q: got %s, want %s", line, got, want)
		}
	}
	var out strings.Builder
	Answer(&out, model, []string{"send", "--dr"}, keys)
	if out.String() != "--dry\tSend nothing.\n" {
		t.Errorf("with help: %q", out.String())
	}
	Answer(&out, model, nil, keys)
}

func TestScript(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if script, err := Script(shell); err != nil || !strings.Contains(script, Question) {
			t.Errorf("%s: %v\n%s", shell, err, script)
		}
	}
	if _, err := Script("csh"); err == nil {
		t.Error("csh: no error")
	}
}
