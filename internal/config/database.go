package config

import (
	"errors"

	"gleapsync/engage"
	"gleapsync/internal/database"
)

// databaseKeys are the keys of exports that are read from a database.
type databaseKeys struct {
	Query        string `toml:"query"`
	Table        string `toml:"table"`
	PasswordFile string `toml:"password_file"`
	LoadedAt     string `toml:"loaded_at"`
}

// database reads the keys of a database, and takes the password out of the source: it is
// shown in reports. In all other exports the keys are wrong.
func (l *exportLoader) database(key string, k *exportKeys, e *engage.Export) {
	if !database.IsAddress(e.Source) {
		for _, set := range [][2]string{{"query", k.Query}, {"table", k.Table}, {"password_file", k.PasswordFile}, {"loaded_at", k.LoadedAt}} {
			if set[1] != "" && e.Source != "" && engage.CheckSource(e.Source) == nil { // else what is wrong is the source
				l.fail(key+"."+set[0], errors.New("it is for databases only, whose source begins with "+database.Schemes))
			}
		}
		return
	}
	for _, set := range [][2]string{{"pick", k.Pick}, {"delimiter", k.Delimiter}, {"format", k.Format}} {
		if set[1] != "" {
			l.fail(key+"."+set[0], errors.New("it is for files only, and the source is a database"))
		}
	}
	e.Query, e.Table = l.text(key+".query", k.Query), l.text(key+".table", k.Table)
	e.PasswordFile = l.file(key+".password_file", k.PasswordFile)
	if e.LoadedAt = l.text(key+".loaded_at", k.LoadedAt); e.LoadedAt != "" && k.MaxAge == "" {
		l.fail(key+".loaded_at", errors.New("it says how old the rows are, and nothing says how old they may be: set max_age"))
	}
	if (e.Query == "") == (e.Table == "") {
		l.fail(key, errors.New("a database takes exactly one of query and table"))
	}
	var err error
	if e.Source, e.Password, err = database.CutPassword(e.Source); err != nil {
		e.Source = "postgres://" // what is wrong with the source was said
		l.fail(key+".source", err)
	}
	if e.Password != "" && e.PasswordFile != "" {
		l.fail(key+".password_file", errors.New("the source has a password too: choose one"))
	}
}

// delta reads the name of the schema in which a database keeps what it said.
func (l *exportLoader) delta(key, name, source string) string {
	schema := l.text(key, name)
	if schema != "" && !database.IsAddress(source) && engage.CheckSource(source) == nil { // else what is wrong is the source
		l.fail(key, errors.New("it is for databases only, whose source begins with "+database.Schemes))
	}
	return schema
}
