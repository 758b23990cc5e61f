package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgproto3"

	"gleapsync/internal/cell"
	"gleapsync/internal/outside"
	"gleapsync/internal/secret"
	"gleapsync/internal/source"
	"gleapsync/internal/textfile"
)

const (
	// defaultTimeout is how long a query may take if the settings do not say.
	defaultTimeout = 10 * time.Minute
	// connectTimeout is for each address of a server, if the settings do not say.
	connectTimeout = 15 * time.Second
	// cancelTimeout is how long a query is given to end on the server once it is not
	// wanted any more.
	cancelTimeout = 3 * time.Second
)

// databaseParameters may stand behind the question mark of a database's URL, with the
// meaning that libpq gives them. Those that hold a secret are not among them.
var databaseParameters = []string{
	"application_name", "channel_binding", "connect_timeout", "host", "options", "require_auth", "sslcert", "sslkey",
	"sslmode", "sslnegotiation", "sslrootcert", "target_session_attrs",
}

// CutPassword takes the password, if there is one, out of a database's URL. What is left
// can be shown. The error does not hold the URL.
func CutPassword(address string) (shown string, password secret.Text, err error) {
	u, err := url.Parse(address)
	// A password with one of these, not escaped, would make its rest a part of what is shown.
	if err != nil || strings.Contains(address, "#") || strings.Contains(u.EscapedPath()+u.RawQuery, "@") {
		return "", "", errors.New("it is no address such as postgres://user@host:5432/database?sslmode=verify-full; in a password write %40 for @, %2F for /, %3A for :, %23 for #, %3F for ? and %25 for %, or give it with password_file or PGPASSWORD")
	}
	for name := range u.Query() {
		if !slices.Contains(databaseParameters, name) {
			return "", "", fmt.Errorf("its address has a parameter %q: it takes %s", name, strings.Join(databaseParameters, " "))
		}
	}
	if u.User != nil {
		text, _ := u.User.Password()
		password = secret.Text(text)
		u.User = url.User(u.User.Username())
	}
	return u.String(), password, nil
}

// Query is a table or a query of a PostgreSQL or a Redshift.
type Query struct {
	Address      string        // without its password
	Password     secret.Text   // "": that of libpq's environment, if any
	PasswordFile string        // holds the password, instead of Password
	Table        string        // with its schema before a dot, as the catalogue has the names, or
	SQL          string        // whose rows are read
	Timeout      time.Duration // 0: 10 minutes
}

// Name is what people call it.
func (q Query) Name() string {
	if q.Table != "" {
		return q.Table + " in " + q.Address
	}
	return q.Address
}

// database is a query that is being asked.
type database struct {
	Query
	redshift   bool
	schema     string              // in which tables are made, "": in none
	role       string              // that reads, once that is known
	noPassword bool                // none was given
	clean      func(string) string // makes what the server says fit to be shown
}

func (d *database) timeout() time.Duration { return cmp.Or(d.Timeout, defaultTimeout) }

// from returns what stands behind FROM.
func (d *database) from() string {
	if d.Table != "" {
		parts := strings.Split(d.Table, ".")
		for i, part := range parts {
			parts[i] = quoteName(part)
		}
		return strings.Join(parts, ".")
	}
	query := strings.TrimRight(d.SQL, "; \t\r\n")
	return "(\n" + query + "\n) AS export" // the line break ends a comment
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// settings hold for one transaction, so that they work behind a pool of connections too.
func (d *database) settings(mode string) string {
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ " + mode + "; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; " +
		fmt.Sprintf("SET LOCAL statement_timeout = %d", max(1, d.timeout().Milliseconds()))
	if !d.redshift { // there it adds digits that nobody wrote: 0.1 would become 0.10000000000000001
		begin += "; SET LOCAL extra_float_digits = 1"
	}
	return begin
}

// Open connects, begins the transaction and finds the columns. The query runs when the
// first row is asked for.
func (q Query) Open(ctx context.Context) (*Rows, error) {
	d := &database{Query: q, redshift: strings.HasPrefix(q.Address, "redshift:"), clean: outside.Cleaner(string(q.Password))}
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	t, err := d.describe(ctx, conn)
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case err != nil:
		err = source.Unreadable("%s: %s", d.Name(), d.reason(err, began))
	}
	if err != nil {
		closeConnection(conn)
		return nil, err
	}
	return t, nil
}

func (d *database) connect(ctx context.Context) (*pgconn.PgConn, error) {
	config, err := d.config()
	if err != nil {
		return nil, source.Unreadable("%s: %v", d.Name(), err)
	}
	d.role, d.noPassword, d.clean = config.User, config.Password == "", outside.Cleaner(config.Password) // wherever that came from
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, source.Unreadable("%s: %s", d.Name(), d.connectReason(err))
	}
	return conn, nil
}

func (d *database) config() (*pgconn.Config, error) {
	u, err := url.Parse(d.Address)
	if err != nil { // it holds the source
		return nil, errors.New("the source is no address")
	}
	if u.Scheme = "postgres"; d.redshift && u.Port() == "" && u.Host != "" {
		u.Host += ":5439"
	}
	config, err := pgconn.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("the address cannot be used: %s", d.clean(errors.Unwrap(err).Error())) // around it is the address
	}
	if d.Password != "" {
		config.Password = string(d.Password)
	}
	if path := d.PasswordFile; path != "" {
		text, err := textfile.Read(path)
		if err != nil {
			return nil, fmt.Errorf("the password cannot be read: %w", err)
		}
		config.Password = strings.TrimRight(string(text), "\r\n")
	}
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, connectTimeout)
	dialer := net.Dialer{
		Timeout:         config.ConnectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3},
	}
	config.DialFunc = dialer.DialContext
	config.MaxProtocolMessageBodyLen = cell.MaxRow
	config.RuntimeParams["client_encoding"] = "UTF8"
	config.RuntimeParams["application_name"] = cmp.Or(config.RuntimeParams["application_name"], "gleapsync")
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelTimeout}
	}
	return config, nil
}

