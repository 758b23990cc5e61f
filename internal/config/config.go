package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/pelletier/go-toml/v2"

	"gleapsync/gleap"
	"gleapsync/internal/bucket"
	"gleapsync/internal/events"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/schedule"
	"gleapsync/internal/secret"
	"gleapsync/internal/textfile"
	"gleapsync/state"
	"gleapsync/sync"
)

// Config is a configuration that was checked.
type Config struct {
	Path     string
	Sync     sync.Options
	State    state.Options
	Replica  *bucket.Address   // where the state lives too, nil: nowhere
	Gleap    gleap.Options     // without Token, Version and Log
	Sandbox  bool              // use an embedded sandbox instead of Gleap.BaseURL
	Schedule schedule.Schedule // of runs that gleapsync begins by itself
	Zone     *time.Location    // of the times that people read
	Notify   Notify
	Metrics  Metrics
	// Reserved has, by key, what is wrong with attributes that only earlier versions took:
	// those that were delivered go on. Nobody can tell without the state.
	Reserved map[string]error

	tokenEnv, tokenFile string
}

// Sandbox is the base_url that asks for an embedded sandbox.
const Sandbox = "sandbox"

// Load reads the file at path. The error lists all that is wrong with it.
func Load(path string) (*Config, error) {
	text, err := textfile.Read(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no configuration at %s: name it with --config, make one with gleapsync init, or start from config.example.toml", path)
	}
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	f := defaults()
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f); err != nil {
		return nil, describe(path, err)
	}
	lines := findLines(text)
	if err := otherCase(path, text, lines); err != nil {
		return nil, err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	l := &loader{&reader{path: path, dir: filepath.Dir(absolute), lines: lines}, &f}
	c := l.config()
	return c, errors.Join(l.errs...)
}

// Token reads the API token from where the configuration says it is.
func (c *Config) Token() (secret.Text, error) {
	switch {
	case c.tokenEnv != "":
		text, isSet := os.LookupEnv(c.tokenEnv)
		switch {
		case !isSet:
			return "", fmt.Errorf("the environment variable %s, which gleap.api_token_env names, is not set: export it where gleapsync runs", c.tokenEnv)
		case text == "":
			return "", fmt.Errorf("the environment variable %s, which gleap.api_token_env names, is empty", c.tokenEnv)
		}
		token, err := gleap.ParseToken(text)
		if err != nil {
			return "", fmt.Errorf("the environment variable %s (gleap.api_token_env): %w", c.tokenEnv, err)
		}
		return token, nil
	case c.tokenFile != "":
		text, err := textfile.Read(c.tokenFile)
		if err != nil {
			return "", fmt.Errorf("gleap.api_token_file: %w", err)
		}
		token, err := gleap.ParseToken(string(text))
		if err != nil {
			return "", fmt.Errorf("the file %s (gleap.api_token_file): %w", c.tokenFile, err)
		}
		return token, nil
	}
	return "", errors.New("no API token: set gleap.api_token_env or gleap.api_token_file (the token is in Gleap under Project settings)")
}

// TokenIsOpen returns the path of the token's file if everybody on this machine may read
// it, else "".
func (c *Config) TokenIsOpen() string {
	if c.tokenFile == "" || c.tokenEnv != "" {
		return ""
	}
	const others = 0o004
	if info, err := os.Stat(c.tokenFile); err != nil || info.Mode()&others == 0 || runtime.GOOS == "windows" {
		return ""
	}
	return c.tokenFile
}

// AboveLimit reports whether more is asked of Gleap than it allows. A sandbox on loopback
// has limits of its own.
func (c *Config) AboveLimit() bool {
	return !c.Sandbox && !gleap.IsLoopback(c.Gleap.BaseURL) && float64(c.Gleap.Rate)/c.Gleap.Window.Seconds() > float64(gleapRate)/60
}

// MayFeed reports whether an export feeds an attribute of a key, or one whose key a pattern
// matches, or may turn out to.
func (c *Config) MayFeed(key string) bool {
	return slices.ContainsFunc(c.Sync.Exports, func(e inputs.Export) bool { return e.MayFeed(key) })
}

// loader turns a file into a configuration.
type loader struct {
	*reader
	f *file
}

