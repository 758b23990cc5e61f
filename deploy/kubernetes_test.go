package deploy

import (
	"errors"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const (
	configPath  = "/etc/gleapsync/gleapsync.toml"
	callTimeout = 30 * time.Second             // of the calls in flight, when a run is stopped
	stopTime    = callTimeout + 30*time.Second // and then 10 s for metrics and 20 s for notifications
)

// types are the kinds that the manifests may be made of.
var types = map[string]func() any{
	"v1 ConfigMap":                            func() any { return new(corev1.ConfigMap) },
	"v1 PersistentVolumeClaim":                func() any { return new(corev1.PersistentVolumeClaim) },
	"v1 Service":                              func() any { return new(corev1.Service) },
	"batch/v1 CronJob":                        func() any { return new(batchv1.CronJob) },
	"batch/v1 Job":                            func() any { return new(batchv1.Job) },
	"apps/v1 StatefulSet":                     func() any { return new(appsv1.StatefulSet) },
	"networking.k8s.io/v1 NetworkPolicy":      func() any { return new(networkingv1.NetworkPolicy) },
	"monitoring.coreos.com/v1 ServiceMonitor": func() any { return new(monitoringv1.ServiceMonitor) },
}

// build builds a kustomization and decodes what it yields, by kind and name. As the API
// server does, it takes no unknown, misspelt or repeated field.
func build(t *testing.T, folder string) map[string]any {
	t.Helper()
	return buildAt(t, filepath.Join("kubernetes", folder))
}

// buildAt builds the kustomization at a path.
func buildAt(t *testing.T, folder string) map[string]any {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]any{}
	for _, r := range built.Resources() {
		id := r.GetKind() + " " + r.GetName()
		newObject := types[r.GetApiVersion()+" "+r.GetKind()]
		if newObject == nil {
			t.Fatalf("%s: the test has no type for %s %s", folder, r.GetApiVersion(), r.GetKind())
		}
		text, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		object := newObject()
		strict, err := json.UnmarshalStrict(text, object)
		if err := errors.Join(append(strict, err)...); err != nil {
			t.Fatalf("%s: %s: %v", folder, id, err)
		}
		if label := r.GetLabels()["app.kubernetes.io/name"]; label != "gleapsync" {
			t.Errorf("%s: %s: name label %q", folder, id, label)
		}
		objects[id] = object
	}
	return objects
}

func TestKustomizations(t *testing.T) {
	shared := []string{"ConfigMap gleapsync", "PersistentVolumeClaim gleapsync-state", "PersistentVolumeClaim gleapsync-exports"}
	for folder, want := range map[string][]string{
		"base":  append(shared, "CronJob gleapsync"),
		"serve": append(shared, "StatefulSet gleapsync", "Service gleapsync", "ServiceMonitor gleapsync", "NetworkPolicy gleapsync"),
		"full":  {"Job gleapsync-full"},
		// The state lives in a bucket.
		"replica": {"ConfigMap gleapsync", "PersistentVolumeClaim gleapsync-exports", "CronJob gleapsync"},
	} {
		var got []string
		for id := range build(t, folder) {
			got = append(got, id)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", folder, got, want)
		}
	}
}

// TestReplica: without a volume for the state there is a bucket for it, and the pod is else that
// of the base.
func TestReplica(t *testing.T) {
	objects := build(t, "replica")
	text := get[corev1.ConfigMap](t, objects, "ConfigMap gleapsync").Data[path.Base(configPath)]
	var config struct {
		State struct{ Replica string }
	}
	if err := toml.Unmarshal([]byte(text), &config); err != nil || config.State.Replica == "" {
		t.Errorf("the configuration names no replica: %v", err)
	}
	// All else is as in the base.
	lines := strings.Split(text, "\n")
	for line := range strings.Lines(configText(t)) {
		if key, _, _ := strings.Cut(line, "#"); strings.Contains(key, "=") && !slices.Contains(lines, strings.TrimSuffix(line, "\n")) {
			t.Errorf("the base has %s", line)
		}
	}
	base, without := cronJob(t).Spec.JobTemplate.Spec.Template.Spec, get[batchv1.CronJob](t, objects, "CronJob gleapsync").Spec.JobTemplate.Spec.Template.Spec
	for i := range without.Volumes {
		v := &without.Volumes[i]
		if v.Name == "state" && v.EmptyDir == nil {
			t.Errorf("the state has a volume: %+v", v)
		}
		j := slices.IndexFunc(base.Volumes, func(b corev1.Volume) bool { return b.Name == v.Name })
		if j < 0 || v.Name != "state" && !reflect.DeepEqual(*v, base.Volumes[j]) {
			t.Errorf("the base has another volume %s", v.Name)
		}
	}
	if len(base.Volumes) != len(without.Volumes) || len(without.Containers) != 1 || len(without.Containers[0].EnvFrom) != 1 {
		t.Errorf("it has %d volumes and %d containers", len(without.Volumes), len(without.Containers))
	}
	without.Containers[0].EnvFrom = nil
	if !reflect.DeepEqual(base.Containers, without.Containers) {
		t.Error("the base has another container")
	}
}

