//go:build !linux

package gleap

import "time"

// sinceBoot names the start of the system and says how long ago it was; "" if it is not
// known.
func sinceBoot() (boot string, since time.Duration) { return "", 0 }
