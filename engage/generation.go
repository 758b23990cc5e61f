package engage

import (
	"context"
	"errors"

	"gleapsync/internal/database"
	"gleapsync/internal/generation"
)

// Keeper has an export's database keep what it says, see package generation.
type Keeper struct {
	*generation.Place
	generation.Export
	source *Source
}

// Place returns where the database of an export keeps generations for an owner, nil if it keeps none.
func (e *Export) Place(owner string) *generation.Place {
	if e.Delta == "" || !e.isDatabase() {
		return nil
	}
	return e.query().Place(e.Delta, owner)
}

// Keeper returns how the database keeps what the source says of attributes. The error says why it
// does not, although the settings want it.
func (s *Source) Keeper(ctx context.Context, attributes []Attribute, owner string) (*Keeper, error) {
	rows, err := s.query.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	e := s.export
	e.Attributes = attributes
	l, err := newLayout(rows.Columns(), e)
	if err = errors.Join(append(l.missingOnes(), err)...); err != nil {
		return nil, err
	}
	if len(l.userIDs) != 1 || l.external >= 0 && !l.named {
		return nil, errors.New("the user ids do not stand in one column alone: name it with user_id")
	}
	if l.profile >= 0 {
		return nil, errors.New("it has the column key, so that several rows may be of one profile: a query can leave it out")
	}
	k := &Keeper{Place: s.export.Place(owner), source: s}
	s.columns = rows.Readable()
	k.Export, err = rows.Export(l.userIDs[0], l.columns())
	return k, err
}

// missingOnes returns why attributes are missing.
func (l *layout) missingOnes() []error {
	if l == nil {
		return nil
	}
	return l.missing
}

// Try reports why a generation that was taken says something else than the export, as far as its
// columns tell.
func (k *Keeper) Try(ctx context.Context, id string) error {
	if k.Types == nil {
		return nil
	}
	rows, err := k.query(k.All(id, k.Export)).Open(ctx)
	if err == nil {
		rows.Close()
	}
	return err
}

// Read has the source read a generation from now on: all of its rows, or those of the users who
// differ, once somebody compared them.
func (k *Keeper) Read(id string, differ bool) {
	sql := k.All(id, k.Export)
	if differ {
		sql = k.Some(id, k.Export)
	}
	k.source.query, k.source.idsChecked = k.query(sql), differ
}

func (k *Keeper) query(sql string) *database.Query {
	q := *k.source.query
	q.Table, q.SQL, q.Types = "", sql, k.Types
	return &q
}