func (l *loader) config() *Config {
	c := &Config{Path: l.path}
	var zone string
	c.Schedule, zone = l.schedule()
	c.Zone = time.Local
	if in, err := time.LoadLocation(zone); err == nil && zone != "" {
		c.Zone = in
	}
	project := l.text("project", l.f.Project)
	if project == "" {
		l.fail("project", errors.New("it is missing: name the Gleap project that this state belongs to"))
	}
	l.gleap(c)
	c.State = state.Options{Path: l.file("state.path", l.f.State.Path), Project: project, MustExist: l.f.State.MustExist}
	if c.State.Path == "" {
		l.fail("state.path", errors.New("it is empty"))
	}
	c.Replica = l.replica()
	c.Sync = sync.Options{
		Project:     project,
		Gleap:       c.gleapName(),
		Memory:      l.memory(l.f.Sync.Memory),
		TempDir:     l.file("sync.temp_dir", l.f.Sync.TempDir),
		Deadline:    l.duration("sync.deadline", l.f.Sync.Deadline),
		Rate:        c.Gleap.Rate,
		Window:      c.Gleap.Window,
		Concurrency: c.Gleap.Concurrency,
		BooleanAs:   c.Gleap.BooleanAs,
		Guard: guard.Limits{
			MaxExits:   l.limit("guard.max_exits", l.f.Guard.MaxExits),
			MinExits:   l.atLeast("guard.min_exits", l.f.Guard.MinExits, 0),
			MaxInvalid: l.limit("guard.max_invalid", l.f.Guard.MaxInvalid),
		},
		Fields: l.contact(l.f.Contact),
	}
	c.Notify = l.notify(c.Sync.Guard.MinExits)
	if c.Sync.TempDir == "" {
		c.Sync.TempDir = filepath.Dir(c.State.Path)
	}
	c.Metrics = l.metrics(project)
	c.Sync.Deliveries = l.log(c.State.Path)
	c.Reserved = map[string]error{}
	e := &exportLoader{
		reader: l.reader, tempDir: c.Sync.TempDir, token: c.tokenEnv, zone: zone, membership: l.f.Events.Membership,
		keys: map[string]string{}, reserved: c.Reserved,
	}
	each(&c.Sync.Exports, "audience", l.f.Audiences, e.audience)
	each(&c.Sync.Exports, "trait", l.f.Traits, e.trait)
	each(&c.Sync.Exports, "table", l.f.Tables, e.table)
	each(&c.Sync.Exports, "profiles", l.f.Profiles, e.profiles)
	fieldsFed := len(c.Sync.Exports) > 0 && len(c.Sync.Fields) > 0
	each(&c.Sync.Exports, "changes", l.f.Changes, func(key string, k *changesKeys) inputs.Export {
		return e.changes(key, k, c.Sync.Exports, fieldsFed)
	})
	c.Sync.Events = l.events(c.Sync.Exports)
	each(&c.Sync.Tracks, "track", l.f.Tracks, func(key string, k *trackKeys) events.Export { return e.track(key, k, c.Sync.Tracks) })
	each(&c.Sync.Known, "known", l.f.Known, e.knownList)
	l.onlyOneStdin(c.Sync.Exports)
	if len(c.Sync.Exports)+len(c.Sync.Tracks) == 0 {
		l.errs = append(l.errs, fmt.Errorf("%s: there is no [[audience]], [[trait]], [[table]], [[profiles]], [[changes]] or [[track]]: nothing to sync", l.path))
	}
	return c
}

// each reads all tables of a name, and appends what is made of them.
func each[K, T any](to *[]T, name string, tables []K, read func(key string, k *K) T) {
	for i := range tables {
		*to = append(*to, read(fmt.Sprintf("%s[%d]", name, i), &tables[i]))
	}
}

// schedule returns the schedule, and the zone of its times, "" for the machine's.
func (l *loader) schedule() (s schedule.Schedule, zone string) {
	spec, zone := l.text("sync.schedule", l.f.Sync.Schedule), l.text("sync.time_zone", l.f.Sync.TimeZone)
	s, err := schedule.Parse(spec, zone, l.duration("sync.jitter", l.f.Sync.Jitter))
	if err != nil {
		key := "sync.schedule"
		if _, withoutZone := schedule.Parse(spec, "", 0); withoutZone == nil {
			key = "sync.time_zone"
		}
		l.fail(key, err)
	}
	return s, zone
}

