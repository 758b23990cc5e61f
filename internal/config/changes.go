package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/database"
	"gleapsync/internal/inputs"
	"gleapsync/internal/schedule"
)

// changes reads an export of changes, which comes after others; fieldsFed says that
// snapshots have contact fields.
func (l *exportLoader) changes(key string, k *changesKeys, before []inputs.Export, fieldsFed bool) inputs.Export {
	keys := exportKeys{
		inputKeys: inputKeys{
			Source: k.Source, Command: keepSince(k.Command), Env: k.Env, Timeout: k.Timeout, databaseKeys: k.databaseKeys,
			Delimiter: k.Delimiter, MaxAge: k.MaxAge,
		},
		MaxExits: k.MaxExits, BrokenRows: k.BrokenRows, Absent: "keep", AllowEmpty: true,
	}
	source, _ := expand(k.Source) // what is wrong with it is said below
	rows := k.Command != nil || database.IsAddress(source)
	if !rows {
		keys.Pick = "all"
	}
	e := l.export(key, &keys)
	if e.Source == engage.Stdin {
		l.fail(key+".source", errNotFiles)
	}
	e.Changes, e.Discover = true, k.Discover
	if rows {
		l.rows(key, k, &e)
	} else if k.Cursor+k.Lag+k.Audit+k.AuditTable+k.AuditQuery != "" {
		l.fail(key, errors.New("cursor, lag and audit are for rows of a database or a command: of files each is read once"))
	}
	for _, other := range before {
		if other.Changes && other.Source == e.Source && other.Table == e.Table && other.Query == e.Query && slices.Equal(other.Command, e.Command) {
			l.fail(key+".source", errors.New("another [[changes]] reads it too: name all that is to be taken from it in one"))
		}
	}
	l.named(key, &k.namedKeys, &e)
	if len(e.Attributes)+len(e.Wildcards) == 0 && !e.Discover {
		l.fail(key, errors.New("it takes nothing: set audiences, traits or discover = true"))
	}
	c := &k.Columns
	column := func(name, value string) string { return l.text(key+".columns."+name, value) }
	e.Columns = engage.ChangeColumns{
		AudienceName: column("audience_name", c.AudienceName), AudienceID: column("audience_id", c.AudienceID),
		AudienceAction: column("audience_action", c.AudienceAction), UserID: column("user_id", c.UserID),
		Timestamp: column("timestamp", c.Timestamp), MessageID: column("message_id", c.MessageID),
	}
	if rows {
		e.Audit = l.audit(key, k, &e.Export)
	}
	e.NoFields = !or(k.Contact, true)
	if fieldsFed && !e.NoFields {
		l.fail(key, errors.New("the snapshots above have the fields under [contact], and what comes from both may be old or new: set contact = false here"))
	}
	return e
}

// defaultLag is how late rows may come if the configuration does not say.
const defaultLag = 15 * time.Minute

// rows reads what is said of changes that are rows of a database or of a command.
func (l *exportLoader) rows(key string, k *changesKeys, e *inputs.Export) {
	e.Cursor, e.Lag = l.text(key+".cursor", k.Cursor), defaultLag
	if k.Lag != "" {
		e.Lag = l.duration(key+".lag", k.Lag)
	}
	for i, arg := range e.Command {
		e.Command[i] = strings.ReplaceAll(arg, keptSince, engage.SinceVariable)
	}
	c := &k.Columns
	switch {
	case e.Cursor == "":
		l.fail(key, errors.New(`rows of a database or a command need a cursor: the column with the time at which a row came, such as cursor = "received_at"`))
	case k.Discover:
		l.fail(key+".discover", errors.New("a column does not say what it is: name the columns, or patterns, in audiences and traits"))
	case k.MaxAge != "":
		l.fail(key+".max_age", errors.New("it is for files, and rows are asked for anew in each run"))
	case c.AudienceName+c.AudienceID+c.AudienceAction != "":
		l.fail(key+".columns", errors.New("rows have a column for each audience: of columns they take user_id, timestamp and message_id"))
	case k.Command != nil && !slices.ContainsFunc(e.Command, func(arg string) bool { return strings.Contains(arg, engage.SinceVariable) }):
		l.fail(key+".command", fmt.Errorf("none of its arguments has %s, the time from which on it is to write rows", engage.SinceVariable))
	}
}

// audit reads when rows are compared with a snapshot in the same database, nil: never.
func (l *exportLoader) audit(key string, k *changesKeys, e *engage.Export) *inputs.Audit {
	snapshot := *e
	snapshot.Table, snapshot.Query = l.text(key+".audit_table", k.AuditTable), l.text(key+".audit_query", k.AuditQuery)
	snapshot.Changes, snapshot.Cursor, snapshot.UserID, snapshot.Columns = false, "", e.Columns.UserID, engage.ChangeColumns{}
	snapshot.Attributes, snapshot.Wildcards = nil, nil
	spec := l.text(key+".audit", k.Audit)
	switch {
	case k.Audit+k.AuditTable+k.AuditQuery == "":
		return nil
	case k.Command != nil:
		l.fail(key+".audit", errors.New("it is for databases only"))
		return nil
	case spec == "":
		l.fail(key+".audit", errors.New(`it is missing: when to compare with the snapshot, such as "0 3 * * 0"`))
		return nil
	case (snapshot.Table == "") == (snapshot.Query == ""):
		l.fail(key+".audit", errors.New("it takes exactly one of audit_table and audit_query: the snapshot to compare with"))
		return nil
	}
	when, err := schedule.Parse(spec, l.zone, 0)
	if err != nil {
		l.fail(key+".audit", err)
		return nil
	}
	return &inputs.Audit{Snapshot: snapshot, Schedule: when}
}

// keptSince stands for what is no variable of the environment while those are put in.
const keptSince = "\x00since\x00"

func keepSince(command []string) []string {
	if command == nil {
		return nil
	}
	kept := make([]string, len(command))
	for i, arg := range command {
		kept[i] = strings.ReplaceAll(arg, engage.SinceVariable, keptSince)
	}
	return kept
}
