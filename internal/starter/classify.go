package starter

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/keys"
	"gleapsync/internal/pattern"
	"gleapsync/internal/values"
)

// contactFields are the keys of [contact] and the columns that may hold them, the
// likeliest first.
var contactFields = []struct {
	key     string
	columns []string
}{
	{"email", []string{"email"}},
	{"first_name", []string{"first_name", "name"}},
	{"last_name", []string{"last_name"}},
	{"phone", []string{"phone", "phone_number"}},
	{"company_name", []string{"company_name", "company"}},
	{"company_id", []string{"company_id"}},
	{"lang", []string{"lang", "locale", "language"}},
	{"plan", []string{"plan"}},
	{"created_at", []string{"created_at"}},
	{"last_page_view", []string{"last_page_url"}},
	{"last_activity", []string{"last_activity", "last_seen"}},
}

const contactField = "it is a contact field: see [contact]"

func contactColumns() []string {
	var all []string
	for _, field := range contactFields {
		all = append(all, field.columns...)
	}
	return all
}

var userID = pattern.Of(`^user_id(_\d+)?$`) // names of columns, in snake case

// found is an export that a sync can read.
type found struct {
	source
	Kind         string // audience, trait, table, profiles, changes or track
	Key          string // of an audience or trait
	KeyErr       error  // why it cannot have that key
	SuggestedKey string // instead
	Values       string // what a trait's look like
	Type         string // of a trait, if it is sure
	Columns      []column
	Rows, Broken int
	Calls        bool // it has track, page or screen calls too

	contact []string // columns or traits with contact fields
	copyOf  string   // what to say of columns whose keys are those of another table, "": there are none
}

// column is one of a table's.
type column struct {
	Name, Key string
	Audience  bool
	Values    string // what they look like
	Type      string // if it is sure
	LeftOut   string // why it is no attribute
	KeyErr    error  // why it cannot have that key
}

// read tells what a source is. The error says why it is nothing that a sync can read.
func read(ctx context.Context, s source, base string) (*found, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.Identifiers != "" {
		return readProfiles(ctx, s)
	}
	f := &found{source: s}
	e := s.export(base)
	files, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	names, err := files.Header(ctx)
	if err != nil {
		return nil, err
	}
	if f.Kind, f.Columns, err = classify(names, s.UserID); err != nil {
		return readChanges(ctx, s, base, err)
	}
	e.Fields = contactColumns()
	var read []*column
	for i := range f.Columns {
		if c := &f.Columns[i]; c.LeftOut == "" {
			read = append(read, c)
			e.Attributes = append(e.Attributes,
				engage.Attribute{Kind: engage.Audience, Column: c.Name},
				engage.Attribute{Kind: engage.Trait, Column: c.Name, Type: values.Auto})
		}
	}
	if files, err = e.Open(ctx); err != nil {
		return nil, err
	}
	anyone := false
	var users repeats
	looks := make([]shapes, len(read))
	withContact := make([]bool, len(e.Fields))
	result, err := files.Read(ctx, e.Attributes, func(userID []byte, cells []attr.Value) error {
		if s.Table != "" {
			users.add(userID)
		}
		for i := range looks {
			looks[i].add(cells[2*i+1])
		}
		for i, cell := range cells[len(e.Attributes):] {
			withContact[i] = withContact[i] || cell.Kind() != attr.None
		}
		anyone = true
		return nil
	})
	f.Rows, f.Broken = result.Rows, result.Invalid
	switch {
	case err != nil:
		return nil, err
	case s.Table != "" && result.Rows == 0:
		return nil, errEmptyTable
	case s.Table != "" && users.most(result.Rows):
		return nil, errRepeated
	case !anyone && result.Rows > 0:
		return nil, errors.New("none of its rows has a user id")
	}
	for i, column := range e.Fields {
		if withContact[i] {
			f.contact = append(f.contact, column)
		}
	}
	for i, c := range read {
		c.Values = looks[i].String()
		c.Audience = result.Attributes[2*i].Invalid == 0
		if s.Table == "" { // else others than those that were looked at may have another one
			c.Type = string(sureType(result.Attributes[2*i+1].Fits.Type(), looks[i]))
		}
		c.byType(s.types[c.Name], looks[i])
		if c.Values == "" {
			c.LeftOut = "it has no value"
		}
	}
	f.Columns = append(f.Columns, s.withheld()...)
	if f.Kind == "trait" {
		f.Values, f.Type, f.Columns = f.Columns[0].Values, f.Columns[0].Type, nil
	}
	return f, nil
}