func (l *loader) gleap(c *Config) {
	g := &l.f.Gleap
	c.Gleap = gleap.Options{
		BaseURL: l.text("gleap.base_url", g.BaseURL),
		BooleanAs: choice(l.reader, "gleap.boolean_as", g.BooleanAs, map[string]gleap.BooleanAs{
			"": gleap.AsBoolean, "boolean": gleap.AsBoolean, "text": gleap.AsText, "number": gleap.AsNumber,
		}),
		Rate:               l.atLeast("gleap.rate", g.Rate, 0),
		Window:             l.seconds("gleap.window", g.Window),
		Concurrency:        l.atLeast("gleap.concurrency", g.Concurrency, 0),
		Timeout:            l.seconds("gleap.timeout", g.Timeout),
		GiveUp:             l.seconds("gleap.give_up", g.GiveUp),
		UpdateLastActivity: g.UpdateLastActivity,
	}
	region := choice(l.reader, "gleap.region", g.Region, map[string]string{"": gleap.EU, "eu": gleap.EU, "us": gleap.US})
	c.Gleap.BaseURL = cmp.Or(c.Gleap.BaseURL, region, gleap.EU) // of a wrong region is said enough
	c.tokenEnv, c.tokenFile = l.text("gleap.api_token_env", g.APITokenEnv), l.file("gleap.api_token_file", g.APITokenFile)
	if c.tokenEnv != "" && c.tokenFile != "" {
		l.fail("gleap.api_token_file", errors.New("api_token_env is set too: choose one"))
	}
	if c.Gleap.Concurrency == 0 && c.Gleap.Window > 0 {
		c.Gleap.Concurrency = enoughConnections(c.Gleap.Rate, c.Gleap.Window)
	}
	if c.Sandbox = c.Gleap.BaseURL == Sandbox; c.Sandbox {
		return
	}
	if err := gleap.CheckBaseURL(c.Gleap.BaseURL); err != nil {
		l.fail("gleap.base_url", err)
	} else if c.Gleap.Rate == 0 && !gleap.IsLoopback(c.Gleap.BaseURL) {
		l.fail("gleap.rate", errors.New("it takes 1 at least: without a limit only a sandbox on loopback can be called"))
	}
}

// gleapName names the Gleap that is told: its host, or that it is a sandbox, of which each one
// is as good as another.
func (c *Config) gleapName() string {
	base, err := url.Parse(c.Gleap.BaseURL)
	if c.Sandbox || err != nil || gleap.IsLoopback(c.Gleap.BaseURL) {
		return Sandbox
	}
	return base.Hostname()
}

// enoughConnections holds the rate even if every answer takes two seconds.
func enoughConnections(rate int, window time.Duration) int {
	const slowAnswer = 2 * time.Second
	return min(256, max(16, 2+int(int64(rate)*int64(slowAnswer)/int64(window))))
}

// contact returns the contact fields that are mapped. First and last name make one
// field, and go together with whichever of them is there.
func (l *loader) contact(t contactTable) []inputs.Field {
	var fields []inputs.Field
	add := func(field gleap.Field, keysAndColumns ...string) {
		f := inputs.Field{Field: field}
		for i := 0; i < len(keysAndColumns); i += 2 {
			if column := l.text("contact."+keysAndColumns[i], keysAndColumns[i+1]); column != "" {
				f.Columns = append(f.Columns, column)
			}
		}
		if len(f.Columns) > 0 {
			fields = append(fields, f)
		}
	}
	add(gleap.Name, "first_name", t.FirstName, "last_name", t.LastName)
	add(gleap.Email, "email", t.Email)
	add(gleap.Phone, "phone", t.Phone)
	add(gleap.CompanyName, "company_name", t.CompanyName)
	add(gleap.CompanyID, "company_id", t.CompanyID)
	add(gleap.Lang, "lang", t.Lang)
	add(gleap.Plan, "plan", t.Plan)
	add(gleap.Value, "value", t.Value)
	add(gleap.CreatedAt, "created_at", t.CreatedAt)
	add(gleap.LastActivity, "last_activity", t.LastActivity)
	add(gleap.LastPageView, "last_page_view", t.LastPageView)
	return fields
}
