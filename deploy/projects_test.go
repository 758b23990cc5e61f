package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// makeProjects has the script write what it makes of configurations, beside a copy of the base.
func makeProjects(t *testing.T, configs map[string]string) (folder, out string, err error) {
	t.Helper()
	dir := t.TempDir()
	folder = filepath.Join(dir, "kubernetes")
	if err := os.CopyFS(folder, os.DirFS("kubernetes")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(folder, "projects")); err != nil { // somebody may have made some
		t.Fatal(err)
	}
	cmd := exec.Command("sh", filepath.Join(folder, "projects.sh"))
	for name, text := range configs {
		path := filepath.Join(dir, name)
		write(t, path, []byte(text))
		cmd.Args = append(cmd.Args, path)
	}
	text, err := cmd.CombinedOutput()
	return filepath.Join(folder, "projects"), string(text), err
}

// TestProjects: each project has a CronJob with nothing of another one.
func TestProjects(t *testing.T) {
	base, err := os.ReadFile(filepath.Join("kubernetes", "base", "gleapsync.toml"))
	if err != nil {
		t.Fatal(err)
	}
	configs := map[string]string{}
	for n := range 12 {
		name := fmt.Sprintf("client-%02d", n)
		configs[name+".toml"] = strings.Replace(string(base), "project = ", fmt.Sprintf("# of %s\nproject = ", name), 1)
	}
	folder, out, err := makeProjects(t, configs)
	if err != nil {
		t.Fatal(err, out)
	}
	objects := buildAt(t, folder)
	if len(objects) != 4*len(configs) {
		t.Errorf("%d objects for %d projects", len(objects), len(configs))
	}
	minutes := map[string]bool{}
	for file := range configs {
		name := strings.TrimSuffix(file, ".toml")
		job := get[batchv1.CronJob](t, objects, "CronJob "+name+"-gleapsync")
		text := get[corev1.ConfigMap](t, objects, "ConfigMap "+name+"-gleapsync").Data["gleapsync.toml"]
		get[corev1.PersistentVolumeClaim](t, objects, "PersistentVolumeClaim "+name+"-gleapsync-state")
		if text != configs[file] {
			t.Errorf("%s has the configuration\n%s", name, text)
		}
		minutes[job.Spec.Schedule] = true
		if !strings.HasSuffix(job.Spec.Schedule, " */2 * * *") {
			t.Errorf("%s: schedule %q", name, job.Spec.Schedule)
		}
		pod := job.Spec.JobTemplate.Spec.Template
		if pod.Labels["app.kubernetes.io/instance"] != name {
			t.Errorf("%s: labels %v", name, pod.Labels)
		}
		var got []string
		for _, v := range pod.Spec.Volumes {
			switch {
			case v.ConfigMap != nil:
				got = append(got, v.ConfigMap.Name)
			case v.Secret != nil:
				got = append(got, v.Secret.SecretName)
				if *v.Secret.DefaultMode != 0o440 {
					t.Errorf("%s: the token has the mode %o", name, *v.Secret.DefaultMode)
				}
			case v.PersistentVolumeClaim != nil:
				got = append(got, v.PersistentVolumeClaim.ClaimName)
			}
		}
		want := []string{name + "-gleapsync", name + "-gleapsync-token", name + "-gleapsync-exports", name + "-gleapsync-state"}
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s has the volumes %q", name, got)
		}
	}
	if len(minutes) < 6 {
		t.Errorf("12 projects begin at %d times: %v", len(minutes), minutes)
	}
}

// TestProjectsRefused: what Kubernetes would not take, or a project would lose to another one, is
// said before anything is written.
func TestProjectsRefused(t *testing.T) {
	for name, want := range map[string]string{
		"Acme.toml": "call it something like acme.toml", "a_b.toml": "call it", "-a.toml": "call it", strings.Repeat("a", 43) + ".toml": "call it", "x.TOML": "call it",
	} {
		folder, out, err := makeProjects(t, map[string]string{name: "", "fine.toml": ""})
		if _, there := os.Stat(folder); err == nil || !strings.Contains(out, want) || there == nil {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
	if out, err := exec.Command("sh", "kubernetes/projects.sh", "nowhere/acme.toml").CombinedOutput(); err == nil || !strings.Contains(string(out), "no such file") {
		t.Errorf("%v %s", err, out)
	}
	if out, err := exec.Command("sh", "kubernetes/projects.sh", "a/acme.toml", "b/acme.toml").CombinedOutput(); err == nil {
		t.Errorf("%s", out)
	}
}
