package trino

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"gleapsync/internal/generation"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/source"
)

// Work runs statements in a Trino of which one is a Query: it implements what a [generation.Place]
// wants.
type Work struct {
	Query
	Schema string // in which tables are made: schema or catalog.schema
}

// Exec runs a statement for good.
func (w *Work) Exec(ctx context.Context, sql string, arguments ...string) error {
	return w.Each(ctx, sql, arguments, func([][]byte) error { return nil })
}

// Each runs a statement and calls row with each of its rows.
func (w *Work) Each(ctx context.Context, sql string, arguments []string, row func(cells [][]byte) error) error {
	d, err := w.connect()
	if err != nil {
		return source.Unreadable("%s: %v", w.name(), err)
	}
	defer d.http.CloseIdleConnections()
	d.schema = w.Schema
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, d.timeout()+cancelTimeout) // in case the server does not keep it
	defer cancel()
	s, p, err := d.begin(limited, immediate(sql, arguments))
	defer func() { s.end(ctx) }()
	var values []json.RawMessage
	var cells [][]byte
	for err == nil && p != nil {
		for _, text := range p.Data {
			values, cells = jsonscan.Items(values[:0], text), cells[:0]
			for _, value := range values {
				if string(value) == "null" {
					cells = append(cells, nil)
				} else {
					cells = append(cells, jsonscan.Text(value))
				}
			}
			if err := row(cells); err != nil {
				return err
			}
		}
		p, err = s.read(limited)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return source.Unreadable("%s: %s", d.name(), d.reason(err, began))
}

// immediate returns a statement with its arguments, which are texts.
func immediate(sql string, arguments []string) string {
	if len(arguments) == 0 {
		return sql
	}
	all := make([]string, len(arguments))
	for i, a := range arguments {
		all[i] = quoteText(a)
	}
	return "EXECUTE IMMEDIATE " + quoteText(sql) + " USING " + strings.Join(all, ", ")
}

func quoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// rowsOf returns what stands behind INSERT INTO for rows of three texts. VALUES with thousands of rows
// takes Trino many seconds to plan, one text no time.
func rowsOf(rows [][]string) (sql string, arguments []string) {
	text, err := json.Marshal(rows)
	if err != nil { // of texts there is none
		panic(err)
	}
	return "SELECT * FROM UNNEST(CAST(json_parse(?) AS array(row(a varchar, b varchar, c varchar))))", []string{string(text)}
}

// Tables returns the names of the tables in a schema that begin with a prefix.
func (w *Work) Tables(ctx context.Context, schema, prefix string) (names []string, err error) {
	from := "information_schema.tables"
	if catalog, name, found := strings.Cut(schema, "."); found {
		schema, from = name, quoteName(catalog)+"."+from
	}
	err = w.Each(ctx, "SELECT table_name FROM "+from+" WHERE table_schema = lower(?)", []string{schema}, func(cells [][]byte) error {
		if name := string(cells[0]); strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// Dialect says what is particular to Trino.
func (w *Work) Dialect() generation.Dialect {
	return generation.Dialect{
		Create:    "CREATE TABLE %s AS %s",
		Differs:   "%s IS DISTINCT FROM %s",
		Text:      "varchar",
		Parameter: func(int) string { return "?" },
		Rows:      rowsOf,
		MostRows:  20_000,
		Quote:     quoteName,
		Schema:    quoteParts,
	}
}
