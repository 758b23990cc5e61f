package guard

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Limit is a share of a whole, or a count.
type Limit struct {
	share float64 // of 1; used if percent
	count int
	isPct bool
}

// AllOf is the limit that allows all of a whole.
func AllOf() Limit { return Limit{share: 1, isPct: true} }

// ParseLimit reads "30%", "0.5%" or a count such as "500".
func ParseLimit(text string) (Limit, error) {
	if number, ok := strings.CutSuffix(strings.TrimSpace(text), "%"); ok {
		percent, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(percent >= 0 && percent <= 100) {
			return Limit{}, errors.New(`a limit is a share such as "30%" or a count such as 500`)
		}
		return Limit{share: percent / 100, isPct: true}, nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 {
		return Limit{}, errors.New(`a limit is a share such as "30%" or a count such as 500`)
	}
	return Limit{count: n}, nil
}

// Of returns the most that the limit allows of a whole.
func (l Limit) Of(whole int) int {
	if l.isPct {
		return int(math.Floor(l.share*float64(whole) + 1e-9))
	}
	return l.count
}

// Empties reports whether the limit lets so many exits go although no members are left: it has to
// count them.
func (l Limit) Empties(exits int) bool { return !l.isPct && exits > 0 && l.count >= exits }

// String returns the limit as it is written in the configuration.
func (l Limit) String() string {
	if l.isPct {
		return strconv.FormatFloat(l.share*100, 'f', -1, 64) + "%"
	}
	return fmt.Sprint(l.count)
}
