//go:build linux

// Package trinotest runs a Trino for a test: a coordinator and workers, with an Iceberg catalog
// on the local disk.
package trinotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gleapsync/internal/rounds"
)

// Admin is the user who may do everything. What reader may, [Start] says.
const Admin = "admin"

// Cluster is a coordinator that listens on loopback, and its workers.
type Cluster struct {
	whole       testing.TB // the test that all servers end with, whichever part of it starts them
	cache, dir  string
	port        int
	coordinator *node
	workers     map[string]*node // those that live, by name
	started     int              // workers
}

// node is a server that runs.
type node struct {
	pid   int
	alive io.Closer // once it is closed, by us or by our death, the server is killed
	ended chan struct{}
}

// rules say what users may: reader may read all of the schema engage_default except for the table
// denied, and keep tables in the schema gleapsync, as nobody else may.
const rules = `{"tables": [
	{"user": "admin", "privileges": ["SELECT", "INSERT", "DELETE", "UPDATE", "OWNERSHIP"]},
	{"user": "reader", "schema": "engage_default", "table": "denied", "privileges": []},
	{"user": "reader", "schema": "engage_default", "privileges": ["SELECT"]},
	{"user": "reader", "schema": "gleapsync", "privileges": ["OWNERSHIP", "SELECT", "INSERT"]},
	{"user": "guest", "schema": "engage_default", "privileges": ["SELECT"]}
], "schemas": [{"user": "admin", "owner": true}]}`

