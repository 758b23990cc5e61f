package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport says which packages of ours a package may import: groups of them, from the bottom to the
// top. A package imports those of its own group and of groups above it here.
var mayImport = map[string]string{
	// Words and small things, each for itself.
	"internal/attr":       "",
	"internal/cell":       "",
	"internal/completion": "",
	"internal/exchange":   "",
	"internal/human":      "",
	"internal/nearest":    "",
	"internal/outside":    "internal/pattern",
	"internal/pattern":    "",
	"internal/schedule":   "",
	"internal/schema":     "",
	"internal/jsonscan":   "",
	"internal/keys":       "",
	"internal/secret":     "",
	"internal/tempdir":    "",
	"internal/textfile":   "",
	"internal/foreign":    "internal/jsonscan",
	"internal/userid":     "internal/attr internal/cell internal/jsonscan internal/values",
	"internal/values":     "internal/attr internal/cell internal/jsonscan",
	"internal/wholefile":  "",

	// For tests.
	"internal/postgrestest": "internal/rounds",
	"internal/rounds":       "",
	"internal/s3test":       "",
	"internal/trinotest":    "internal/rounds",
	"internal/ttytest":      "",

	// Sorting and reading know nothing of Gleap.
	"internal/extsort": "",
	"internal/bucket":  "internal/exchange internal/outside internal/pattern",
	"internal/source":  "internal/bucket internal/outside",
	"internal/rowlist": "internal/extsort",
	"internal/parquet": "internal/cell",
	"internal/table":   "internal/cell internal/foreign internal/jsonscan internal/keys internal/nearest internal/parquet internal/source",
	// What a database keeps of exports: SQL, and no connection.
	"internal/generation": "internal/userid",
	// One protocol each, and which of them an address is for.
	"internal/postgres": "internal/cell internal/generation internal/nearest internal/outside internal/secret internal/source internal/textfile",
	"internal/database": "internal/cell internal/generation internal/postgres internal/secret internal/trino",
	"internal/trino":    "internal/cell internal/exchange internal/generation internal/jsonscan internal/nearest internal/outside internal/secret internal/source internal/textfile",

	// The three parts of a sync do not know each other, nor sync.
	"engage": "internal/attr internal/cell internal/database internal/extsort internal/generation internal/jsonscan internal/keys internal/parquet internal/pattern internal/secret internal/source internal/table internal/userid internal/values",
	"gleap":  "internal/attr internal/exchange internal/secret",
	"state":  "internal/attr internal/nearest internal/wholefile",
	// A wire struct that it shared with the client would hide a mistake on the wire.
	"gleap/sandbox": "",

	"internal/replica":    "internal/attr internal/bucket state",
	"internal/runs":       "engage internal/human internal/values state",
	"internal/guard":      "internal/human internal/runs state",
	"internal/damping":    "internal/attr internal/runs state",
	"internal/forms":      "gleap state",
	"internal/done":       "engage state",
	"internal/kept":       "engage internal/keys internal/values state",
	"internal/known":      "engage internal/attr internal/extsort internal/guard internal/runs state",
	"internal/events":     "engage gleap internal/attr internal/done internal/extsort internal/guard internal/runs internal/values state",
	"internal/planfile":   "gleap internal/attr internal/extsort internal/runs state",
	"internal/deliveries": "internal/bucket internal/runs internal/wholefile",
	"internal/push":       "gleap internal/attr internal/deliveries internal/extsort internal/planfile internal/runs state",
	"internal/inputs":     "engage gleap internal/attr internal/damping internal/done internal/extsort internal/generation internal/guard internal/human internal/kept internal/keys internal/known internal/rowlist internal/runs internal/schedule internal/values state",
	"sync":                "engage gleap internal/attr internal/damping internal/deliveries internal/done internal/events internal/extsort internal/forms internal/guard internal/human internal/inputs internal/job internal/keys internal/known internal/planfile internal/push internal/rowlist internal/runs internal/savedplan state",
	"internal/inspect":    "engage internal/attr internal/deliveries internal/forms internal/inputs internal/kept internal/replica internal/runs internal/values state sync",
	"internal/job":        "gleap internal/push state",
	"internal/savedplan":  "gleap internal/extsort internal/job internal/planfile internal/push internal/runs internal/tempdir internal/wholefile state",

	// Settings.
	"internal/config": "engage gleap internal/attr internal/bucket internal/damping internal/database internal/deliveries internal/events internal/exchange internal/guard internal/inputs internal/keys internal/known internal/nearest internal/schedule internal/schema internal/secret internal/source internal/textfile internal/values state sync",

	// Of several projects.
	"internal/projects": "internal/config internal/secret",

	// Around one of them.
	"internal/starter": "engage internal/attr internal/config internal/database internal/keys internal/pattern internal/source internal/values internal/wholefile",
	"internal/console": "engage gleap gleap/sandbox internal/attr internal/deliveries internal/human internal/inspect internal/replica internal/runs internal/starter state sync",
	"internal/metrics": "engage internal/config internal/exchange internal/inspect internal/replica internal/runs sync",
	// Linked with a tag only, and so beside metrics, which it takes as data.
	"internal/otlp":   "internal/exchange internal/metrics internal/runs",
	"internal/notify": "engage internal/config internal/exchange internal/human internal/runs internal/secret",
	"internal/page":   "internal/human internal/inspect internal/runs state sync",
	"internal/serve":  "engage internal/config internal/exchange internal/human internal/inspect internal/metrics internal/page internal/projects internal/runs internal/schedule internal/textfile internal/userid state sync",

	// Commands put it together, for the main package alone.
	"internal/app": "engage gleap gleap/sandbox internal/completion internal/config internal/console internal/deliveries internal/guard internal/human internal/inputs internal/inspect internal/metrics internal/nearest internal/notify internal/otlp internal/page internal/pattern internal/projects internal/replica internal/runs internal/savedplan internal/schedule internal/schema internal/secret internal/serve internal/starter internal/tempdir internal/textfile internal/userid internal/values internal/wholefile state sync",
	"":             "gleap internal/app internal/human state sync",
}

// mustNotLink says what must not come into a program along with a package.
var mustNotLink = map[string][]string{
	"":                {"go.opentelemetry.io", "google.golang.org/grpc", "google.golang.org/protobuf"},
	"internal/config": {"github.com/prometheus"},
	"internal/page":   {"gleapsync/internal/console", "github.com/jedib0t/go-pretty", "golang.org/x/term"},
}

// TestArchitecture: no package imports what the tables above do not let it.
func TestArchitecture(t *testing.T) {
	list := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "gleapsync"
	short := func(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath    string
			Imports, Deps []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := short(p.ImportPath)
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("the package %s is new: say in mayImport, in architecture_test.go, which packages it may import, and add it to those that may import it", name)
			continue
		}
		for _, path := range p.Imports {
			if strings.HasPrefix(path, module+"/") && !slices.Contains(strings.Fields(allowed), short(path)) {
				t.Errorf("%s imports %s: that is not in mayImport, in architecture_test.go", p.ImportPath, path)
			}
		}
		for _, path := range p.Deps {
			for _, no := range mustNotLink[name] {
				if path == no || strings.HasPrefix(path, no+"/") {
					t.Errorf("%s links %s: see mustNotLink in architecture_test.go", p.ImportPath, path)
				}
			}
		}
	}
}
