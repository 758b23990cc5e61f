package schema_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/app"
)

// TestMain has the commands at hand. The program's own tests do not stand here: each of their many
// commands would begin with what the validator does at its start.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gleapsync": gleapsync})
}

// gleapsync runs a command, with the exit code 4 if an export was held.
func gleapsync() {
	a, err := app.Parse(os.Args[1:], "test")
	if err == nil {
		err = a.Run(context.Background())
		a.Close()
	}
	if errors.Is(err, app.ErrHeld) {
		os.Exit(4)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// schemaOf returns what gleapsync schema prints, read by a validator.
func schemaOf(t *testing.T, of string) *jsonschema.Schema {
	t.Helper()
	text, err := exec.Command("gleapsync", "schema", of).Output()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(of, parsed); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(of)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchemaOfConfigurations: whatever the documentation shows is right, and what the program
// refuses is not.
func TestSchemaOfConfigurations(t *testing.T) {
	s := schemaOf(t, "config")
	check := func(text string) error {
		var v map[string]any
		if err := toml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		asJSON, err := json.Marshal(v) // dates become texts
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		if err != nil {
			t.Fatal(err)
		}
		return s.Validate(parsed)
	}
	example, err := os.ReadFile("../../config.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{string(example)}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?ms)^```toml\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
			settings := block[1]
			if !strings.Contains(settings, "[") { // a source alone
				settings = "[[audience]]\n" + settings
			}
			all = append(all, settings)
		}
	}
	for _, text := range all {
		if err := check(text); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	if len(all) < 20 {
		t.Errorf("%d configurations only", len(all))
	}
	for _, text := range []string{
		"projekt = \"a\"", "[gleap]\nregion = \"mars\"", "[guard]\nmax_exits = true", "[sync]\nmemory = 5", "[[table]]\naudience = [\"a\"]", "[audience]\nname = \"a\"",
	} {
		if check(text) == nil {
			t.Errorf("it takes %s", text)
		}
	}
	if err := check("[gleap]\nregion = \"${REGION}\""); err != nil {
		t.Error(err)
	}
}

// TestSchemaOfOutput: what the program prints and sends is what its schemas say.
func TestSchemaOfOutput(t *testing.T) {
	var sent []string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = append(sent, string(body))
	}))
	defer receiver.Close()
	gleap := httptest.NewServer(sandbox.New(sandbox.Options{Token: "secret-token"}))
	defer gleap.Close()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "examples"), os.DirFS("../../examples")); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile("../../config.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(config), `base_url = "sandbox"`, `base_url = "`+gleap.URL+"\"\napi_token_env = \"GLEAP_API_TOKEN\"", 1)
	text += "\n[log]\npath = \"deliveries\"\n[notify]\nwebhook = \"" + receiver.URL + "\"\n"
	if err := os.WriteFile(filepath.Join(dir, "gleapsync.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	day := "day1"
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("gleapsync", append(args, "--output", "json")...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GLEAP_API_TOKEN=secret-token", "DAY="+day)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil && cmd.ProcessState.ExitCode() != 4 {
			t.Fatalf("%v: %v\n%s", args, err, &errs)
		}
		return string(out)
	}
	valid := func(of string, s *jsonschema.Schema, text string) {
		t.Helper()
		n := 0
		for decoder := json.NewDecoder(strings.NewReader(text)); ; n++ {
			var raw json.RawMessage
			if err := decoder.Decode(&raw); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(v); err != nil {
				t.Errorf("%s: %v\n%s", of, err, raw)
			}
		}
		if n == 0 {
			t.Errorf("%s: there is nothing to look at", of)
		}
	}
	report, changes := schemaOf(t, "report"), schemaOf(t, "changes")
	valid("changes", changes, run("plan", "--changes"))
	if err := os.WriteFile(filepath.Join(dir, "examples/day1/vip_customers_eu.csv"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	valid("sync", report, run("sync")) // news, with none before
	day = "day2"
	valid("changes", changes, run("plan", "--changes"))
	valid("plan", report, run("plan"))
	if err := os.WriteFile(filepath.Join(dir, "examples/day2/vip_customers_eu.csv"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	valid("sync", report, run("sync"))
	valid("inspect runs", report, run("inspect", "runs", "last"))
	valid("deliveries", schemaOf(t, "deliveries"), run("inspect", "deliveries"))
	valid("webhook", schemaOf(t, "webhook"), strings.Join(sent, "\n"))
}