func get[T any](t *testing.T, objects map[string]any, id string) *T {
	t.Helper()
	object, ok := objects[id].(*T)
	if !ok {
		t.Fatalf("there is no %s", id)
	}
	return object
}

func cronJob(t *testing.T) *batchv1.CronJob {
	t.Helper()
	return get[batchv1.CronJob](t, build(t, "base"), "CronJob gleapsync")
}

func fullJob(t *testing.T) *batchv1.Job {
	t.Helper()
	return get[batchv1.Job](t, build(t, "full"), "Job gleapsync-full")
}

func statefulSet(t *testing.T) *appsv1.StatefulSet {
	t.Helper()
	return get[appsv1.StatefulSet](t, build(t, "serve"), "StatefulSet gleapsync")
}

// configText is the configuration in the config map.
func configText(t *testing.T) string {
	t.Helper()
	text := get[corev1.ConfigMap](t, build(t, "base"), "ConfigMap gleapsync").Data[path.Base(configPath)]
	if text == "" {
		t.Fatal("the config map has no configuration")
	}
	return text
}

func TestConfigMapSyncs(t *testing.T) {
	text := configText(t)
	text = strings.Replace(text, `temp_dir = "/tmp"`, `temp_dir = ""`, 1) // the test's /tmp is not below its folder
	syncWith(t, text, "exports", parseConfig(t, text).Gleap.TokenFile)
}

func TestPods(t *testing.T) {
	first := cronJob(t).Spec.JobTemplate.Spec.Template.Spec
	for name, pod := range map[string]corev1.PodSpec{
		"base":  first,
		"serve": statefulSet(t).Spec.Template.Spec,
		"full":  fullJob(t).Spec.Template.Spec,
	} {
		t.Run(name, func(t *testing.T) { checkPod(t, pod) })
		c, other := first.Containers[0], pod.Containers[0]
		if !reflect.DeepEqual(c.VolumeMounts, other.VolumeMounts) || !reflect.DeepEqual(first.Volumes, pod.Volumes) ||
			!reflect.DeepEqual(c.Resources, other.Resources) || c.Image != other.Image {
			t.Errorf("%s: volumes, resources or image are not those of the CronJob", name)
		}
	}
}

func checkPod(t *testing.T, pod corev1.PodSpec) {
	if len(pod.Containers) != 1 {
		t.Fatalf("%d containers", len(pod.Containers))
	}
	c, s := pod.Containers[0], pod.SecurityContext
	if s == nil || c.SecurityContext == nil || s.SeccompProfile == nil || c.SecurityContext.Capabilities == nil {
		t.Fatal("no security context")
	}
	config := parseConfig(t, configText(t))
	for what, ok := range map[string]bool{
		"non-root":                      *s.RunAsNonRoot && *s.RunAsUser != 0,
		"seccomp":                       s.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"read-only root":                *c.SecurityContext.ReadOnlyRootFilesystem,
		"no privilege escalation":       !*c.SecurityContext.AllowPrivilegeEscalation,
		"capabilities":                  slices.Equal(c.SecurityContext.Capabilities.Drop, []corev1.Capability{"ALL"}) && c.SecurityContext.Capabilities.Add == nil,
		"no service account token":      !*pod.AutomountServiceAccountToken,
		"requests and limits":           !c.Resources.Requests.Cpu().IsZero() && !c.Resources.Requests.Memory().IsZero() && !c.Resources.Limits.Memory().IsZero(),
		"the state's group may write":   *s.FSGroup == *s.RunAsGroup,
		"grace for the calls in flight": time.Duration(*pod.TerminationGracePeriodSeconds)*time.Second > stopTime,
	} {
		if !ok {
			t.Error("not kept:", what)
		}
	}
	for file, want := range map[string]corev1.VolumeSource{
		configPath:             {ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "gleapsync"}}},
		config.Gleap.TokenFile: {Secret: &corev1.SecretVolumeSource{SecretName: "gleapsync-token", DefaultMode: new(int32(0o440))}},
		config.State.Path:      {PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "gleapsync-state"}},
		"/exports/any.csv":     {PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "gleapsync-exports", ReadOnly: true}},
	} {
		if got := volumeOf(pod, file); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is in the volume %+v, want %+v", file, got, want)
		}
	}
	if volumeOf(pod, "/tmp/any").EmptyDir == nil {
		t.Error("no folder for temporary files")
	}
}

// volumeOf returns the volume that is mounted at a file's folder.
func volumeOf(pod corev1.PodSpec, file string) corev1.VolumeSource {
	for _, m := range pod.Containers[0].VolumeMounts {
		for _, v := range pod.Volumes {
			if m.MountPath == path.Dir(file) && v.Name == m.Name {
				return v.VolumeSource
			}
		}
	}
	return corev1.VolumeSource{}
}

