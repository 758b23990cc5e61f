package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// settingsPath is where the recipes look for the configuration.
const settingsPath = "/etc/gleapsync/gleapsync.toml"

// scheduled is a project with a program on its PATH that can be told how to end.
type scheduled struct{ dir, config string }

func newScheduled(t *testing.T) scheduled {
	s := scheduled{dir: t.TempDir()}
	s.config = filepath.Join(s.dir, "gleapsync.toml")
	write(t, filepath.Join(s.dir, "vip.csv"), []byte("user_id\nu1\n"))
	write(t, s.config, []byte("project = \"acme\"\n[gleap]\nbase_url = \"sandbox\"\n[[audience]]\nname = \"VIP\"\nsource = \"vip.csv\"\n"))
	// Without a code it is the real one.
	script := "#!/bin/sh\n[ -n \"$CODE\" ] && exit \"$CODE\"\nexec " + program + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(s.dir, "gleapsync"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// recipe returns a recipe for this project.
func (s scheduled) recipe(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("schedulers", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(strings.ReplaceAll(string(text), settingsPath, s.config), "/var/lib/gleapsync/last.txt", filepath.Join(s.dir, "last.txt"))
}

// run runs a command with a program that ends with code; nothing is the real one.
func (s scheduled) run(code, name string, args ...string) (ended int, out string) {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "PATH="+s.dir+":"+os.Getenv("PATH"), "CODE="+code, "PYTHONDONTWRITEBYTECODE=1")
	text, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(text)
}

// synced fails unless the project was synced.
func (s scheduled) synced(t *testing.T) {
	t.Helper()
	out, err := exec.Command(program, "inspect", "audience", "vip", "--config", s.config).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1") {
		t.Errorf("it was not synced: %v\n%s", err, out)
	}
}

func TestCrontab(t *testing.T) {
	s := newScheduled(t)
	lines := strings.Split(strings.TrimSpace(s.recipe(t, "crontab")), "\n")
	_, command, ok := strings.Cut(lines[len(lines)-1], " * * * ")
	if !ok {
		t.Fatal(lines)
	}
	if code, out := s.run("", "sh", "-c", command); code != 0 || out != "" {
		t.Errorf("%d, and cron mails %q", code, out)
	}
	s.synced(t)
	for code, mailed := range map[string]string{"75": "", "4": "gleapsync ended with exit code 4\n", "1": "gleapsync ended with exit code 1\n"} {
		if _, out := s.run(code, "sh", "-c", command); out != mailed {
			t.Errorf("exit code %s: cron mails %q, want %q", code, out, mailed)
		}
	}
}

func TestGitHubActions(t *testing.T) {
	s := newScheduled(t)
	var w struct {
		Jobs map[string]struct{ Steps []struct{ Run string } }
	}
	if err := yaml.Unmarshal([]byte(s.recipe(t, "github-actions.yml")), &w); err != nil {
		t.Fatal(err)
	}
	steps := w.Jobs["sync"].Steps
	script := steps[len(steps)-1].Run
	for code, want := range map[string]string{"": "0 ", "3": "0 ::warning::", "4": "0 ::warning::", "75": "0 ::notice::", "1": "1 ", "5": "5 "} {
		ended, out := s.run(code, "bash", "-e", "-c", script)
		if got := fmt.Sprint(ended, " ", out); !strings.HasPrefix(got, want) {
			t.Errorf("exit code %q: %s, want %s", code, got, want)
		}
	}
	s.synced(t)
}

// TestPython runs the recipes beside modules that do what the schedulers' own do with what is
// raised: they are hundreds of packages.
func TestPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3")
	}
	s := newScheduled(t)
	for name, text := range map[string]string{
		"airflow/__init__.py": "",
		"airflow/decorators.py": `def dag(**settings):
    assert settings["catchup"] is False and settings["max_active_runs"] == 1
    return lambda f: f
def task(**settings):
    return lambda f: f
`,
		"airflow/exceptions.py": `class AirflowException(Exception): pass
class AirflowFailException(AirflowException): pass
class AirflowSkipException(AirflowException): pass
`,
		"dagster.py": `class Failure(Exception):
    def __init__(self, description, allow_retries=True):
        super().__init__(description)
        self.retries = allow_retries
class RetryPolicy:
    def __init__(self, max_retries, delay): pass
class ScheduleDefinition:
    def __init__(self, job, cron_schedule): job()
class Context:
    class log:
        info = print
def op(retry_policy):
    return lambda f: lambda: f(Context)
def job(f): return f
`,
		"run.py": `import runpy, sys
try:
    runpy.run_path(sys.argv[1])
    print("success")
except Exception as e:
    print(type(e).__name__, getattr(e, "retries", ""), e)
`,
	} {
		path := filepath.Join(s.dir, "modules", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, []byte(text))
	}
	for recipe, ends := range map[string]map[string]string{
		"airflow.py": {"": "success", "1": "AirflowException ", "3": "AirflowFailException ", "4": "AirflowFailException ", "5": "AirflowException ", "75": "AirflowSkipException "},
		"dagster.py": {"": "success", "1": "Failure True", "3": "Failure False", "4": "Failure False", "5": "Failure True", "75": "another run goes on\nsuccess"},
	} {
		path := filepath.Join(s.dir, "recipe_"+recipe)
		write(t, path, []byte(s.recipe(t, recipe)))
		for code, want := range ends {
			_, out := s.run(code, "python3", filepath.Join(s.dir, "modules/run.py"), path)
			if code == "" {
				out = out[max(0, strings.LastIndex(strings.TrimSpace(out), "\n")+1):]
			}
			if !strings.HasPrefix(out, want) {
				t.Errorf("%s, exit code %q: %s, want %s", recipe, code, out, want)
			}
		}
		s.synced(t)
		if err := os.Remove(filepath.Join(s.dir, "gleapsync.db")); err != nil {
			t.Error(err)
		}
		if err := os.Remove(filepath.Join(s.dir, "gleapsync.db.lock")); err != nil {
			t.Error(err)
		}
	}
}

// TestTasks runs the program as those recipes do that are data.
func TestTasks(t *testing.T) {
	s := newScheduled(t)
	var task struct {
		ContainerDefinitions []struct{ Command []string }
	}
	if err := json.Unmarshal([]byte(s.recipe(t, "ecs-task.json")), &task); err != nil {
		t.Fatal(err)
	}
	var job struct {
		Spec struct {
			Template struct {
				Spec struct {
					Template struct {
						Spec struct {
							MaxRetries int
							Containers []struct{ Args []string }
						}
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(s.recipe(t, "cloud-run-job.yaml")), &job); err != nil {
		t.Fatal(err)
	}
	var nomad []string
	found := regexp.MustCompile(`(?m)^ *args += (\[.*\])$`).FindStringSubmatch(s.recipe(t, "nomad.hcl"))
	if found == nil {
		t.Fatal("nomad.hcl has no args")
	}
	if err := json.Unmarshal([]byte(found[1]), &nomad); err != nil {
		t.Fatal(err)
	}
	if text := s.recipe(t, "ecs-schedule.json"); !json.Valid([]byte(text)) {
		t.Error("ecs-schedule.json is no JSON")
	}
	args := task.ContainerDefinitions[0].Command
	for _, other := range [][]string{job.Spec.Template.Spec.Template.Spec.Containers[0].Args, nomad} {
		if !slices.Equal(args, other) {
			t.Errorf("%q and %q", args, other)
		}
	}
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	s.synced(t)
}
