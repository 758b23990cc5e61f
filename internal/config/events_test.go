package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"gleapsync/sync"
)

func TestEvents(t *testing.T) {
	c, err := load(t, minimal)
	if err != nil {
		t.Fatal(err)
	}
	want := sync.Events{Entered: "Audience Entered", Exited: "Audience Exited", Computed: "Trait Computed", Batch: 100, Remember: 72 * time.Hour}
	if !reflect.DeepEqual(c.Sync.Events, want) || c.Sync.Exports[0].Membership || c.Sync.Tracks != nil {
		t.Errorf("%+v", c.Sync.Events)
	}
	t.Setenv("ENTERED", "In")
	c, err = load(t, `
project = "acme"
[events]
membership = true
entered = "${ENTERED}"
exited = "Out"
computed = "New value"
traits = ["Total Revenue", "total_orders", "*_days"]
backfill = true
batch = 50
remember = "1h"
[[audience]]
name = "VIP"
source = "a"
[[audience]]
name = "Staff"
source = "b"
membership = false
[[trait]]
name = "Total Revenue"
source = "c"
[[table]]
source = "d"
audiences = ["x"]
traits = ["total_orders", "y_*"]
membership = true
[[profiles]]
traits_source = "e"
identifiers_source = "f"
audiences = ["z"]
[[changes]]
source = "g"
audiences = ["w"]
membership = false
[[track]]
source = "calls/"
events = ["Order Completed", "pageView"]
keys = ["total"]
since = 2026-11-25
max_age = "26h"
[[track]]
source = "s3://bucket/more/"
since = "2026-11-25T08:00:00+01:00"
`)
	if err != nil {
		t.Fatal(err)
	}
	want = sync.Events{
		Entered: "In", Exited: "Out", Computed: "New value", Traits: []string{"Total Revenue", "total_orders", "*_days"},
		Backfill: true, Batch: 50, Remember: time.Hour,
	}
	if !reflect.DeepEqual(c.Sync.Events, want) {
		t.Errorf("%+v", c.Sync.Events)
	}
	var membership []bool
	for _, e := range c.Sync.Exports {
		membership = append(membership, e.Membership)
	}
	if fmt.Sprint(membership) != "[true false false true true false]" {
		t.Errorf("membership %v", membership)
	}
	first, second := c.Sync.Tracks[0], c.Sync.Tracks[1]
	if fmt.Sprintln(first.Names, first.Keys, first.Since, first.MaxAge, first.Source, first.Pick) != "[Order Completed pageView] [total] 2026-11-25 00:00:00 +0000 UTC 26h0m0s calls/ all\n" {
		t.Errorf("%+v", first)
	}
	if !second.Since.Equal(time.Date(2026, 11, 25, 7, 0, 0, 0, time.UTC)) || second.Names != nil || second.TempDir != c.Sync.TempDir {
		t.Errorf("%+v", second)
	}
}

func TestEventsErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[events]\nbatch = 0\n":                                                    "c.toml:8: events.batch: it takes 1 at least",
		"[events]\nbatch = 1001\n":                                                 "c.toml:8: events.batch: it takes 1000 at most",
		"[events]\nentered = \"\"\n":                                               "c.toml:8: events.entered: it is empty",
		"[events]\nremember = \"soon\"\n":                                          "c.toml:8: events.remember: it takes a duration",
		"[events]\ntraits = [\"total\"]\n":                                         `c.toml:8: events.traits[0]: there is no trait "total" in the configuration`,
		"[events]\ntraits = [\"vip_customers\"]\n":                                 `there is no trait "vip_customers"`,
		"[events]\nmembers = true\n":                                               "c.toml:8: events.members",
		"[[track]]\n":                                                              "c.toml:7: track[0].source: it is missing",
		"[[track]]\nsource = \"-\"\n":                                              "c.toml:8: track[0].source: it takes files",
		"[[track]]\nsource = \"postgres://h/d\"\n":                                 "c.toml:8: track[0].source: it takes files",
		"[[track]]\nsource = \"a\"\n[[track]]\nsource = \"a\"\n":                   "c.toml:10: track[1].source: another [[track]] reads it too",
		"[[track]]\nsource = \"a\"\nsince = \"soon\"\n":                            "c.toml:9: track[0].since: it takes a date",
		"[[track]]\nsource = \"a\"\nsince = 5\n":                                   "c.toml:9: track[0].since: it takes a date",
		"[[track]]\nsource = \"a\"\nevents = [\"\"]\n":                             "c.toml:9: track[0].events[0]: it is empty",
		"[[track]]\nsource = \"a\"\nkeys = [" + strings.Repeat(`"k",`, 11) + "]\n": "c.toml:9: track[0].keys: an event in Gleap has 10 keys at most",
	} {
		_, err := load(t, minimal+text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
