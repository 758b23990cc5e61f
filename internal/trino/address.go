package trino

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"gleapsync/internal/secret"
	"gleapsync/internal/textfile"
)

// Scheme is that of the addresses.
const Scheme = "trino"

// target is what an address says.
type target struct {
	base            *url.URL // of the server
	user            string
	catalog, schema string // "": not said
	isToken         bool   // the password is an access token
}

// CutPassword takes the password, if there is one, out of an address. What is left can be shown.
// The error does not hold the address.
func CutPassword(address string) (shown string, password secret.Text, err error) {
	u, err := url.Parse(address)
	// A password with one of these, not escaped, would make its rest a part of what is shown.
	if err != nil || strings.Contains(address, "#") || strings.Contains(u.EscapedPath()+u.RawQuery, "@") {
		return "", "", errors.New("it is no address such as trino://user@host/catalog/schema; in a password write %40 for @, %2F for /, %3A for :, %23 for #, %3F for ? and %25 for %, or give it with password_file or TRINO_PASSWORD")
	}
	if u.User != nil {
		text, _ := u.User.Password()
		password = secret.Text(text)
		u.User = url.User(u.User.Username())
	}
	t, err := parse(u.String())
	if err == nil {
		err = t.mayTell(password)
	}
	if err != nil {
		return "", "", err
	}
	return u.String(), password, nil
}

// parse takes an address without its password. The error does not hold it.
func parse(address string) (*target, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the source is no address")
	}
	t := &target{base: &url.URL{Scheme: "https", Host: u.Host}, user: u.User.Username()}
	for name, values := range u.Query() {
		switch setting := name + "=" + strings.Join(values, ","); setting {
		case "tls=off":
			t.base.Scheme = "http"
			if u.Port() == "" {
				t.base.Host = net.JoinHostPort(u.Hostname(), "8080")
			}
		case "tls=on", "auth=password":
		case "auth=jwt":
			t.isToken = true
		default:
			return nil, fmt.Errorf("its address has a parameter %q that is not understood: it takes tls=off and auth=jwt", name)
		}
	}
	var more bool
	t.catalog, t.schema, _ = strings.Cut(strings.Trim(u.Path, "/"), "/")
	if t.schema, _, more = strings.Cut(t.schema, "/"); more {
		return nil, errors.New("its address has more parts than catalog and schema: trino://user@host/catalog/schema")
	}
	switch {
	case u.Hostname() == "":
		return nil, errors.New("its address names no host: trino://user@host/catalog/schema")
	case t.user == "" && !t.isToken:
		return nil, errors.New("its address names no user: trino://user@host/catalog/schema")
	case strings.ContainsFunc(t.user+t.catalog+t.schema, func(r rune) bool { return r < ' ' || r > '~' }):
		return nil, errors.New("user, catalog and schema of its address are plain ASCII: write others within table or query")
	}
	return t, nil
}

// mayTell returns why a password cannot be sent, nil if there is none or it can.
func (t *target) mayTell(password secret.Text) error {
	host := t.base.Hostname()
	ip, err := netip.ParseAddr(host)
	if isHere := host == "localhost" || err == nil && ip.IsLoopback(); password != "" && t.base.Scheme == "http" && !isHere {
		return errors.New("a password goes over TLS only, except to loopback: leave out tls=off, or the password")
	}
	return nil
}

// password returns the password, "" if there is none.
func (q Query) password() (secret.Text, error) {
	if q.PasswordFile == "" {
		return cmp.Or(q.Password, secret.Text(os.Getenv("TRINO_PASSWORD"))), nil
	}
	text, err := textfile.Read(q.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("the password cannot be read: %w", err)
	}
	return secret.Text(strings.TrimRight(string(text), "\r\n")), nil
}
