package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/internal/values"
)

const minimal = "project = \"acme\"\n[gleap]\napi_token_env = \"TOKEN\"\n[[audience]]\nname = \"VIP Customers\"\nsource = \"vip.csv\"\n"

func load(t testing.TB, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestDefaults(t *testing.T) {
	c, err := load(t, minimal)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(c.Path)
	if c.Gleap.BaseURL != "https://api.gleap.io" || c.Gleap.Rate != 1000 || c.Gleap.Window != time.Minute || c.Gleap.Concurrency != 35 ||
		c.Gleap.Timeout != 30*time.Second || c.Gleap.GiveUp != 15*time.Minute || c.Gleap.UpdateLastActivity || c.Sandbox {
		t.Errorf("gleap: %+v", c.Gleap)
	}
	if c.State.Path != filepath.Join(dir, "gleapsync.db") || c.State.Project != "acme" || c.State.MustExist {
		t.Errorf("state: %+v", c.State)
	}
	if s := c.Sync; s.Memory != 256<<20 || s.TempDir != dir || s.Deadline != 0 || s.Guard.MaxExits.String() != "30%" || s.Guard.MinExits != 50 || s.Guard.MaxInvalid.String() != "1%" || s.Fields != nil {
		t.Errorf("sync: %+v", s)
	}
	if n := c.Notify; n.Webhook != "" || n.Slack || n.SizeChange.String() != "50%" || n.MinChange != 50 || n.Ping != "" {
		t.Errorf("notify: %+v", n)
	}
	want := engage.Export{
		Source: "vip.csv", Dir: dir, TempDir: dir, Identifiers: engage.AllIDs,
		Attributes: []engage.Attribute{{Kind: engage.Audience, Key: "vip_customers", Name: "VIP Customers"}},
	}
	if got := c.Sync.Exports[0]; !reflect.DeepEqual(got.Export, want) || got.KeepAbsent || got.ClearMissing || got.MaxExits != nil {
		t.Errorf("export: %+v", got)
	}
}

func TestEverything(t *testing.T) {
	t.Setenv("TOKEN", "abc")
	t.Setenv("DAY", "day2")
	t.Setenv("HOOK", "https://hooks.slack.com/services/1\n")
	c, err := load(t, `
project = "acme"
[gleap]
base_url = "http://127.0.0.1:8080"
api_token_env = "TOKEN"
rate = 0
window = "2s"
concurrency = 7
timeout = "5s"
give_up = "1m30s"
update_last_activity = true
[state]
path = "/var/lib/s.db"
must_exist = true
[sync]
schedule = "@every 3h"
deadline = "110m"
memory = "64MiB"
temp_dir = "tmp"
[guard]
max_exits = 10
min_exits = 0
max_invalid = "0.5%"
[notify]
webhook = "${HOOK}"
format = "slack"
size_change = 200
ping_url = "http://healthchecks:8000/ping/1"
[contact]
last_name = "family"
first_name = "given"
last_activity = "seen"
[[audience]]
name = "A"
key = "isA"
source = "${DAY}/${OTHER:-x}*.csv"
pick = "newest"
format = "csv"
delimiter = "tab"
user_id = "id"
identifiers = "last"
absent = "keep"
max_age = "26h"
max_exits = "75%"
allow_empty = true
[[trait]]
name = "T"
source = "t.csv"
type = "datetime"
value = "when"
on_missing = "clear"
[[table]]
source = "users.csv"
audiences = ["first_time_shopper"]
traits = ["Total Orders", "*_days"]
exclude = ["old_*"]
type = "number"
[[changes]]
source = "events/"
audiences = ["vip", "vip_*"]
traits = ["total"]
discover = true
contact = false
max_exits = 5
[changes.columns]
audience_name = "segment"
audience_id = "segment_id"
audience_action = "in"
user_id = "who"
timestamp = "at"
message_id = "message"
`)
	if err != nil {
		t.Fatal(err)
	}
	if token, err := c.Token(); err != nil || string(token) != "abc" {
		t.Errorf("token: %v", err)
	}
	a := c.Sync.Exports[0]
	if a.Source != "day2/x*.csv" || a.Pick != engage.PickNewest || a.Delimiter != '\t' || a.UserID != "id" || a.Identifiers != engage.LastID ||
		!a.KeepAbsent || a.MaxAge != 26*time.Hour || a.MaxExits.String() != "75%" || !a.AllowEmpty || a.Attributes[0].Key != "isA" {
		t.Errorf("audience: %+v", a)
	}
	if tr := c.Sync.Exports[1]; tr.Attributes[0].Type != values.Datetime || tr.Attributes[0].Column != "when" || !tr.ClearMissing {
		t.Errorf("trait: %+v", tr)
	}
	wantTable := []engage.Attribute{
		{Kind: engage.Audience, Key: "first_time_shopper", Name: "first_time_shopper", Column: "first_time_shopper"},
		{Kind: engage.Trait, Key: "total_orders", Name: "Total Orders", Column: "Total Orders", Type: values.Number},
	}
	if got := c.Sync.Exports[2].Attributes; !reflect.DeepEqual(got, wantTable) {
		t.Errorf("table: %+v", got)
	}
	if got := fmt.Sprint(c.Sync.Exports[2].Wildcards, c.Sync.Exports[2].Exclude); got != "[{trait *_days number}] [old_*]" {
		t.Errorf("table: %s", got)
	}
	if e := c.Sync.Exports[3]; !e.Changes || !e.Discover || !e.KeepAbsent || !e.AllowEmpty || !e.NoFields || e.Pick != engage.PickAll || len(e.Attributes) != 2 || len(e.Wildcards) != 1 ||
		e.Columns != (engage.ChangeColumns{AudienceName: "segment", AudienceID: "segment_id", AudienceAction: "in", UserID: "who", Timestamp: "at", MessageID: "message"}) {
		t.Errorf("changes: %+v", e)
	}
	for key, want := range map[string]bool{"is": true, "total": true, "email": false, "first_time_shopper": true} {
		if got := c.MayFeed(key); got != want {
			t.Errorf("may feed %s: %t", key, got)
		}
	}
	wantFields := []inputs.Field{{Field: gleap.Name, Columns: []string{"given", "family"}}, {Field: gleap.LastActivity, Columns: []string{"seen"}}}
	if !reflect.DeepEqual(c.Sync.Fields, wantFields) {
		t.Errorf("contact: %+v", c.Sync.Fields)
	}
	if n := c.Notify; string(n.Webhook) != "https://hooks.slack.com/services/1" || !n.Slack || n.SizeChange.String() != "200" || n.MinChange != 0 || string(n.Ping) != "http://healthchecks:8000/ping/1" {
		t.Errorf("notify: %+v", n)
	}
	if c.Sync.Guard.MaxExits.String() != "10" || c.Sync.Deadline != 110*time.Minute || c.Gleap.Concurrency != 7 || c.Gleap.Rate != 0 {
		t.Errorf("%+v %+v", c.Sync.Guard, c.Gleap)
	}
}

const profilesOf = "[[profiles]]\ntraits_source = \"t\"\nidentifiers_source = \"i\"\n"

func TestProfiles(t *testing.T) {
	c, err := load(t, minimal+"[[profiles]]\ntraits_source = \"${T:-t.csv}\"\nidentifiers_source = \"i.csv\"\n"+`pick = "all"
delimiter = "tab"
identifiers = "last"
absent = "keep"
on_missing = "clear"
type = "number"
audiences = ["vip_*", "Churn Risk"]
traits = ["*_days"]
exclude = ["vip_test"]
`)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(c.Path)
	want := inputs.Export{
		Export: engage.Export{
			Source: "t.csv", Dir: dir, Pick: engage.PickAll, Delimiter: '\t', Identifiers: engage.LastID, TempDir: c.Sync.TempDir,
			Attributes: []engage.Attribute{{Kind: engage.Audience, Key: "churn_risk", Name: "Churn Risk", Column: "Churn Risk"}},
			Wildcards:  []engage.Wildcard{{Kind: engage.Audience, Pattern: "vip_*"}, {Kind: engage.Trait, Pattern: "*_days", Type: values.Number}},
			Exclude:    []string{"vip_test"},
			ProfileIDs: &engage.Export{Source: "i.csv", Dir: dir, Pick: engage.PickAll, Delimiter: '\t', TempDir: c.Sync.TempDir},
		},
		KeepAbsent: true, ClearMissing: true,
	}
	if got := c.Sync.Exports[1]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestErrors(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"unknown key":            {minimal + "pik = \"newest\"\n", "c.toml:7: audience.pik: there is no such key: did you mean pick?"},
		"unknown table":          {minimal + "[gaurd]\nmin_exits = 1\n", "c.toml:7: gaurd: there is no such table: did you mean [guard]?"},
		"unknown tables":         {minimal + "[[audiences]]\nname = \"B\"\n", "c.toml:7: audiences: there is no such table: did you mean [[audience]]?"},
		"a key with capitals":    {minimal + "Pick = \"newest\"\n", "c.toml:7: audience.Pick: there is no such key: did you mean pick?"},
		"a table with capitals":  {minimal + "[Guard]\n", "c.toml:7: Guard: there is no such key: did you mean [guard]?"},
		"a table's key":          {minimal + "[[table]]\nsource = \"a\"\ntraits = [\"B\"]\nTypes = { B = \"number\" }\n", "c.toml:10: table.Types: there is no such key: did you mean types?"},
		"in one line":            {minimal + "[[changes]]\nsource = \"a\"\naudiences = [\"b\"]\ncolumns = { User_ID = \"id\" }\n", "c.toml:10: changes.columns.User_ID: there is no such key: did you mean user_id?"},
		"another table's key":    {minimal + "min_exits = 3\n", "c.toml:7: audience.min_exits: there is no such key here, only in [guard]"},
		"other tables' key":      {minimal + "audiences = [\"a\"]\n", "c.toml:7: audience.audiences: there is no such key here, only in [[changes]], [[profiles]], [[table]]"},
		"project too late":       {minimal + "project = \"b\"\n", "c.toml:7: audience.project: there is no such key: it belongs above the first table"},
		"database of events":     {minimal + "[[track]]\nsource = \"a\"\ntable = \"b\"\n", "c.toml:9: track.table: [[track]] takes files only: there is no key table"},
		"command of events":      {minimal + "[[track]]\nsource = \"a\"\ncommand = [\"b\"]\n", "c.toml:9: track.command: [[track]] takes files only: there is no key command"},
		"table of its own":       {minimal + "[[track]]\nsource = \"a\"\naudience = \"b\"\n", "c.toml:9: track.audience: there is no such key"},
		"unknown and like none":  {minimal + "xyz = 3\n", "c.toml:7: audience.xyz: there is no such key"},
		"one table":              {"project = \"a\"\n[[gleap]]\nrate = 1\n", "c.toml:2: gleap: it is a table, which begins with a line [gleap]"},
		"one of many":            {minimal + "[audience]\nname = \"B\"\n", "c.toml:7: audience: all of its tables begin with a line [[audience]]"},
		"no quotes":              {minimal + "max_age = 2d\n", "c.toml:7: strings must be quoted: text stands in quotes, such as name = \"VIP\""},
		"a bare number":          {minimal + "max_age = 2\n", "c.toml:7: audience.max_age: it takes text in quotes, such as \"26h\""},
		"any text":               {minimal + "key = 2\n", "c.toml:7: audience.key: it takes text in quotes"},
		"quoted truth":           {minimal + "allow_empty = \"yes\"\n", "c.toml:7: audience.allow_empty: it takes true or false, without quotes"},
		"no list":                {minimal + "[events]\ntraits = \"a\"\n", "c.toml:8: events.traits: it takes a list of texts, such as [\"first\", \"second\"]"},
		"numbers by name":        {minimal + "[[table]]\nsource = \"a\"\naudiences = [\"a\"]\ntypes = { a = 1 }\n", "c.toml:10: table.types: it takes texts by name, such as { name = \"…\" }"},
		"unknown name":           {minimal + "[[table]]\nsource = \"a\"\ntraits = [\"total_orders\"]\ntypes = { total_order = \"number\" }\n", "c.toml:10: table[0].types.total_order: there is no audience or trait of that name here, and no pattern takes it: did you mean \"total_orders\"?"},
		"unknown trait":          {minimal + "[[trait]]\nname = \"T R\"\nsource = \"a\"\n[events]\ntraits = [\"rt\", \"t_e\"]\n", "c.toml:11: events.traits[1]: there is no trait \"t_e\" in the configuration: did you mean \"t_r\"?"},
		"time zone":              {minimal + "[sync]\nschedule = \"@hourly\"\ntime_zone = \"Europe/Wien\"\n", "c.toml:9: sync.time_zone: there is no time zone"},
		"wrong schedule in zone": {minimal + "[sync]\nschedule = \"hourly\"\ntime_zone = \"Europe/Vienna\"\n", "c.toml:8: sync.schedule: it takes five fields"},
		"token":                  {"project = \"a\"\n[gleap]\napi_token = \"secret\"\n", "c.toml:3: gleap.api_token: the token does not belong into this file"},
		"no TOML":                {"project = \"a\"\nrate = = 3\n", "c.toml:2: "},
		"wrong kind":             {"project = \"a\"\n[gleap]\nrate = \"many\"\n", "c.toml:3: gleap.rate: it takes a whole number without quotes, such as 1000"},
		"no project":             {strings.Replace(minimal, "project = \"acme\"\n", "", 1), "c.toml:1: project: it is missing"},
		"no export":              {"project = \"a\"\n", "c.toml: there is no [[audience]], [[trait]], [[table]], [[profiles]], [[changes]] or [[track]]"},
		"a wrong source":         {strings.Replace(minimal, "vip.csv", "s4://bucket/vip.csv", 1), "c.toml:6: audience[0].source: it takes a path, or an address that begins with s3://"},
		"command and source":     {minimal + "command = [\"cat\", \"x\"]\n", "c.toml:7: audience[0].command: source is set too: choose one"},
		"empty command":          {"project = \"a\"\n[[audience]]\nname = \"A\"\ncommand = []\n", "c.toml:4: audience[0].command: it takes a program and its arguments"},
		"timeout of no command":  {minimal + "timeout = \"1m\"\n", "c.toml:7: audience[0].timeout: it is for databases and commands only"},
		"pick of a command":      {"project = \"a\"\n[[audience]]\nname = \"A\"\ncommand = [\"x\"]\npick = \"all\"\n", "c.toml:5: audience[0].pick: it is for the files of a source"},
		"command's environment":  {"project = \"a\"\n[[audience]]\nname = \"A\"\ncommand = [\"x\", \"${NOT_THERE}\"]\n", "c.toml:4: audience[0].command[1]: the environment has no NOT_THERE"},
		"two standard inputs":    {strings.Replace(minimal, "source = ", "source = \"-\" # ", 1) + "[[audience]]\nname = \"B\"\nsource = \"-\"\n", "c.toml: more than one export has source = \"-\""},
		"no source":              {"project = \"a\"\n[[audience]]\nname = \"A\"\n", "c.toml:2: audience[0].source: it is missing"},
		"no name":                {"project = \"a\"\n[[audience]]\nsource = \"a\"\n", "c.toml:2: audience[0].name: it is missing"},
		"duration":               {minimal + "max_age = \"2 days\"\n", "c.toml:7: audience[0].max_age: it takes a duration such as 90s, 2h or 90d"},
		"negative duration":      {minimal + "max_age = \"-2h\"\n", "c.toml:7: audience[0].max_age: it takes a duration"},
		"short window":           {strings.Replace(minimal, "[gleap]", "[gleap]\nwindow = \"1ms\"", 1), "c.toml:3: gleap.window: it takes one second at least"},
		"limit":                  {minimal + "max_exits = \"130%\"\n", "c.toml:7: audience[0].max_exits: a limit is a share such as"},
		"limit of a wrong kind":  {minimal + "max_exits = true\n", "c.toml:7: audience[0].max_exits: a limit is"},
		"size":                   {minimal + "[sync]\nmemory = \"much\"\n", "c.toml:8: sync.memory: it takes a size such as 256MiB"},
		"small size":             {minimal + "[sync]\nmemory = \"1MiB\"\n", "c.toml:8: sync.memory: it takes 16MiB at least"},
		"schedule":               {minimal + "[sync]\nschedule = \"hourly\"\n", "c.toml:8: sync.schedule: it takes five fields"},
		"pick":                   {minimal + "pick = \"oldest\"\n", "c.toml:7: audience[0].pick: it takes one of: all newest"},
		"format":                 {minimal + "format = \"xml\"\n", "c.toml:7: audience[0].format: it takes one of: csv"},
		"delimiter":              {minimal + "delimiter = \"#\"\n", "c.toml:7: audience[0].delimiter: it takes one of: , : ; colon comma pipe semicolon tab |"},
		"environment":            {minimal + "user_id = \"${NOT_THERE}\"\n", "c.toml:7: audience[0].user_id: the environment has no NOT_THERE"},
		"reserved":               {"project = \"a\"\n[[audience]]\nname = \"E-Mail\"\nsource = \"a\"\n[[audience]]\nname = \"Email\"\nsource = \"a\"\n", "c.toml:5: audience[1]: audience \"Email\": \"email\" is a field that Gleap contacts already have: choose another one with key = \"…\""},
		"reserved override":      {minimal + "key = \"userId\"\n", "audience \"VIP Customers\": \"userId\" is a field that Gleap contacts already have"},
		"no key":                 {"project = \"a\"\n[[audience]]\nname = \"🔥\"\nsource = \"a\"\n", "c.toml:2: audience[0]: audience \"🔥\": the name has no letter or digit"},
		"collision":              {minimal + "[[trait]]\nname = \"vip customers\"\nsource = \"a\"\n", "c.toml:7: trait[0]: audience \"VIP Customers\" (line 4) and trait \"vip customers\" (line 7) have the same key vip_customers"},
		"collision in a table":   {minimal + "[[table]]\naudiences = [\"vip_customers\"]\nsource = \"a\"\n", "c.toml:8: table[0].audiences[0]: audience \"VIP Customers\" (line 4) and audience \"vip_customers\" (line 8) have the same key"},
		"an audience's table":    {minimal + "[[table]]\nsource = \"a\"\naudience = [\"b\"]\n", "c.toml:9: table.audience: there is no such key: did you mean audiences?"},
		"a delta of a file":      {minimal + "[[table]]\nsource = \"a\"\naudiences = [\"b\"]\ndelta = \"s\"\n", "c.toml:10: table[0].delta: it is for databases only"},
		"a trait's table":        {minimal + "[[table]]\nsource = \"a\"\ntrait = [\"b\"]\n", "c.toml:9: table.trait: there is no such key: did you mean traits?"},
		"empty table":            {minimal + "[[table]]\nsource = \"a\"\n", "c.toml:7: table[0]: it names no column"},
		"no tables":              {minimal + "[[profiles]]\ntraits = [\"a*\"]\n", "c.toml:7: profiles[0].traits_source: it is missing"},
		"a source of profiles":   {minimal + profilesOf + "source = \"a\"\ntraits = [\"a*\"]\n", "c.toml:7: profiles[0]: source and user_id are not for profiles: set traits_source and identifiers_source"},
		"profiles in a database": {minimal + "[[profiles]]\ntraits_source = \"postgres://h/d\"\ntraits_table = \"t\"\nidentifiers_source = \"postgres://h/d\"\ntraits = [\"a*\"]\n", "c.toml:7: profiles[0]: a database takes exactly one of query and table"},
		"reserved in profiles":   {minimal + profilesOf + "traits = [\"a*\", \"email\"]\n", "c.toml:10: profiles[0].traits[1]: trait \"email\": \"email\" is a field that Gleap contacts already have: choose another one with keys = { \"email\" = \"…\" }"},
		"changes of a database":  {"project = \"a\"\n[[changes]]\nsource = \"-\"\ndiscover = true\n", "c.toml:3: changes[0].source: it takes files, which have names and stay what they are"},
		"empty profiles":         {minimal + profilesOf, "c.toml:7: profiles[0]: it names no column: set audiences or traits"},
		"base_url":               {strings.Replace(minimal, "[gleap]", "[gleap]\nbase_url = \"http://api.gleap.io\"", 1), "c.toml:3: gleap.base_url: the token would go over plain http to api.gleap.io: use https"},
		"no limit":               {strings.Replace(minimal, "[gleap]", "[gleap]\nrate = 0", 1), "c.toml:3: gleap.rate: it takes 1 at least"},
		"webhook":                {minimal + "[notify]\nwebhook = \"http://example.com/secret\"\n", "c.toml:8: notify.webhook: it takes https: plain http is for loopback"},
		"no webhook":             {minimal + "[notify]\nwebhook = \"${NOT_THERE}\"\n", "c.toml:8: notify.webhook: the environment has no NOT_THERE"},
		"ping_url":               {minimal + "[notify]\nping_url = \"secret\"\n", "c.toml:8: notify.ping_url: it takes an address such as https://"},
		"format of messages":     {minimal + "[notify]\nformat = \"teams\"\n", "c.toml:8: notify.format: it takes one of: json slack"},
		"size_change":            {minimal + "[notify]\nsize_change = \"some\"\n", "c.toml:8: notify.size_change: a limit is a share such as"},
		"textfile":               {minimal + "[metrics]\ntextfile = \"gleapsync.txt\"\n", "c.toml:8: metrics.textfile: it takes a name that ends in .prom"},
		"pushgateway":            {minimal + "[metrics]\npushgateway = \"gateway:9091\"\n", "c.toml:8: metrics.pushgateway: it takes an address"},
		"two tokens":             {strings.Replace(minimal, "[gleap]", "[gleap]\napi_token_file = \"t\"", 1), "c.toml:3: gleap.api_token_file: api_token_env is set too"},
	} {
		_, err := load(t, test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v\nwant %s", name, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "struct")) {
			t.Errorf("%s: the error shows too much: %v", name, err)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.toml")); err == nil || !strings.Contains(err.Error(), "config.example.toml") {
		t.Errorf("no file: %v", err)
	}
	_, err := load(t, minimal+"pick = \"x\"\nabsent = \"y\"\n")
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two errors: %v", err)
	}
}

// TestCommand: a command has the environment's values, and neither they nor the token may
// be shown.
func TestCommand(t *testing.T) {
	t.Setenv("TOKEN", "abc")
	t.Setenv("WAREHOUSE", "s3cr3t")
	c, err := load(t, strings.Replace(minimal, "source = ", "command = [\"/usr/bin/bq\", \"query\", \"--key=${WAREHOUSE}\", \"${OTHER:-x}\"]\ntimeout = \"2m\" # ", 1))
	if err != nil {
		t.Fatal(err)
	}
	e := c.Sync.Exports[0]
	if !slices.Equal(e.Command, []string{"/usr/bin/bq", "query", "--key=s3cr3t", "x"}) || e.Source != "bq query" || e.Timeout != 2*time.Minute ||
		!slices.Contains(e.Secrets, "s3cr3t") || !slices.Contains(e.Secrets, "abc") {
		t.Errorf("%+v", e)
	}
}

// TestCommandEnv: what is ours in the environment a command gets only if it asks for it.
func TestCommandEnv(t *testing.T) {
	t.Setenv("GLEAPSYNC_TESTS", "") // else it is one of those that are hidden; it comes back afterwards
	os.Unsetenv("GLEAPSYNC_TESTS")
	for _, name := range []string{"TOKEN", "GLEAPSYNC_WEBHOOK", "GLEAPSYNC_CONFIG", "PGPASSWORD"} {
		t.Setenv(name, "x")
	}
	for asked, want := range map[string][]string{
		"":                                     {"GLEAPSYNC_WEBHOOK", "TOKEN"},
		`env = ["TOKEN"]`:                      {"GLEAPSYNC_WEBHOOK"},
		`env = ["GLEAPSYNC_WEBHOOK", "TOKEN"]`: nil,
		`env = ["PGPASSWORD", "NONE_OF_THE_ENV"]`: {"GLEAPSYNC_WEBHOOK", "TOKEN"},
	} {
		c, err := load(t, strings.Replace(minimal, "source = ", "command = [\"bq\", \"${TOKEN}\"]\n"+asked+" # ", 1))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Sync.Exports[0].Hidden; !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("%s: %q are hidden, want %q", asked, got, want)
		}
	}
	if _, err := load(t, strings.Replace(minimal, "source = ", "env = [\"TOKEN\"]\nsource = ", 1)); err == nil || !strings.Contains(err.Error(), "audience[0].env: it is for a command") {
		t.Errorf("without a command: %v", err)
	}
}

