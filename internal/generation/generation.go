package generation

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"gleapsync/internal/userid"
)

// Export is what generations are taken of.
type Export struct {
	From    string // what stands behind FROM
	Key     string // the user id as a text, as SQL has it
	Columns []Column
	Form    string   // of the rows: names and types of the columns
	Types   []string // of the columns, for a database whose generations have other ones
}

// Column is a column of an export that a generation keeps.
type Column struct {
	Name    string
	Keep    string // what is kept of it, which stands for %s
	Compare string // and what is compared of that
}

// Totals are of all rows of a generation.
type Totals struct {
	Rows      int
	WithoutID int  // rows of no user
	Several   bool // some user has several rows
}

// Take takes a generation.
func (p *Place) Take(ctx context.Context, id string, e Export) (Totals, error) {
	d := p.Database.Dialect()
	words := []string{"''"}
	for _, word := range userid.NoIDs {
		words = append(words, "'"+word+"'")
	}
	selected := []string{
		fmt.Sprintf("CASE WHEN lower(trim(%[1]s)) IN (%[2]s, chr(92) || 'n') THEN NULL ELSE %[1]s END AS %[3]s", e.Key, strings.Join(words, ", "), d.Quote(keyColumn)),
		fmt.Sprintf("CAST(%s AS bigint) AS %s", number(id), d.Quote(bornColumn)),
	}
	for _, c := range e.Columns {
		selected = append(selected, fmt.Sprintf(c.Keep, d.Quote(c.Name))+" AS "+d.Quote(c.Name))
	}
	if err := p.create(ctx, id, "", "SELECT "+strings.Join(selected, ", ")+" FROM "+e.From); err != nil {
		return Totals{}, err
	}
	numbers, err := p.numbers(ctx, fmt.Sprintf("SELECT count(*), count(%[1]s), count(DISTINCT %[1]s) FROM %[2]s", d.Quote(keyColumn), p.table(id, "")))
	if err != nil {
		return Totals{}, err
	}
	return Totals{Rows: numbers[0], WithoutID: numbers[0] - numbers[1], Several: numbers[1] != numbers[2]}, nil
}

// ErrOther is returned for a generation that is not the one, or not all of it. Then all has to be
// read.
var ErrOther = errors.New("the generation that was applied last is not there, or not as it was")

// Compare has the database find out who differs in a generation and the one before, which had so
// many rows, and returns how many do: no more than most.
func (p *Place) Compare(ctx context.Context, id, before string, rows int, e Export, most int) (int, error) {
	d := p.Database.Dialect()
	key := d.Quote(keyColumn)
	numbers, err := p.numbers(ctx, fmt.Sprintf("SELECT count(*), count(CASE WHEN %s = %s THEN 1 END) FROM %s", d.Quote(bornColumn), number(before), p.table(before, "")))
	if err != nil {
		return 0, err
	}
	if numbers[0] != rows || numbers[1] != rows {
		return 0, ErrOther
	}
	selected := []string{
		"COALESCE(n." + key + ", o." + key + ") AS " + key,
		"CASE WHEN o." + key + " IS NULL THEN 0 ELSE 1 END AS " + d.Quote(wasColumn),
		"CASE WHEN n." + key + " IS NULL THEN 0 ELSE 1 END AS " + d.Quote(isColumn),
	}
	different := []string{"n." + key + " IS NULL", "o." + key + " IS NULL"}
	for _, c := range e.Columns {
		selected = append(selected, "n."+d.Quote(c.Name))
		different = append(different, fmt.Sprintf(d.Differs, fmt.Sprintf(c.Compare, "n."+d.Quote(c.Name)), fmt.Sprintf(c.Compare, "o."+d.Quote(c.Name))))
	}
	of := func(id string) string { return "(SELECT * FROM " + p.table(id, "") + " WHERE " + key + " IS NOT NULL)" }
	err = p.create(ctx, id, differs, fmt.Sprintf("SELECT %s FROM %s n FULL OUTER JOIN %s o ON n.%s = o.%s WHERE %s LIMIT %d",
		strings.Join(selected, ", "), of(id), of(before), key, key, strings.Join(different, " OR "), most))
	if err != nil {
		return 0, err
	}
	numbers, err = p.numbers(ctx, "SELECT count(*) FROM "+p.table(id, differs))
	if err != nil {
		return 0, err
	}
	return numbers[0], nil
}

