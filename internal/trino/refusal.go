package trino

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"gleapsync/internal/cell"
	"gleapsync/internal/exchange"
	"gleapsync/internal/generation"
)

// refusal is what a server says that cannot run a statement.
type refusal struct {
	ErrorName, ErrorType, Message string
	query                         string // its number
}

func (e *refusal) Error() string { return e.ErrorName }

// reason says why the server gave no rows, or not all of them, since it was asked.
func (d *database) reason(err error, asked time.Time) string {
	var refused *refusal
	var status statusError
	switch {
	case errors.As(err, &refused):
		return d.refusal(refused)
	case errors.Is(err, errLongRow):
		return fmt.Sprintf("a row is longer than %d MiB: leave the long column out with a query", cell.MaxRow>>20)
	case time.Since(asked) >= d.timeout():
		return d.tooLong()
	case errors.As(err, &status):
		return d.status(status)
	case d.answered:
		return fmt.Sprintf("the connection broke off, and the rows are not complete: %s", exchange.Why(err))
	}
	return "it cannot be reached: " + exchange.Why(err)
}

func (d *database) tooLong() string {
	return fmt.Sprintf("the query took longer than %s: make it cheaper, or raise timeout", d.timeout())
}

// status says what an answer without a page means.
func (d *database) status(status statusError) string {
	switch code := int(status); {
	case code == http.StatusUnauthorized && d.noPassword:
		return "the server refuses the connection: no password is given: set password_file or TRINO_PASSWORD"
	case code == http.StatusUnauthorized:
		return "the server refuses the connection: look at the user of the source, and at its password in password_file, the source or TRINO_PASSWORD; an access token needs auth=jwt in the source"
	case code == http.StatusForbidden:
		return "the server refuses the connection: its user may not run queries there, as itself"
	case code/100 == 3:
		return fmt.Sprintf("%v, a redirect, which is not followed: write the address that it leads to", status)
	case d.answered && (code == http.StatusNotFound || code == http.StatusGone):
		return "the server knows nothing of the query any more, and the rows are not complete: it was started anew, or another one answers; the next run reads again"
	case code == http.StatusNotFound:
		return fmt.Sprintf("%v: there is no Trino at the address", status)
	}
	return fmt.Sprintf("%v: the server, or what stands before it, has no time or is not well; the next run tries again", status)
}

// Of these a server says nothing that can hold a row's values: they are about the statement, or
// about the server.
var (
	ofStatement = []string{
		"CATALOG_NOT_FOUND", "SCHEMA_NOT_FOUND", "TABLE_NOT_FOUND", "COLUMN_NOT_FOUND", "FUNCTION_NOT_FOUND", "SYNTAX_ERROR",
		"MISSING_CATALOG_NAME", "MISSING_SCHEMA_NAME", "MISSING_TABLE", "TYPE_MISMATCH", "AMBIGUOUS_NAME", "MISSING_COLUMN_NAME", "DUPLICATE_COLUMN_NAME",
		"TABLE_ALREADY_EXISTS", "SCHEMA_ALREADY_EXISTS", "MISMATCHED_COLUMN_ALIASES",
	}
	ofServer = []string{
		"ADMINISTRATIVELY_KILLED", "ADMINISTRATIVELY_PREEMPTED", "CLUSTER_OUT_OF_MEMORY", "EXCEEDED_CPU_LIMIT", "EXCEEDED_GLOBAL_MEMORY_LIMIT",
		"EXCEEDED_LOCAL_MEMORY_LIMIT", "EXCEEDED_SCAN_LIMIT", "NO_NODES_AVAILABLE", "PAGE_TRANSPORT_ERROR", "PAGE_TRANSPORT_TIMEOUT", "QUERY_QUEUE_FULL",
		"QUERY_REJECTED", "REMOTE_HOST_GONE", "REMOTE_TASK_ERROR", "REMOTE_TASK_MISMATCH", "SERVER_SHUTTING_DOWN", "SERVER_STARTING_UP", "TOO_MANY_REQUESTS_FAILED", "WORKER_RESTARTED",
	}
	address  = regexp.MustCompile(`https?://\S+`)
	position = regexp.MustCompile(`^line \d+:\d+: `)
)

// refusal says what a server's error means, and what to do.
func (d *database) refusal(e *refusal) string {
	name := d.clean(e.ErrorName)
	said := d.clean(address.ReplaceAllString(position.ReplaceAllString(e.Message, ""), "a server"))
	message := fmt.Sprintf("%s (%s, query %s)", said, name, d.clean(e.query))
	switch {
	case name == "EXCEEDED_TIME_LIMIT":
		return d.tooLong()
	case name == "USER_CANCELED", name == "ABANDONED_QUERY":
		return fmt.Sprintf("the query was ended on the server (%s, query %s)", name, d.clean(e.query))
	case name == "PERMISSION_DENIED":
		return message + ": " + d.grant(said)
	case d.schema != "" && (name == "NOT_FOUND" || name == "SCHEMA_NOT_FOUND"): // the connectors do not agree
		return fmt.Sprintf("there is no schema %[1]s (%[2]s, query %[3]s): let an administrator run CREATE SCHEMA %[1]s, or look at delta", quoteParts(d.schema), name, d.clean(e.query))
	case d.schema != "" && name == "NOT_SUPPORTED":
		return fmt.Sprintf("the schema in delta is of a catalog in which not all of this can be kept (%s, query %s): name one of another catalog, such as lake.gleapsync", name, d.clean(e.query))
	case name == "MISSING_CATALOG_NAME", name == "MISSING_SCHEMA_NAME":
		return message + ": write table with its schema, such as engage_default.users, and the catalog in the source: trino://user@host/catalog"
	case name == "SYNTAX_ERROR" && d.Table == "":
		return message + ": query takes one SELECT, which becomes a part of a larger one"
	case name == "CATALOG_NOT_FOUND":
		return message + ": look at the catalog in the source, trino://user@host/catalog, and SHOW CATALOGS"
	case slices.Contains(ofStatement, name):
		return message + ": look at table or query in the configuration"
	case slices.Contains(ofServer, name):
		return "the rows are not complete: " + message + ": the next run reads again"
	}
	return fmt.Sprintf("the server gave up with %s (query %s), in words that may hold a row's values: look the query up in its web interface, or run it with the command trino", name, d.clean(e.query))
}

// grant returns what an administrator can do so that the user may do what the server says.
func (d *database) grant(denied string) string {
	if d.schema != "" && strings.Contains(denied, "."+generation.Prefix) {
		schema := d.schema[strings.LastIndexByte(d.schema, '.')+1:]
		return fmt.Sprintf(`let the owner run GRANT CREATE ON SCHEMA %s TO USER %s; or let a rule of Trino's access control allow it: {"user": %q, "schema": %q, "privileges": ["OWNERSHIP", "SELECT", "INSERT"]}`,
			quoteParts(d.schema), quoteName(d.user), d.user, schema)
	}
	what := "what the query reads"
	if d.Table != "" {
		what = d.from()
	}
	return fmt.Sprintf("let the owner run GRANT SELECT ON %s TO USER %s; or let the rules of Trino's access control allow it", what, quoteName(d.user))
}

// quoteName makes a name one of SQL.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteParts does so with each part of a name that has a schema, or a catalog too.
func quoteParts(name string) string {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		parts[i] = quoteName(part)
	}
	return strings.Join(parts, ".")
}
