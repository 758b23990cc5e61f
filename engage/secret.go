package engage

import (
	"fmt"
	"io"
)

// Secret is a text that is never printed.
type Secret string

const redacted = "REDACTED"

// Format hides the secret.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