// sameUser is what stands for whether a user was there before who does not differ.
const sameUser = "2"

// A statement is of so many users at a time, and of ids, or notes, of so many bytes: Trino takes a
// million characters.
const (
	someIDs   = 1000
	someBytes = 300_000
)

// chunks divides ids accordingly.
func chunks(userIDs []string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		size, from := 0, 0
		for i, id := range userIDs {
			if i-from == someIDs || size > someBytes {
				if !yield(userIDs[from:i]) {
					return
				}
				size, from = 0, i
			}
			size += len(id)
		}
		if from < len(userIDs) {
			yield(userIDs[from:])
		}
	}
}

// Add adds the rows of users who do not differ, as far as they have some.
func (p *Place) Add(ctx context.Context, id string, e Export, userIDs []string) error {
	d := p.Database.Dialect()
	for some := range chunks(userIDs) {
		sql := fmt.Sprintf("INSERT INTO %[1]s SELECT %[2]s, %[3]s, 1, %[4]s FROM %[5]s WHERE %[2]s IN (%[6]s) AND %[2]s NOT IN (SELECT %[2]s FROM %[1]s)",
			p.table(id, differs), d.Quote(keyColumn), sameUser, p.names(e), p.table(id, ""), p.parameters(len(some)))
		if err := p.Database.Exec(ctx, sql, some...); err != nil {
			return err
		}
	}
	return nil
}

// User is one who differs, or was added.
type User struct {
	ID   []byte
	Was  bool // before,
	Is   bool // and now; if neither says anything else:
	Same bool
}

// Users calls yield with each user who differs or was added.
func (p *Place) Users(ctx context.Context, id string, yield func(User) error) error {
	d := p.Database.Dialect()
	return p.Database.Each(ctx, fmt.Sprintf("SELECT %s, %s, %s FROM %s", d.Quote(keyColumn), d.Quote(wasColumn), d.Quote(isColumn), p.table(id, differs)), nil, func(cells [][]byte) error {
		return yield(User{cells[0], string(cells[1]) != "0", string(cells[2]) == "1", string(cells[1]) == sameUser})
	})
}

// All is the query for all rows of a generation, with the export's columns.
func (p *Place) All(id string, e Export) string {
	return "SELECT " + p.names(e) + " FROM " + p.table(id, "")
}

// Some is the query for the rows of the users who differ or were added.
func (p *Place) Some(id string, e Export) string {
	return "SELECT " + p.names(e) + " FROM " + p.table(id, differs) + " WHERE " + p.Database.Dialect().Quote(isColumn) + " = 1"
}

func (p *Place) names(e Export) string {
	var names []string
	for _, c := range e.Columns {
		name := p.Database.Dialect().Quote(c.Name)
		names = append(names, name+" AS "+name) // Trino keeps it in small letters
	}
	return strings.Join(names, ", ")
}

func (p *Place) parameters(n int) string {
	var all []string
	for i := range n {
		all = append(all, p.Database.Dialect().Parameter(i+1))
	}
	return strings.Join(all, ", ")
}

// numbers returns the numbers of the one row that a query has.
func (p *Place) numbers(ctx context.Context, sql string) (numbers []int, err error) {
	err = p.Database.Each(ctx, sql, nil, func(cells [][]byte) error {
		for _, cell := range cells {
			n, err := strconv.Atoi(string(cell))
			if err != nil {
				return errors.New("the database gives a count that is no number")
			}
			numbers = append(numbers, n)
		}
		return nil
	})
	return numbers, err
}
