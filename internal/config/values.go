package config

import (
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
)

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

// expand replaces ${NAME} by the environment's value, and ${NAME:-text} by text if
// there is none.
func expand(text string) (string, error) {
	var missing []string
	expanded := variable.ReplaceAllStringFunc(text, func(match string) string {
		name, fallback, hasFallback := strings.Cut(match[2:len(match)-1], ":-")
		value := os.Getenv(name)
		switch {
		case value != "":
			return value
		case !hasFallback:
			missing = append(missing, name)
		}
		return fallback
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("the environment has no %s", strings.Join(missing, " and no "))
	}
	return expanded, nil
}

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

func parseSize(text string) (int64, error) {
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(text, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err == nil && n >= 0 && n*unit.bytes < math.MaxInt64/2 {
			return int64(n * unit.bytes), nil
		}
	}
	return 0, errors.New("it takes a size such as 256MiB")
}

var delimiters = map[string]byte{
	"": 0, ",": ',', "\t": '\t', "|": '|', ":": ':', ";": ';',
	"comma": ',', "tab": '\t', "pipe": '|', "colon": ':', "semicolon": ';',
}
