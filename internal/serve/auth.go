package serve

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	stdsync "sync"

	"golang.org/x/crypto/bcrypt"

	"gleapsync/internal/textfile"
)

// Auth knows who may look: the users of a file, by HTTP basic authentication.
type Auth struct {
	users  map[string]string // bcrypt hashes by name
	nobody string            // the hash of somebody, for names that are none
	slow   chan struct{}     // taken while a hash is compared
	mu     stdsync.Mutex
	known  map[string][sha256.Size]byte // by name: of the password that was right
}

// ReadAuth reads a file with a line NAME:HASH for each user, as "htpasswd -B" writes it.
// Only bcrypt hashes are taken. The error never shows what stands in a line.
func ReadAuth(path string) (*Auth, error) {
	text, err := textfile.Read(path)
	if err != nil {
		return nil, fmt.Errorf("--auth-file: %w", err)
	}
	a := &Auth{users: map[string]string{}, slow: make(chan struct{}, 1), known: map[string][sha256.Size]byte{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, ok := strings.Cut(line, ":")
		if _, err := bcrypt.Cost([]byte(hash)); !ok || name == "" || err != nil {
			return nil, fmt.Errorf("--auth-file: %s:%d: it takes NAME:HASH with a bcrypt hash, as htpasswd -B writes it", path, n)
		}
		a.users[name], a.nobody = hash, hash
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--auth-file: %w", err)
	}
	if len(a.users) == 0 {
		return nil, errors.New("--auth-file: there is no user in it")
	}
	return a, nil
}

// protect lets only users through.
func (a *Auth) protect(next http.Handler) http.Handler {
	if a == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, password, ok := r.BasicAuth(); !ok || !a.check(r.Context(), name, password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="gleapsync", charset="UTF-8"`)
			http.Error(w, "name and password are needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// check reports whether a user has that password. bcrypt is slow on purpose: a password
// that was right once is remembered, and others are checked one at a time. A name that is
// none takes as long. Who went away does not wait.
func (a *Auth) check(ctx context.Context, name, password string) bool {
	sum := sha256.Sum256([]byte(password))
	a.mu.Lock()
	known, ok := a.known[name]
	a.mu.Unlock()
	if ok && subtle.ConstantTimeCompare(sum[:], known[:]) == 1 {
		return true
	}
	hash, ok := a.users[name]
	if !ok {
		hash = a.nobody
	}
	select {
	case a.slow <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password))
	<-a.slow
	if err != nil || !ok {
		return false
	}
	a.mu.Lock()
	a.known[name] = sum
	a.mu.Unlock()
	return true
}
