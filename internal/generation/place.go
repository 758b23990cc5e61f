package generation

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// database runs statements: a [*gleapsync/internal/postgres.Work] or a
// [*gleapsync/internal/trino.Work].
type database interface {
	// Exec runs a statement for good.
	Exec(ctx context.Context, sql string, arguments ...string) error
	// Each runs a statement and calls row with each of its rows, whose cells are texts, nil for NULL,
	// and valid until row returns.
	Each(ctx context.Context, sql string, arguments []string, row func(cells [][]byte) error) error
	// Tables returns the names of the tables in a schema that begin with a prefix.
	Tables(ctx context.Context, schema, prefix string) ([]string, error)
	Dialect() Dialect
}

// Dialect is what databases do not have in common.
type Dialect struct {
	Create    string             // a table: its name and the query stand for %s
	Differs   string             // of two columns, %[1]s and %[2]s: whether one is NULL alone, or both say different things
	Text      string             // the type of texts of any length
	Parameter func(n int) string // the n-th argument of a statement, counted from 1
	// Rows returns what stands behind INSERT INTO for rows of texts, and its arguments.
	Rows     func(rows [][]string) (sql string, arguments []string)
	MostRows int // that a statement takes
	Quote    func(name string) string
	Schema   func(name string) string // the same, of a schema as the settings name it
}

// Place is where the generations of one state lie.
type Place struct {
	Database database
	Schema   string
	Owner    string // names the state, in sixteen digits and letters at most: PostgreSQL cuts longer names off
}

// Prefix is what the names of all tables begin with, whose ever they are.
const Prefix = "gleapsync_"

// Columns of ours. None of the export's may have such a name.
const (
	keyColumn   = "gleapsync_key"        // the user id as a text, NULL if there is none
	bornColumn  = "gleapsync_generation" // the number of the generation
	wasColumn   = "gleapsync_was"        // whether the generation before has the user,
	isColumn    = "gleapsync_is"         // and whether this one has
	notesColumn = "gleapsync_notes"
	staysColumn = "gleapsync_stays" // whether a note does: true or false
)

// NewID returns the id of a generation that is about to be taken. of is all that its rows depend on
// besides: generations of something else say nothing.
func NewID(of [32]byte) string {
	var id [16]byte
	copy(id[:], of[:8])
	rand.Read(id[8:])
	return hex.EncodeToString(id[:])
}

// IsOf reports whether a generation is of what another one is.
func IsOf(id, other string) bool { return isID(id) && isID(other) && id[:16] == other[:16] }

// NewTrialID returns the id of a generation that is never applied.
func NewTrialID(now time.Time) string {
	var random [4]byte
	rand.Read(random[:])
	return fmt.Sprintf("p%08x%x", uint32(now.Unix()), random)
}

var trialID = regexp.MustCompile(`^p[0-9a-f]{16}$`)

// IsTrial reports whether an id is one of [NewTrialID].
func IsTrial(id string) bool { return trialID.MatchString(id) }

// keepTrials is how long what tries something may take: then [Place.Sweep] drops what is left of it.
const keepTrials = 24 * time.Hour

var isID = regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString

// number returns what all rows of a generation have, so that a table that was given another's name
// is not taken for it.
func number(id string) string {
	b, err := hex.DecodeString(id[len(id)-16:])
	if err != nil {
		return "0"
	}
	return strconv.FormatInt(int64(binary.BigEndian.Uint64(b)>>1), 10)
}

// prefix is what the names of all tables of the state begin with.
func (p *Place) prefix() string { return Prefix + p.Owner + "_" }

// table returns a table of a generation as SQL has it.
func (p *Place) table(id, suffix string) string {
	d := p.Database.Dialect()
	return d.Schema(p.Schema) + "." + d.Quote(p.prefix()+id+suffix)
}

const differs, notes = "_d", "_n"

func (p *Place) create(ctx context.Context, id, suffix, query string) error {
	return p.Database.Exec(ctx, fmt.Sprintf(p.Database.Dialect().Create, p.table(id, suffix), query))
}

// Try finds out whether tables can be made, written, read and dropped.
func (p *Place) Try(ctx context.Context) error {
	id := NewTrialID(time.Now())
	table := p.table(id, "")
	if err := p.create(ctx, id, "", "SELECT 1 AS "+p.Database.Dialect().Quote(keyColumn)); err != nil {
		return err
	}
	err := p.Database.Exec(ctx, "INSERT INTO "+table+" SELECT 1")
	if err == nil {
		_, err = p.numbers(ctx, "SELECT count(*) FROM "+table)
	}
	return errors.Join(err, p.Database.Exec(ctx, "DROP TABLE "+table))
}

// Sweep drops all generations of the state but some. Those of trials that go on it leaves. What
// cannot be dropped is left for the next time, and is in the error.
func (p *Place) Sweep(ctx context.Context, now time.Time, keep ...string) error {
	names, err := p.Database.Tables(ctx, p.Schema, p.prefix())
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, id := range keep {
		kept[id], kept[id+notes] = true, true
	}
	var errs []error
	for _, name := range names {
		rest, ours := strings.CutPrefix(name, p.prefix())
		id := strings.TrimSuffix(strings.TrimSuffix(rest, differs), notes)
		if !ours || kept[rest] || !isID(id) && !IsTrial(id) || IsTrial(id) && now.Sub(madeAt(id)) < keepTrials {
			continue
		}
		errs = append(errs, p.drop(ctx, id, strings.TrimPrefix(rest, id)))
	}
	return errors.Join(errs...)
}

// madeAt returns when a trial began.
func madeAt(trial string) time.Time {
	seconds, _ := strconv.ParseUint(trial[1:9], 16, 32)
	return time.Unix(int64(seconds), 0)
}

// Drop drops a generation.
func (p *Place) Drop(ctx context.Context, id string) error {
	return errors.Join(p.drop(ctx, id, ""), p.drop(ctx, id, differs), p.drop(ctx, id, notes))
}

func (p *Place) drop(ctx context.Context, id, suffix string) error {
	return p.Database.Exec(ctx, "DROP TABLE IF EXISTS "+p.table(id, suffix))
}
