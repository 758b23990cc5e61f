//go:build linux

package apitest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// operators are the groups of kinds that an operator brings, which is not here.
var operators = map[string]bool{"monitoring.coreos.com": true}

// TestManifests applies each overlay in a namespace of its own, which takes only pods that keep
// the standard "restricted". The CronJobs, with a slot each minute, make a Job and its pod, and at
// the next slot no other one.
func TestManifests(t *testing.T) {
	c := newCluster(t)
	folders := map[string]string{"projects": makeProjects(t)}
	for _, overlay := range []string{"base", "replica", "serve", "full"} {
		folders[overlay] = filepath.Join("..", "kubernetes", overlay)
	}
	for overlay, folder := range folders {
		t.Run(overlay, func(t *testing.T) {
			t.Parallel()
			c := c.inNamespace(t, "gleapsync-"+overlay)
			var cronJobs []string
			pods := 0
			for _, object := range build(t, folder) {
				if operators[object.GroupVersionKind().Group] {
					t.Logf("passed over: %s %s needs an operator", object.GetKind(), object.GetName())
					continue
				}
				switch object.GetKind() {
				case "CronJob":
					if err := unstructured.SetNestedField(object.Object, "* * * * *", "spec", "schedule"); err != nil {
						t.Fatal(err)
					}
					cronJobs = append(cronJobs, object.GetName())
					pods++
				case "Job", "StatefulSet":
					pods++
				}
				first := c.apply(t, object)
				if again := c.apply(t, object); again.GetGeneration() != first.GetGeneration() {
					t.Errorf("%s %s changes if it is applied again", object.GetKind(), object.GetName())
				}
			}
			if pods == 0 {
				t.Fatal("nothing here makes a pod")
			}
			for n, pod := range await(t, c.CoreV1().Pods(c.namespace).Watch, pods, func(*corev1.Pod) bool { return true }) {
				if n == 0 {
					c.refusesMore(t, pod)
				}
			}
			for _, name := range cronJobs {
				await(t, c.CoreV1().Events(c.namespace).Watch, 1, func(e *corev1.Event) bool {
					return e.InvolvedObject.Name == name && e.Reason == "JobAlreadyActive"
				})
			}
			jobs, err := c.BatchV1().Jobs(c.namespace).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range cronJobs {
				if n := count(jobs.Items, name); n != 1 {
					t.Errorf("%s made %d Jobs, though the first one goes on", name, n)
				}
			}
		})
	}
}

func count(jobs []batchv1.Job, owner string) (n int) {
	for _, job := range jobs {
		if by := metav1.GetControllerOf(&job); by != nil && by.Kind == "CronJob" && by.Name == owner {
			n++
		}
	}
	return n
}

// cluster is what to ask, and where.
type cluster struct {
	kubernetes.Interface
	dynamic   *dynamic.DynamicClient
	mapper    *restmapper.DeferredDiscoveryRESTMapper
	namespace string
}

func newCluster(t *testing.T) cluster {
	config := startCluster(t)
	config = rest.CopyConfig(config)
	config.WarningHandlerWithContext = failing{t} // a warning is of what goes away, or is not taken
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return cluster{Interface: clients, dynamic: objects, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(clients.Discovery()))}
}

// failing fails a test that the API server warns.
type failing struct{ *testing.T }

func (f failing) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	f.Errorf("the API server warns: %s", text)
}

// inNamespace makes a namespace that takes only pods that keep the standard "restricted".
func (c cluster) inNamespace(t *testing.T, name string) cluster {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	if _, err := c.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.namespace = name
	// A controller makes the account that the pods are for.
	await(t, c.CoreV1().ServiceAccounts(name).Watch, 1, func(a *corev1.ServiceAccount) bool { return a.Name == "default" })
	return c
}

// apply has the server apply an object, and takes no unknown, misspelt or repeated field.
func (c cluster) apply(t *testing.T, object *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	kind := object.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		t.Fatal(err)
	}
	text, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	applied, err := c.dynamic.Resource(mapping.Resource).Namespace(c.namespace).Patch(t.Context(), object.GetName(), types.ApplyPatchType, text,
		metav1.PatchOptions{FieldManager: "gleapsync", FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
	return applied
}

// refusesMore looks whether the server would take a pod that may do more, and one with a misspelt
// field: else it proves nothing that it took this one.
func (c cluster) refusesMore(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	more := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "more"}, Spec: *pod.Spec.DeepCopy()}
	more.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = new(true)
	_, err := c.CoreV1().Pods(c.namespace).Create(t.Context(), more, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "allowPrivilegeEscalation") {
		t.Errorf("a pod that may become root: %v", err)
	}
	misspelt := []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"misspelt"},"date":{}}`)
	_, err = c.dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(c.namespace).Patch(t.Context(), "misspelt",
		types.ApplyPatchType, misspelt, metav1.PatchOptions{FieldManager: "gleapsync", FieldValidation: metav1.FieldValidationStrict})
	if err == nil || !strings.Contains(err.Error(), "date") {
		t.Errorf("a misspelt field: %v", err)
	}
}

// await waits for so many objects that are as wanted.
func await[T any](t *testing.T, watchAll func(context.Context, metav1.ListOptions) (watch.Interface, error), n int, wanted func(*T) bool) (found []*T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second) // two slots
	defer cancel()
	for ctx.Err() == nil { // a server ends a watch when it likes
		w, err := watchAll(ctx, metav1.ListOptions{ResourceVersion: "0"}) // it begins with those that are there
		if err != nil {
			t.Fatal(err)
		}
		found = nil
		for event := range w.ResultChan() {
			object, ok := any(event.Object).(*T)
			if !ok {
				t.Logf("watch: %v", apierrors.FromObject(event.Object))
			} else if event.Type == watch.Added && wanted(object) {
				if found = append(found, object); len(found) == n {
					w.Stop()
					return found
				}
			}
		}
	}
	t.Fatalf("%d of %d %T came", len(found), n, *new(T))
	return nil
}

// build builds the kustomization in a folder.
func build(t *testing.T, folder string) (objects []*unstructured.Unstructured) {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range built.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	return objects
}

// makeProjects has the script make the kustomization of two projects, beside a copy of the base.
func makeProjects(t *testing.T) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "kubernetes")
	if err := os.CopyFS(folder, os.DirFS(filepath.Join("..", "kubernetes"))); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(folder, "projects")); err != nil { // somebody may have made some
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(folder, "base", "gleapsync.toml"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", filepath.Join(folder, "projects.sh"))
	for n := range 2 {
		path := filepath.Join(folder, fmt.Sprintf("client-%d.toml", n))
		write(t, path, config)
		cmd.Args = append(cmd.Args, path)
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return filepath.Join(folder, "projects")
}