// Start starts a coordinator and two workers, which end with the test, whatever ends it. It skips
// the test where there is no Trino, and where the tests are not at full length: it takes half a
// minute.
func Start(t testing.TB) *Cluster {
	t.Helper()
	if !rounds.Full() {
		t.Skip("a Trino takes half a minute to start: GLEAPSYNC_TESTS=full")
	}
	home, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{whole: t, cache: filepath.Join(home, "gleapsync", "trino-476"), dir: t.TempDir(), port: freePort(t), workers: map[string]*node{}}
	if _, err := os.Stat(filepath.Join(c.cache, "complete")); err != nil {
		t.Skip("there is no Trino on this machine: internal/trinotest/fetch fetches one")
	}
	for _, dir := range []string{"plugins", "warehouse"} {
		if err := os.Mkdir(filepath.Join(c.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(c.cache, "trino-iceberg-476"), filepath.Join(c.dir, "plugins", "iceberg")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c.coordinator = c.start(t, "coordinator", c.port)
	c.addWorker(t)
	c.addWorker(t)
	c.wait(t)
	t.Logf("Trino took %s to start", time.Since(began).Round(time.Second))
	c.Exec(t, "CREATE SCHEMA engage_default")
	return c
}

func (c *Cluster) addWorker(t testing.TB) {
	t.Helper()
	c.started++
	name := fmt.Sprint("worker", c.started)
	c.workers[name] = c.start(t, name, freePort(t))
}

// start starts a server.
func (c *Cluster) start(t testing.TB, name string, port int) *node {
	t.Helper()
	dir := filepath.Join(c.dir, name)
	for file, text := range map[string]string{
		"etc/config.properties": fmt.Sprintf(`coordinator=%t
%shttp-server.http.port=%d
discovery.uri=http://127.0.0.1:%d
node.environment=test
node.id=%s
node.internal-address=127.0.0.1
node.bind-ip=127.0.0.1
plugin.dir=%s/plugins
catalog.config-dir=%s/etc/catalog
query.max-memory-per-node=150MB
memory.heap-headroom-per-node=100MB
query.client.timeout=1m
exchange.max-error-duration=10s
query.remote-task.max-error-duration=10s
`, name == "coordinator", map[bool]string{true: "node-scheduler.include-coordinator=false\n"}[name == "coordinator"], port, c.port, name, c.dir, dir),
		"etc/catalog/lake.properties": fmt.Sprintf(`connector.name=iceberg
iceberg.catalog.type=TESTING_FILE_METASTORE
hive.metastore.catalog.dir=local:///
fs.native-local.enabled=true
local.location=%s/warehouse
fs.hadoop.enabled=false
`, c.dir),
		"etc/access-control.properties": "access-control.name=file\nsecurity.config-file=" + dir + "/etc/rules.json\n",
		"etc/rules.json":                rules,
	} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	// The shell kills the server once its own standard input ends, as it does whatever becomes of
	// the test.
	command := exec.Command("sh", "-c", `"$@" </dev/null >&2 & echo $!; cat >/dev/null; kill -9 $!; wait`, "sh",
		filepath.Join(c.cache, "java-program"), "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
		"--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED", "-XX:+EnableDynamicAgentLoading", "-Djdk.attach.allowAttachSelf=true",
		"-Dnode.data-dir="+dir, "-Dconfig=etc/config.properties", "-cp", filepath.Join(c.cache, "trino-server-core-476", "lib", "*"), "io.trino.server.TrinoServer")
	command.Dir, command.Stderr = dir, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the test
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	n := &node{alive: stdin, ended: make(chan struct{})}
	if _, err := fmt.Fscan(stdout, &n.pid); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = command.Wait()
		close(n.ended)
	}()
	c.whole.Cleanup(func() {
		n.alive.Close()
		<-n.ended
		if text, _ := os.ReadFile(filepath.Join(dir, "log")); c.whole.Failed() {
			c.whole.Logf("%s said at last:\n%s", name, text[max(0, len(text)-2000):])
		}
	})
	return n
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// until asks the server until a condition holds of the answer, which is one row, and returns it.
func (c *Cluster) until(t testing.TB, what, query string, holds func(row string) bool) string {
	t.Helper()
	var rows []string
	var err error
	for giveUp := time.Now().Add(5 * time.Minute); time.Now().Before(giveUp); time.Sleep(100 * time.Millisecond) { // nothing tells
		if rows, err = c.query(query); err == nil && len(rows) == 1 && holds(rows[0]) {
			return rows[0]
		}
	}
	t.Fatalf("after 5 minutes %s: %q, %v", what, rows, err)
	return ""
}

// wait waits until the workers that live are there and no others: the coordinator does not know at
// once that one was killed.
func (c *Cluster) wait(t testing.TB) {
	t.Helper()
	names := strings.Join(slices.Sorted(maps.Keys(c.workers)), " ")
	c.until(t, "the workers are not "+names, "SELECT array_join(array_agg(node_id ORDER BY node_id), ' ') FROM system.runtime.nodes WHERE NOT coordinator AND state = 'active'", func(row string) bool { return row == names })
}

// KillWorker kills a worker that has a part of the user's query, which has to run and to have more
// rows than the servers hold ready. It gives the worker no time.
func (c *Cluster) KillWorker(t testing.TB, user string) {
	t.Helper()
	name := c.until(t, "no worker runs a query of "+user, `SELECT max_by(t.node_id, t.task_id) FROM system.runtime.tasks t JOIN system.runtime.queries q USING (query_id)
		WHERE q."user" = '`+user+`' AND q.state = 'RUNNING' AND t.state = 'RUNNING'`, func(row string) bool { return c.workers[row] != nil })
	if err := syscall.Kill(c.workers[name].pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	delete(c.workers, name)
}

// ReplaceWorker starts another worker for the one that was killed, and waits until the coordinator
// has it, and no more the other one.
func (c *Cluster) ReplaceWorker(t testing.TB) {
	t.Helper()
	c.addWorker(t)
	c.wait(t)
}

// KillCoordinator kills the coordinator, and gives it no time.
func (c *Cluster) KillCoordinator(t testing.TB) {
	t.Helper()
	if err := syscall.Kill(c.coordinator.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// Host returns the address of the coordinator.
func (c *Cluster) Host() string { return fmt.Sprintf("127.0.0.1:%d", c.port) }

// URL returns the address of the catalog for a user.
func (c *Cluster) URL(user string) string {
	return "trino://" + user + "@" + c.Host() + "/lake/engage_default?tls=off"
}

// Exec runs a statement as the one who may do everything, and returns the rows, each with its
// values joined by blanks.
func (c *Cluster) Exec(t testing.TB, sql string) []string {
	t.Helper()
	rows, err := c.query(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

// query is written without the client that is tested, which may be wrong.
func (c *Cluster) query(sql string) (rows []string, err error) {
	method, address := http.MethodPost, "http://"+c.Host()+"/v1/statement"
	for address != "" {
		r, err := http.NewRequest(method, address, strings.NewReader(sql))
		if err != nil {
			return nil, err
		}
		r.Header = http.Header{"X-Trino-User": {Admin}, "X-Trino-Catalog": {"lake"}, "X-Trino-Schema": {"engage_default"}, "X-Trino-Time-Zone": {"UTC"}}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		var answer map[string]any
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		if err != nil || response.StatusCode != http.StatusOK || decoder.Decode(&answer) != nil {
			return nil, fmt.Errorf("status %d: %.300s", response.StatusCode, body)
		}
		if failed, ok := answer["error"].(map[string]any); ok {
			return nil, fmt.Errorf("%v", failed["message"])
		}
		data, _ := answer["data"].([]any)
		for _, row := range data {
			var values []string
			for _, value := range row.([]any) {
				values = append(values, fmt.Sprint(value))
			}
			rows = append(rows, strings.Join(values, " "))
		}
		method, sql = http.MethodGet, ""
		address, _ = answer["nextUri"].(string)
	}
	return rows, nil
}