// closeConnection ends a connection, and with it the transaction.
func closeConnection(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), cancelTimeout)
	defer cancel()
	_ = conn.Close(ctx) // nothing was written
}

// connectReason says why there is no connection.
func (d *database) connectReason(err error) string {
	if refused := new(pgconn.PgError); errors.As(err, &refused) {
		return "the server refuses the connection: " + d.refusal(refused)
	}
	err = errors.Unwrap(err) // around it are the user and the database, which the source tells
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = d.clean(line)
	}
	return "it cannot be reached: " + strings.Join(slices.Compact(lines), "; ")
}

// reason says why the server gave no rows, or not all of them, since it was asked.
func (d *database) reason(err error, asked time.Time) string {
	var refused *pgconn.PgError
	var tooLong *pgproto3.ExceededMaxBodyLenErr
	switch {
	case time.Since(asked) >= d.timeout():
		return fmt.Sprintf("the query took longer than %s: make it cheaper, or raise timeout", d.timeout())
	case errors.As(err, &refused):
		return d.refusal(refused)
	case errors.As(err, &tooLong):
		return fmt.Sprintf("a row is longer than %d MiB: leave the long column out with a query", cell.MaxRow>>20)
	}
	return fmt.Sprintf("the connection broke off, and the rows are not complete: %s", d.clean(err.Error()))
}

// refusal says what a server's error means, and what to do. Of the server's words only
// those are passed on that cannot hold a row's values.
func (d *database) refusal(e *pgconn.PgError) string {
	said, code := d.clean(e.Message), d.clean(e.Code)
	message := fmt.Sprintf("%s (SQLSTATE %s)", said, code)
	switch e.Code {
	case "28P01", "28000":
		if d.noPassword {
			return message + ": no password is given: set PGPASSWORD, PGPASSFILE or password_file"
		}
		return message + ": look at the user of the source, and at its password in PGPASSWORD, PGPASSFILE, password_file or the source"
	case notPermitted:
		return message + ": " + d.grant(said)
	case "42P01":
		if d.Table != "" && !strings.Contains(d.Table, ".") {
			return message + fmt.Sprintf(": write table with its schema, such as engage_default.%s", d.Table)
		}
		return message + ": look at table or query in the configuration"
	case "42601":
		return message + ": query takes one SELECT, which becomes a part of a larger one"
	case "3F000":
		if d.schema != "" && strings.Contains(said, quoteName(d.schema)) {
			return message + fmt.Sprintf(": let the owner of the database run CREATE SCHEMA %s AUTHORIZATION %s;", quoteName(d.schema), quoteName(d.role))
		}
		return message + ": look at table or query in the configuration"
	case "42703":
		return message + ": look at table or query in the configuration"
	case "57014":
		return message + ": the query was ended on the server"
	case "40001":
		return message + ": the next run tries again; on a standby, hot_standby_feedback = on prevents it"
	}
	switch e.Code[:min(2, len(e.Code))] {
	case "57":
		return "the server ended the connection: " + message
	case "08": // of another server, which has a part of the table
		return message + ": look at the server that it reads from"
	case "0A", "25", "28", "3D", "42", "53", "55", "58":
		return message
	}
	return fmt.Sprintf("the server gave up with SQLSTATE %s, in words that may hold a row's values: run the query with psql to see them", code)
}

// notPermitted is the server's code for a right that the role does not have.
const notPermitted = "42501"

var deniedObject = regexp.MustCompile(`^permission denied for (\w+(?: \w+)*) (\S+)$`)

// grant returns what the owner can run so that the role may read.
func (d *database) grant(message string) string {
	role := quoteName(d.role)
	denied := deniedObject.FindStringSubmatch(message)
	if denied != nil && denied[1] == "schema" && denied[2] == d.schema {
		return fmt.Sprintf("let its owner run GRANT USAGE, CREATE ON SCHEMA %s TO %s;", quoteName(d.schema), role)
	}
	if schema, _, found := strings.Cut(d.Table, "."); found {
		return fmt.Sprintf("let the owner run GRANT USAGE ON SCHEMA %s TO %s; GRANT SELECT ON %s TO %s;", quoteName(schema), role, d.from(), role)
	}
	if d.Table != "" {
		return fmt.Sprintf("let the owner run GRANT SELECT ON %s TO %s;", d.from(), role)
	}
	if denied != nil {
		switch kind, name := denied[1], denied[2]; kind {
		case "schema":
			return fmt.Sprintf("let the owner run GRANT USAGE ON SCHEMA %s TO %s;", name, role)
		case "table", "view", "relation", "materialized view", "foreign table":
			within := regexp.MustCompile(`("[^"]+"|\w+)\."?` + regexp.QuoteMeta(name) + `\b"?`)
			if asWritten := within.FindString(d.SQL); asWritten != "" { // the server says it without its schema
				name = asWritten
			}
			return fmt.Sprintf("let the owner run GRANT SELECT ON %s TO %s;", name, role)
		}
	}
	return fmt.Sprintf("let the owner GRANT %s what the query reads", role)
}
