package engage

import (
	"time"

	"gleapsync/internal/secret"
	"gleapsync/internal/source"
	"gleapsync/internal/table"
	"gleapsync/internal/values"
)

// Kind says what an attribute is made from.
type Kind string

// The kinds of attribute.
const (
	Audience Kind = "audience"
	Trait    Kind = "trait"
)

// Identifiers says which user ids count if a profile has several.
type Identifiers string

// The choices for [Export.Identifiers].
const (
	AllIDs  Identifiers = "all" // each is a contact of its own, as Segment has it
	FirstID Identifiers = "first"
	LastID  Identifiers = "last"
)

// Pick says what is read if a glob matches several files.
type Pick = source.Pick

// The choices for [Export.Pick].
const (
	PickOne    = source.PickOne
	PickNewest = source.PickNewest
	PickAll    = source.PickAll
)

// Stdin is the [Export.Source] that stands for the standard input. It can be read once.
const Stdin = source.Stdin

// Format is the form of an export's text.
type Format = table.Format

// The formats.
const (
	AnyFormat = table.FormatAny
	CSV       = table.FormatCSV
	NDJSON    = table.FormatNDJSON
	Parquet   = table.FormatParquet
)

// Export is one source of rows and what is wanted of it.
type Export struct {
	Source      string // a path, a glob, [Stdin], an object, the address of a database without its password; with Command, what people call that
	Dir         string // where a relative Source starts, and where Command runs
	Pick        Pick   // for globs
	Format      Format
	TempDir     string      // for what has to be copied before it can be read, "": the system's
	Delimiter   byte        // between fields, 0: found in the header
	UserID      string      // the column with the user id, "": see [Source.Read]
	Identifiers Identifiers // "" is AllIDs
	Attributes  []Attribute // those that are named
	Wildcards   []Wildcard  // for more
	Exclude     []string    // patterns: names that Wildcards do not take
	Fields      []string    // columns or traits that hold contact fields, not all need to be there

	// Of what Wildcards and Discover take, by the name of the audience or trait:
	Keys  map[string]string      // the keys that were chosen for it
	Types map[string]values.Type // the types that were chosen for its values

	Known map[string]values.Type // what [values.Auto] came to be, by key, for those that were delivered before
	// Kept has the keys by which a state knows attributes that [keys.Of] would give others
	// today. Those in Attributes have theirs already. The rows do not depend on it.
	Kept map[Named]string

	AnyParts   bool // fewer parts of a snapshot than before are normal
	AllowEmpty bool // no members where there were some is right

	// ProfileIDs is where the user ids are if the export is a long table, with a row for each
	// name and profile, as Segment's Profiles Sync has it; else nil. Names come with its rows,
	// and both tables are sorted before anything is said.
	ProfileIDs *Export
	Sorting    Sorting

	Progress func(rows int) // is told of rows that [Source.Read] has read; may be nil
	Idle     func() bool    // reports whether a processor has nothing to do, see [Source.ReadEncoded]; nil: none has

	// For databases, see internal/database.
	Query        string      // whose rows are read, or
	Table        string      // with its schema before a dot, as the catalogue has the names
	Password     secret.Text // "": that of libpq's environment, if any
	PasswordFile string      // holds the password, instead of Password
	Delta        string      // the schema in which the database keeps generations, see package generation; "": none

	Command []string          // its standard output is read; with its arguments, and without a shell
	Secrets []string          // what Command may say, and neither Log nor an error may show
	Hidden  []string          // environment variables that Command does not get
	Log     func(line string) // is told what Command writes to its standard error; may be nil

	LoadedAt string // the column that says when a row was written, "": nobody knows

	Timeout time.Duration // of a query or a command, 0: 10 minutes

	// Changes is set for an export of what happened, not of what is: [Source.ReadChanges].
	Changes  bool
	Discover bool          // take every audience and trait that a change names
	Columns  ChangeColumns // of CSV with changes, and of rows with a cursor
	// Cursor is set where what happened are the rows of a database or of a command, one for each
	// call with a column for each audience and trait: the column with the time at which a row
	// came. Rows whose cursor is before Since are not asked for; zero: all are.
	Cursor string
	Since  time.Time
}

// ChangeColumns are the names of the columns of CSV with changes, "" those that
// Segment's S3 and SFTP destinations propose; of rows with a cursor the last three count.
type ChangeColumns struct {
	AudienceName   string // holds the key: "audience_name"
	AudienceID     string // Engage's own id: "audience_id"
	AudienceAction string // true or false: "audience_action"
	UserID         string // "user_id"
	Timestamp      string // "timestamp"
	MessageID      string // "message_id"
}

// NamesInRows reports whether names come with the rows, so that only reading can tell which
// the export has.
func (e *Export) NamesInRows() bool { return e.Changes || e.ProfileIDs != nil }

// Attribute is one attribute that an export feeds.
type Attribute struct {
	Kind   Kind
	Key    string      // its name in Gleap
	Name   string      // the name of the audience or trait in Engage
	Column string      // the column that holds it, "": an audience's members, a trait's column "value"
	Type   values.Type // of a trait's values
	Known  values.Type // what [values.Auto] came to be when the trait was delivered first, "": not yet
	Chosen bool        // the key was chosen, and not made of the name
}

// Named is an audience or a trait by its name in Engage.
type Named struct {
	Kind Kind
	Name string
}
