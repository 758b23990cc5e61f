package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestWorkflows: each is what its jobs say, their scripts are scripts, and no job may write to
// the repository but the one that makes a release.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) != 4 {
		t.Fatalf("%d workflows, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var w struct {
			Name        string
			On          any `json:"true"` // so YAML reads on
			Permissions map[string]string
			Jobs        map[string]struct {
				RunsOn  string `json:"runs-on"`
				Timeout int    `json:"timeout-minutes"`
				Steps   []struct {
					If, Uses, Run string
					With, Env     map[string]any
				}
			}
		}
		if err := yaml.UnmarshalStrict(text, &w); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if writes := w.Permissions["contents"] == "write"; writes != (w.Name == "release") || w.On == nil {
			t.Errorf("%s: permissions %v, on %v", file, w.Permissions, w.On)
		}
		for name, job := range w.Jobs {
			for _, step := range job.Steps {
				if (step.Uses == "") == (step.Run == "") || step.Uses != "" && !strings.Contains(step.Uses, "@v") {
					t.Errorf("%s, job %s: %+v", file, name, step)
				}
				check := exec.Command("bash", "-n")
				check.Stdin = strings.NewReader(step.Run)
				if out, err := check.CombinedOutput(); err != nil {
					t.Errorf("%s, job %s: %v\n%s", file, name, err, out)
				}
			}
		}
	}
	if text, _ := os.ReadFile("../.github/workflows/test.yml"); !strings.Contains(string(text), " .ci/run") {
		t.Error("no workflow calls .ci/run")
	}
}
