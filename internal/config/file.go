package config

// file is the configuration as it is written.
type file struct {
	Project string `toml:"project"`
	Gleap   struct {
		Region             string `toml:"region" one:"eu us"`
		BaseURL            string `toml:"base_url"`
		APITokenEnv        string `toml:"api_token_env"`
		APITokenFile       string `toml:"api_token_file"`
		Rate               int    `toml:"rate"`
		Window             string `toml:"window"`
		Concurrency        int    `toml:"concurrency"`
		Timeout            string `toml:"timeout"`
		GiveUp             string `toml:"give_up"`
		UpdateLastActivity bool   `toml:"update_last_activity"`
		BooleanAs          string `toml:"boolean_as" one:"boolean text number"`
	} `toml:"gleap"`
	State struct {
		Path      string `toml:"path"`
		MustExist bool   `toml:"must_exist"`
		Replica   string `toml:"replica"`
	} `toml:"state"`
	Sync struct {
		Schedule string `toml:"schedule"`
		TimeZone string `toml:"time_zone"`
		Jitter   string `toml:"jitter"`
		Deadline string `toml:"deadline"`
		Memory   string `toml:"memory"`
		TempDir  string `toml:"temp_dir"`
	} `toml:"sync"`
	Guard struct {
		MaxExits   any `toml:"max_exits" as:"string integer"`
		MinExits   int `toml:"min_exits"`
		MaxInvalid any `toml:"max_invalid" as:"string integer"`
	} `toml:"guard"`
	Log struct {
		Path string `toml:"path"`
		Keep string `toml:"keep"`
	} `toml:"log"`
	Notify struct {
		Webhook    string `toml:"webhook"`
		Format     string `toml:"format" one:"json slack"`
		SizeChange any    `toml:"size_change" as:"string integer"`
		PingURL    string `toml:"ping_url"`
	} `toml:"notify"`
	Metrics struct {
		Pushgateway string `toml:"pushgateway"`
		Textfile    string `toml:"textfile"`
	} `toml:"metrics"`
	Events struct {
		Membership bool     `toml:"membership"`
		Entered    string   `toml:"entered"`
		Exited     string   `toml:"exited"`
		Computed   string   `toml:"computed"`
		Traits     []string `toml:"traits"`
		Backfill   bool     `toml:"backfill"`
		Batch      int      `toml:"batch"`
		Remember   string   `toml:"remember"`
	} `toml:"events"`
	Contact   contactTable    `toml:"contact"`
	Audiences []audienceKeys  `toml:"audience"`
	Traits    []traitKeys     `toml:"trait"`
	Tables    []tableKeys     `toml:"table"`
	Changes   []changesKeys   `toml:"changes"`
	Profiles  []profilesKeys  `toml:"profiles"`
	Tracks    []trackKeys     `toml:"track"`
	Known     []knownListKeys `toml:"known"`
}

type contactTable struct {
	FirstName    string `toml:"first_name"`
	LastName     string `toml:"last_name"`
	Email        string `toml:"email"`
	Phone        string `toml:"phone"`
	CompanyName  string `toml:"company_name"`
	CompanyID    string `toml:"company_id"`
	Lang         string `toml:"lang"`
	Plan         string `toml:"plan"`
	Value        string `toml:"value"`
	LastPageView string `toml:"last_page_view"`
	CreatedAt    string `toml:"created_at"`
	LastActivity string `toml:"last_activity"`
}

// inputKeys say where rows come from, and how they are read.
type inputKeys struct {
	Source      string   `toml:"source"`
	Command     []string `toml:"command"`
	Env         []string `toml:"env"`
	Timeout     string   `toml:"timeout"`
	Pick        string   `toml:"pick" one:"newest all"`
	Format      string   `toml:"format" one:"csv ndjson parquet"`
	Delimiter   string   `toml:"delimiter" one:", : ; | colon comma pipe semicolon tab"`
	UserID      string   `toml:"user_id"`
	Identifiers string   `toml:"identifiers" one:"all first last"`
	MaxAge      string   `toml:"max_age"`
	databaseKeys
}