func TestClaims(t *testing.T) {
	for _, folder := range []string{"base", "serve"} {
		state := get[corev1.PersistentVolumeClaim](t, build(t, folder), "PersistentVolumeClaim gleapsync-state")
		if !slices.Equal(state.Spec.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod}) {
			t.Errorf("%s: the state's volume can be had by two pods: %v", folder, state.Spec.AccessModes)
		}
	}
}

func TestCronJob(t *testing.T) {
	cron, config := cronJob(t).Spec, parseConfig(t, configText(t))
	job := cron.JobTemplate.Spec
	limit := time.Duration(*job.ActiveDeadlineSeconds) * time.Second
	for what, ok := range map[string]bool{
		"never two at a time":        cron.ConcurrencyPolicy == batchv1.ForbidConcurrent,
		"no second try":              *job.BackoffLimit == 0 && job.Template.Spec.RestartPolicy == corev1.RestartPolicyNever,
		"the schedule of the config": cron.Schedule == config.Sync.Schedule,
		"a bound for a late start":   *cron.StartingDeadlineSeconds > 10, // less and the controller may miss every slot
		"a time limit above the deadline, and before the next slot": limit > config.deadline(t)+callTimeout && limit < 2*time.Hour,
		"a bounded history":  *cron.SuccessfulJobsHistoryLimit > 0 && *cron.FailedJobsHistoryLimit > 0,
		"the command's name": slices.Equal(job.Template.Spec.Containers[0].Args, []string{"sync"}),
	} {
		if !ok {
			t.Error("not kept:", what)
		}
	}
}

func TestFullJob(t *testing.T) {
	job, config := fullJob(t).Spec, parseConfig(t, configText(t))
	for what, ok := range map[string]bool{
		"no second try":                      *job.BackoffLimit == 0 && job.Template.Spec.RestartPolicy == corev1.RestartPolicyNever,
		"time for a run and one before it":   time.Duration(*job.ActiveDeadlineSeconds)*time.Second > 2*config.deadline(t),
		"the command":                        slices.Equal(job.Template.Spec.Containers[0].Args, []string{"sync", "--full"}),
		"its name is free again a day later": *job.TTLSecondsAfterFinished == 86400,
	} {
		if !ok {
			t.Error("not kept:", what)
		}
	}
}

func TestServe(t *testing.T) {
	objects := build(t, "serve")
	set := get[appsv1.StatefulSet](t, objects, "StatefulSet gleapsync")
	service := get[corev1.Service](t, objects, "Service gleapsync")
	monitor := get[monitoringv1.ServiceMonitor](t, objects, "ServiceMonitor gleapsync")
	policy := get[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy gleapsync")
	pod := set.Spec.Template.Spec
	c := pod.Containers[0]

	var grace time.Duration
	for _, arg := range c.Args {
		if value, ok := strings.CutPrefix(arg, "--grace="); ok {
			grace, _ = time.ParseDuration(value)
		}
	}
	for what, ok := range map[string]bool{
		"one pod":                          *set.Spec.Replicas == 1,
		"a pod that is not ready replaced": set.Spec.PodManagementPolicy == appsv1.ParallelPodManagement,
		"the command":                      c.Args[0] == "serve" && slices.Contains(c.Args, "--listen=0.0.0.0:8080"),
		"its port":                         c.Ports[0].Name == "http" && c.Ports[0].ContainerPort == 8080,
		"grace above that of the command":  grace > 0 && time.Duration(*pod.TerminationGracePeriodSeconds)*time.Second > grace && grace > stopTime,
		"liveness":                         c.LivenessProbe.HTTPGet.Path == "/healthz" && c.LivenessProbe.HTTPGet.Port.StrVal == "http",
		"readiness":                        c.ReadinessProbe.HTTPGet.Path == "/readyz" && c.ReadinessProbe.HTTPGet.Port.StrVal == "http",
		"the set selects its pods":         selects(set.Spec.Selector.MatchLabels, set.Spec.Template.Labels),
		"the service is the set's":         set.Spec.ServiceName == service.Name && service.Spec.ClusterIP == corev1.ClusterIPNone,
		"the service selects the pods":     selects(service.Spec.Selector, set.Spec.Template.Labels),
		"the service selects no Job's pod": !selects(service.Spec.Selector, fullJob(t).Spec.Template.Labels),
		"reached while not ready":          service.Spec.PublishNotReadyAddresses,
		"the monitor selects the service":  selects(monitor.Spec.Selector.MatchLabels, service.Labels),
		"the monitor's endpoint":           monitor.Spec.Endpoints[0].Port == service.Spec.Ports[0].Name && monitor.Spec.Endpoints[0].Path == "/metrics",
		"the policy selects the pods":      selects(policy.Spec.PodSelector.MatchLabels, set.Spec.Template.Labels),
		"the policy's port":                policy.Spec.Ingress[0].Ports[0].Port.StrVal == "http",
	} {
		if !ok {
			t.Error("not kept:", what)
		}
	}
}

func selects(selector, labels map[string]string) bool {
	for name, value := range selector {
		if labels[name] != value {
			return false
		}
	}
	return len(selector) > 0
}
