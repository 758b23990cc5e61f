// Package secret has the type of what must never be shown: tokens, passwords, addresses that
// let in whoever knows them.
package secret

import (
	"fmt"
	"io"
)

// Text is a secret. However it is printed, logged or marshalled, it reads REDACTED; only
// string(t) tells it.
type Text string

const redacted = "REDACTED"

// Format hides the secret from all verbs of package fmt, wrong ones included.
func (Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText hides the secret, from logs too.
func (Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }
