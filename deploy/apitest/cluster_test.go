//go:build linux

package apitest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/cli"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/pkg/controller/cronjob"
	"k8s.io/kubernetes/pkg/controller/job"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"
	"k8s.io/kubernetes/pkg/controller/statefulset"
)

// asServer is the variable with which this program is the API server and no test.
const asServer = "GLEAPSYNC_APISERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(cli.Run(app.NewAPIServerCommand()))
	}
	klog.SetOutput(io.Discard) // what the controllers say
	klog.LogToStderr(false)
	_ = flag.Set("test.parallel", "8") // the overlays wait for their slots
	os.Exit(m.Run())
}

// startCluster starts etcd, an API server and the controllers of what the manifests are made of.
// They end with the test. Where there is no etcd it skips the test.
func startCluster(t *testing.T) *rest.Config {
	t.Helper()
	etcd, err := exec.LookPath("etcd")
	if err != nil {
		t.Skip("etcd is not installed (Debian's package etcd-server)")
	}
	dir := t.TempDir()
	storage, peers, port := freePort(t), freePort(t), freePort(t)
	peer := fmt.Sprintf("http://127.0.0.1:%d", peers)
	client := fmt.Sprintf("http://127.0.0.1:%d", storage)
	start(t, exec.Command(etcd, "--data-dir", filepath.Join(dir, "etcd"),
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer))

	const token = "token-of-the-test"
	tokens, key := filepath.Join(dir, "tokens.csv"), filepath.Join(dir, "key.pem")
	write(t, tokens, []byte(token+",admin,1,system:masters\n"))
	write(t, key, newKey(t))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(self, "--etcd-servers", client,
		"--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none",
		"--secure-port", fmt.Sprint(port), "--cert-dir", filepath.Join(dir, "certificates"),
		"--token-auth-file", tokens, "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/24",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", key, "--service-account-signing-key-file", key)
	server.Env = append(os.Environ(), asServer+"=1")
	ended := start(t, server)

	config := &rest.Config{
		Host: fmt.Sprintf("https://127.0.0.1:%d", port), BearerToken: token,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true}, // it signs its certificate itself
		QPS:             -1,
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err = wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		select {
		case <-ended:
			return false, fmt.Errorf("the API server ended")
		default:
		}
		code := 0
		clients.RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&code)
		return code == http.StatusOK, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	startControllers(t, clients)
	return config
}

// startControllers starts the part of the controller manager that makes pods.
func startControllers(t *testing.T, clients kubernetes.Interface) {
	ctx, cancel := context.WithCancel(context.Background())
	all := informers.NewSharedInformerFactory(clients, 0)
	core, batch, apps := all.Core().V1(), all.Batch().V1(), all.Apps().V1()
	accounts, err := serviceaccount.NewServiceAccountsController(klog.FromContext(ctx), core.ServiceAccounts(), core.Namespaces(), clients, serviceaccount.DefaultServiceAccountsControllerOptions())
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := job.NewController(ctx, clients, core.Pods(), batch.Jobs(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	cronJobs, err := cronjob.NewControllerV2(ctx, batch.Jobs(), batch.CronJobs(), clients)
	if err != nil {
		t.Fatal(err)
	}
	sets := statefulset.NewStatefulSetController(ctx, core.Pods(), apps.StatefulSets(), core.PersistentVolumeClaims(), apps.ControllerRevisions(), clients)
	var running sync.WaitGroup
	for _, run := range []func(context.Context, int){accounts.Run, jobs.Run, cronJobs.Run, sets.Run} {
		running.Go(func() { run(ctx, 1) })
	}
	all.Start(ctx.Done())
	t.Cleanup(func() {
		cancel()
		all.Shutdown()
		running.Wait()
	})
}

// start starts a server, which ends with the test.
func start(t *testing.T, cmd *exec.Cmd) (ended <-chan struct{}) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		if t.Failed() {
			text := said.Bytes()
			t.Logf("%s said at last:\n%s", filepath.Base(cmd.Path), text[max(0, len(text)-4000):])
		}
	})
	return done
}

// newKey makes a key that tokens of service accounts are signed with.
func newKey(t *testing.T) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