// exportKeys are the keys that every export may have.
type exportKeys struct {
	inputKeys
	Absent     string `toml:"absent" one:"exit keep"`
	MaxExits   any    `toml:"max_exits" as:"string integer"`
	AllowEmpty bool   `toml:"allow_empty"`
	BrokenRows string `toml:"broken_rows" one:"withhold ignore"`
	Parts      string `toml:"parts" one:"all any"`
}

// namedKeys are those of exports with several audiences and traits, by their names.
type namedKeys struct {
	Membership *bool             `toml:"membership"`
	Audiences  []string          `toml:"audiences"`
	Traits     []string          `toml:"traits"`
	Exclude    []string          `toml:"exclude"`
	Type       string            `toml:"type" one:"auto boolean number string datetime"` // of traits whose type is not said by name
	Keys       map[string]string `toml:"keys"`
	Types      map[string]string `toml:"types"`
	dampingKeys
}

// dampingKeys are one value for all traits, or values by name.
type dampingKeys struct {
	MinInterval any `toml:"min_interval" as:"string object"`
	Tolerance   any `toml:"tolerance" as:"string number object"`
}

type audienceKeys struct {
	Name       string `toml:"name"`
	Key        string `toml:"key"`
	Membership *bool  `toml:"membership"`
	exportKeys
}

type traitKeys struct {
	Name      string `toml:"name"`
	Key       string `toml:"key"`
	Type      string `toml:"type" one:"auto boolean number string datetime"`
	Value     string `toml:"value"`
	OnMissing string `toml:"on_missing" one:"keep clear"`
	dampingKeys
	exportKeys
}

type tableKeys struct {
	OnMissing string `toml:"on_missing" one:"keep clear"`
	Delta     string `toml:"delta"`
	namedKeys
	exportKeys
}

// changesKeys are those of what happened. Not all that a snapshot has makes sense for it.
type changesKeys struct {
	Source     string   `toml:"source"`
	Command    []string `toml:"command"` // these eight for rows
	Env        []string `toml:"env"`
	Timeout    string   `toml:"timeout"`
	Cursor     string   `toml:"cursor"`
	Lag        string   `toml:"lag"`
	Audit      string   `toml:"audit"`
	AuditTable string   `toml:"audit_table"`
	AuditQuery string   `toml:"audit_query"`
	Discover   bool     `toml:"discover"`
	Delimiter  string   `toml:"delimiter" one:", : ; | colon comma pipe semicolon tab"`
	Contact    *bool    `toml:"contact"`
	MaxAge     string   `toml:"max_age"`
	MaxExits   any      `toml:"max_exits" as:"string integer"`
	BrokenRows string   `toml:"broken_rows" one:"withhold ignore"`
	namedKeys
	databaseKeys
	Columns struct {
		AudienceName   string `toml:"audience_name"`
		AudienceID     string `toml:"audience_id"`
		AudienceAction string `toml:"audience_action"`
		UserID         string `toml:"user_id"`
		Timestamp      string `toml:"timestamp"`
		MessageID      string `toml:"message_id"`
	} `toml:"columns"`
}

// profilesKeys are those of a table too, but for source and user_id.
type profilesKeys struct {
	TraitsSource      string `toml:"traits_source"`
	TraitsTable       string `toml:"traits_table"` // these four for databases
	TraitsQuery       string `toml:"traits_query"`
	IdentifiersSource string `toml:"identifiers_source"`
	IdentifiersTable  string `toml:"identifiers_table"`
	IdentifiersQuery  string `toml:"identifiers_query"`
	tableKeys
}

// trackKeys are those of events.
type trackKeys struct {
	Source string   `toml:"source"`
	Events []string `toml:"events"`
	Keys   []string `toml:"keys"`
	Since  any      `toml:"since"`
	MaxAge string   `toml:"max_age"`
}

// knownListKeys are those of a list of the contacts that may be created.
type knownListKeys struct{ inputKeys }
