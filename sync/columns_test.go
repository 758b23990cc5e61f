//go:build unix

package sync

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gleapsync/engage"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/values"
)

// patterns is a table of which all columns of audiences are taken that match.
func patterns(export engage.Export, pattern string) inputs.Export {
	export.Wildcards = []engage.Wildcard{{Kind: engage.Audience, Pattern: pattern}}
	return inputs.Export{Export: export}
}

// command is what a shell script writes.
func command(text string) engage.Export {
	return engage.Export{Command: []string{"/bin/sh", "-c", text}, Source: "sh"}
}

// TestCommandsInTurn: no more commands run at a time than are read, also where only their
// output tells which attributes there are. Each writes more than fits on its way.
func TestCommandsInTurn(t *testing.T) {
	const tables = 20
	w := newWorld(t)
	if err := os.Mkdir(filepath.Join(w.dir, "running"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range tables {
		text := fmt.Sprintf(`touch running/%[1]d; ls running | wc -l > most-%[1]d; echo user_id,vip_%[1]d; yes u%[1]d,1 | head -c 400000; ls running | wc -l >> most-%[1]d; rm running/%[1]d`, i)
		e := patterns(command(text), fmt.Sprintf("vip_%d", i))
		e.Dir = w.dir
		w.options.Exports = append(w.options.Exports, e)
	}
	report, err := w.runner(t).Sync(t.Context(), inputs.Request{})
	if err != nil || report.Held() || len(report.Exports) != tables || len(w.contacts()) != tables {
		t.Fatalf("%v, %+v, %d contacts", err, report.Exports, len(w.contacts()))
	}
	for i := range tables {
		text, err := os.ReadFile(filepath.Join(w.dir, fmt.Sprintf("most-%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range strings.Fields(string(text)) {
			var n int
			if _, err := fmt.Sscan(field, &n); err != nil || n > runtime.GOMAXPROCS(0) {
				t.Errorf("beside command %d: %s at a time, %v", i, field, err)
			}
		}
		if report.Exports[i].Key != fmt.Sprintf("vip_%d", i) {
			t.Errorf("export %d is %s", i, report.Exports[i].Key)
		}
	}
}

// TestCommandsLikeFiles: what can be read once gives the same attributes, values and reasons
// as files of which the header is read first.
func TestCommandsLikeFiles(t *testing.T) {
	days := [][]string{
		{"user_id,vip_a,vip_b,plan,VIP_A\nu1,1,0,x,1\nu2,0,1,y,1\n", "user_id,vip_b,vip_c\nu1,1,1\nu3,0,1\n", "user_id,x\n1,2\n"},
		{"user_id,vip_c,vip_a,vip_d\nu1,1,0,\nu2,,1,oops\n", "user_id,vip_b\nu1,0\n", "user_id,vip_z\nu1,1\n"},
		{"user_id,vip_a\nu1,1\n", "", "user_id,vip_z\nu1,1\n"},
	}
	of := func(export func(name string) engage.Export) string {
		w := newWorld(t)
		for _, name := range []string{"0.csv", "1.csv", "2.csv"} {
			e := inputs.Export{Export: export(name)}
			e.Dir = w.dir
			e.Wildcards = []engage.Wildcard{{Kind: engage.Audience, Pattern: "vip*"}, {Kind: engage.Trait, Pattern: "plan", Type: values.Auto}}
			w.options.Exports = append(w.options.Exports, e)
		}
		w.options.Guard.MaxInvalid = guard.Limit{}
		var said []string
		for _, day := range days {
			for i, text := range day {
				w.write(t, fmt.Sprintf("%d.csv", i), text)
			}
			report, err := w.runner(t).Sync(t.Context(), inputs.Request{})
			for _, e := range report.Exports {
				reason := e.Reason
				for i := range 3 {
					reason = strings.ReplaceAll(reason, fmt.Sprintf("%d.csv", i), "it")
				}
				said = append(said, fmt.Sprint(e.Kind, e.Key, e.Status, reason, e.Rows, e.Invalid, e.Members, e.Entered, e.Exited))
			}
			said = append(said, fmt.Sprint(err, w.contacts()))
		}
		return strings.Join(said, "\n")
	}
	files := of(func(name string) engage.Export { return engage.Export{Source: name} })
	commands := of(func(name string) engage.Export {
		e := command("cat " + name)
		e.Source = name
		return e
	})
	if files != commands {
		t.Errorf("of files:\n%s\nof commands:\n%s", files, commands)
	}
}

// TestUnchangedHeader: a table that did not change is not opened, although patterns name its
// columns, unless something in it could not be taken.
func TestUnchangedHeader(t *testing.T) {
	text, generation, opened := "user_id,vip,vip_eu\nu1,1,0\n", 1, 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /storage/v1/b/exports/o", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"items": []map[string]string{
			{"name": "t.csv", "generation": fmt.Sprint(generation), "size": fmt.Sprint(len(text)), "updated": "2026-03-01T00:00:00Z"},
		}})
	})
	mux.HandleFunc("GET /storage/v1/b/exports/o/{key}", func(w http.ResponseWriter, r *http.Request) {
		opened++
		w.Header().Set("X-Goog-Generation", r.FormValue("ifGenerationMatch"))
		_, _ = w.Write([]byte(text))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
	w := newWorld(t, patterns(engage.Export{Source: "gs://exports/t.csv"}, "vip*"))
	for _, step := range []struct {
		name, text string // "": as before
		opens      bool
		request    inputs.Request
		want       string
	}{
		{"the first day", "", true, inputs.Request{}, "vip applied, vip_eu applied"},
		{"unchanged", "", false, inputs.Request{}, "vip unchanged, vip_eu unchanged"},
		{"in full", "", true, inputs.Request{Full: true}, "vip applied, vip_eu applied"},
		{"a column more", "user_id,vip,vip_us,vip_eu\nu1,1,1,0\n", true, inputs.Request{}, "vip applied, vip_us applied, vip_eu applied"},
		{"unchanged since", "", false, inputs.Request{}, "vip unchanged, vip_eu unchanged, vip_us unchanged"},
		{"a key twice", "user_id,vip,vip_x,VIP-X\nu1,1,1,1\n", true, inputs.Request{}, "vip applied, vip_eu held, vip_us held, vip_x held, vip_x held"},
		{"still twice", "", true, inputs.Request{}, "vip unchanged, vip_eu held, vip_us held, vip_x held, vip_x held"},
	} {
		before := opened
		if step.text != "" {
			text, generation = step.text, generation+1
		}
		report, err := w.runner(t).Sync(t.Context(), step.request)
		var got []string
		for _, e := range report.Exports {
			got = append(got, fmt.Sprint(e.Key, " ", e.Status))
		}
		slices.Sort(got)
		want := strings.Split(step.want, ", ")
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) || (opened > before) != step.opens {
			t.Errorf("%s: %v, %q, opened %d times, want %q", step.name, err, got, opened-before, want)
		}
	}
}