// classify tells from a header what an export is, and what to make of its columns. ids is the
// one with the user ids, if it has a name of its own.
func classify(names []string, ids string) (kind string, columns []column, err error) {
	var snakes []string
	for _, name := range names {
		snake, _ := keys.Of(name)
		snakes = append(snakes, snake)
	}
	has := func(name string) bool { return slices.Contains(snakes, name) }
	switch {
	case has("audience_action"):
		return "", nil, errChanges
	case has("message_id"), has("original_timestamp"):
		return "", nil, errEvents
	case has("value"):
		return "trait", []column{{Name: names[slices.Index(snakes, "value")]}}, nil
	case has("external_ids"):
		return "audience", nil, nil
	}
	isList := true // of users, with at most what tells who they are
	contact := contactColumns()
	for i, name := range names {
		c := column{Name: name, Key: snakes[i]}
		switch {
		case userID().MatchString(c.Key), name == ids:
			continue
		case slices.Contains(contact, c.Key):
			c.LeftOut = contactField
		case engage.LooksPersonal(name):
			c.LeftOut = "it may be personal data: add it to traits if Gleap should have it"
		case engage.LooksLikeLoading(name):
			c.LeftOut, isList = "it is about the loading, not about the user", false
		case engage.LooksLikeID(name):
			c.LeftOut, isList = "it looks like an id", isList && c.Key == "anonymous_id"
		case unwritable(name) != nil:
			c.LeftOut, isList = unwritable(name).Error(), false
		case engage.IsPattern(name):
			c.LeftOut, isList = "its name would be a pattern: rename it", false
		case c.Key == "":
			c.LeftOut, isList = keys.ErrNone.Error(), false
		default:
			isList = false
		}
		columns = append(columns, c)
	}
	if isList {
		return "audience", nil, nil
	}
	return "table", columns, nil
}

// sureType returns the type to write down for values that have one when all are looked at
// as a sync does, "" where nothing is to be said. What looks like numbers and is text stays
// text, also when the next export happens to have none with a leading zero.
func sureType(decided values.Type, looks shapes) values.Type {
	isDigits := looks.ids > 0 && looks.ids == looks.texts && looks.booleans+looks.dates == 0
	if decided == values.Text && !isDigits {
		return ""
	}
	return decided
}

// shapes counts what values look like, each for itself. ids are those texts that are
// numbers except for a leading zero or too many digits.
type shapes struct{ numbers, booleans, dates, texts, ids int }

func (l *shapes) add(said attr.Value) {
	if v, ok := values.Convert(values.Number, said); ok {
		if v.Kind() == attr.Number {
			l.numbers++
		}
		return // else it says nothing, as NaN does
	}
	if _, ok := values.Convert(values.Boolean, said); ok {
		l.booleans++
		return
	}
	text := said.String()
	if _, ok := attr.Datetime(text); ok && strings.Contains(text, "-") {
		l.dates++
		return
	}
	l.texts++
	if digits().MatchString(text) {
		l.ids++
	}
}

var digits = pattern.Of(`^-?\d+(\.\d+)?$`)

func (l shapes) String() string {
	var words []string
	for _, kind := range []struct {
		n    int
		word string
	}{{l.numbers, "numbers"}, {l.booleans, "booleans"}, {l.dates, "dates"}, {l.texts, "text"}} {
		if kind.n > 0 {
			words = append(words, kind.word)
		}
	}
	return strings.Join(words, " and ")
}
