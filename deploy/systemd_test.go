package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/unit"
)

// readUnit returns a unit's options as "Name=value" without the section, in their order.
func readUnit(t *testing.T, name string) options {
	t.Helper()
	f, err := os.Open(filepath.Join("systemd", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read, err := unit.DeserializeOptions(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var o options
	for _, option := range read {
		o = append(o, option.Name+"="+option.Value)
	}
	return o
}

type options []string

func (o options) has(t *testing.T, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !slices.Contains(o, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// seconds returns a time that is given in seconds or as 117min.
func (o options) seconds(t *testing.T, name string) time.Duration {
	t.Helper()
	for _, option := range o {
		if value, ok := strings.CutPrefix(option, name+"="); ok {
			value = strings.TrimSuffix(value, "in")
			if !strings.HasSuffix(value, "m") {
				value += "s"
			}
			d, err := time.ParseDuration(value)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
	}
	t.Fatalf("%s is missing", name)
	return 0
}

const (
	credential = "gleap-token"
	tokenFile  = "/etc/gleapsync/" + credential
)

func systemdConfig(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("systemd/gleapsync.toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSystemdConfigSyncs(t *testing.T) {
	text := systemdConfig(t)
	if strings.Contains(text, "temp_dir") {
		t.Error("temporary files go to the state's folder, since /tmp may be memory")
	}
	syncWith(t, text, "/srv/gleapsync/exports", tokenFile)
	syncWith(t, text, "/srv/gleapsync/exports", "credentials/"+credential, "CREDENTIALS_DIRECTORY=/credentials")
}

func TestUnits(t *testing.T) {
	config := parseConfig(t, systemdConfig(t))
	once, serve := readUnit(t, "gleapsync.service"), readUnit(t, "gleapsync-serve.service")
	for name, o := range map[string]options{"gleapsync.service": once, "gleapsync-serve.service": serve} {
		t.Run(name, func(t *testing.T) {
			o.has(t, "User=gleapsync", "LoadCredential="+credential+":"+tokenFile, "Environment=GLEAPSYNC_CONFIG="+configPath,
				"StateDirectory="+filepath.Base(filepath.Dir(config.State.Path)), "StateDirectoryMode=0700", "UMask=0077",
				"NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "PrivateTmp=yes", "MemoryDenyWriteExecute=yes",
				"SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources")
		})
	}
	once.has(t, "Type=oneshot", "ExecStart=gleapsync sync", "SuccessExitStatus=75 143")
	if limit := once.seconds(t, "TimeoutStartSec"); limit <= config.deadline(t)+callTimeout || limit >= 2*time.Hour {
		t.Errorf("TimeoutStartSec is %s, and the deadline %s", limit, config.deadline(t))
	}
	if stop := once.seconds(t, "TimeoutStopSec"); stop <= stopTime {
		t.Errorf("TimeoutStopSec is %s, and to end takes %s", stop, stopTime)
	}
	serve.has(t, "ExecStart=gleapsync serve --listen=127.0.0.1:8080 --now --grace=90s",
		"ExecReload=/bin/kill -HUP $MAINPID", "SuccessExitStatus=143", "Restart=on-failure", "Conflicts=gleapsync.timer", "WantedBy=multi-user.target")
	if stop := serve.seconds(t, "TimeoutStopSec"); stop <= 90*time.Second {
		t.Errorf("TimeoutStopSec is %s, and --grace 90s", stop)
	}
	readUnit(t, "gleapsync.timer").has(t, "OnCalendar=*-*-* 00/2:00:00", "Persistent=yes", "WantedBy=timers.target")
}

func TestUnitsBySystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not on the PATH: the units were parsed, but systemd did not verify them")
	}
	dir := t.TempDir()
	units, err := filepath.Glob("systemd/*.*")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"verify", "--man=no"}
	for _, name := range units {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.Base(name))
		write(t, to, []byte(strings.ReplaceAll(string(text), "ExecStart=gleapsync ", "ExecStart="+program+" ")))
		if filepath.Ext(name) != ".toml" {
			args = append(args, to)
		}
	}
	// What it cannot understand it only warns of.
	if out, err := exec.Command(analyze, args...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