// TestNoSizeChange: sizes need not be news.
func TestNoSizeChange(t *testing.T) {
	c, err := load(t, minimal+"[notify]\nwebhook = \"\"\nsize_change = \"\"\n")
	if err != nil || c.Notify.SizeChange != nil || c.Notify.Webhook != "" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestToken(t *testing.T) {
	t.Setenv("EMPTY", "")
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	os.WriteFile(file, []byte("from-file\n"), 0o600)
	marked, wide := filepath.Join(dir, "marked"), filepath.Join(dir, "wide")
	os.WriteFile(marked, []byte("\ufefffrom-editor\r\n"), 0o600)
	os.WriteFile(wide, []byte("\xff\xfet\x00\r\x00\n\x00"), 0o600)
	for _, test := range []struct{ line, want string }{
		{"api_token_file = \"" + filepath.ToSlash(file) + "\"", "from-file"},
		{"api_token_file = \"" + filepath.ToSlash(marked) + "\"", "from-editor"},
		{"api_token_file = \"" + filepath.ToSlash(wide) + "\"", "wide: the text is UTF-16: save it as UTF-8"},
		{"api_token_file = \"no-such-file\"", "error"},
		{"api_token_env = \"NO_SUCH_VARIABLE\"", "the environment variable NO_SUCH_VARIABLE, which gleap.api_token_env names, is not set"},
		{"api_token_env = \"EMPTY\"", "EMPTY, which gleap.api_token_env names, is empty"},
		{"", "error"},
	} {
		c, err := load(t, strings.Replace(minimal, `api_token_env = "TOKEN"`, test.line, 1))
		if err != nil {
			t.Fatal(err)
		}
		token, err := c.Token()
		got := string(token)
		if err != nil {
			got = "error " + err.Error()
		}
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, %v", test.line, got, err)
		}
	}
}

func TestTokenIsOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	os.WriteFile(file, []byte("secret"), 0o600)
	c, err := load(t, strings.Replace(minimal, `api_token_env = "TOKEN"`, "api_token_file = \""+filepath.ToSlash(file)+"\"", 1))
	if err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]string{0o600: "", 0o440: "", 0o644: file, 0o604: file} {
		os.Chmod(file, mode)
		if got := c.TokenIsOpen(); got != want {
			t.Errorf("%v: %q", mode, got)
		}
	}
}

// TestAboveLimit: more than Gleap allows is taken; a sandbox has limits of its own.
func TestAboveLimit(t *testing.T) {
	for keys, want := range map[string]bool{
		"": false, "rate = 1001": true, "rate = 100\nwindow = \"6s\"": false, "rate = 100\nwindow = \"5s\"": true,
		"rate = 5000\nbase_url = \"sandbox\"": false, "rate = 5000\nbase_url = \"http://127.0.0.1:8089\"": false,
	} {
		c, err := load(t, strings.Replace(minimal, "[gleap]", "[gleap]\n"+keys, 1))
		if err != nil || c.AboveLimit() != want {
			t.Errorf("%q: want %t: %v", keys, want, err)
		}
	}
}

// FuzzLoad: no text makes the loader panic.
func FuzzLoad(f *testing.F) {
	f.Add(minimal)
	f.Add("project = \"${X:-y}\"\n[[table]]\naudiences = [\"a\"]\nsource = \"x\"\n[contact]\nemail = 3\n")
	f.Fuzz(func(t *testing.T, text string) { _, _ = load(t, text) })
}
