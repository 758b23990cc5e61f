package starter

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNames: what is one export, and what it is called.
func TestNames(t *testing.T) {
	for files, want := range map[string][]string{
		"vip.csv":                   {"vip.csv  vip"},
		"VIP Customers (EU).CSV.GZ": {"VIP Customers (EU).CSV.GZ  VIP Customers (EU)"},
		"a.txt|b.tsv.zst|c.json|d.csv.db|e.ndjson.gz|f.parquet|g.parquet.gz": {"a.txt  a", "b.tsv.zst  b", "c.json  c", "e.ndjson.gz  e", "f.parquet  f"},
		".hidden.csv":                     nil,
		"order_completed_last_30days.csv": {"order_completed_last_30days.csv  order_completed_last_30days"},
		"revenue_2025.csv|top_100.csv":    {"revenue_2025.csv  revenue_2025", "top_100.csv  top_100"},
		"no_date_20261399.csv":            {"no_date_20261399.csv  no_date_20261399"},
		// Days.
		"order_completed_2026-11-20.csv|order_completed_2026-11-21.csv": {"order_completed_[0-9]*.csv newest order_completed"},
		"vip-20261120.csv":                                 {"vip-[0-9]*.csv newest vip"},
		"vip 2026_11_20 08.15.csv":                         {"vip [0-9]*.csv newest vip"},
		"vip_2026-11-20T08:15:30.123Z.csv":                 {"vip_[0-9]*.csv newest vip"},
		"vip_1763683200.csv|vip_1763683200123.csv":         {"vip_[0-9]*.csv newest vip"},
		"2026-11-20_vip.csv|2026-11-21_vip.csv":            {"[0-9]*_vip.csv newest vip"},
		"20261120153000-vip.csv":                           {"[0-9]*-vip.csv newest vip"},
		"vip_2026-11-20.csv|vip_2nd.csv":                   {"vip_2nd.csv  vip_2nd", "vip_[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].csv newest vip"},
		"vip_2026-11-20.csv|vip_2026-11-20.csv.gz":         {"vip_[0-9]*.csv newest vip", "vip_[0-9]*.csv.gz newest vip"},
		"vip_20261120.csv|vip_202611201530.csv|vip_2x.csv": {"vip_20261120.csv ! no pattern", "vip_2x.csv  vip_2x"},
		"shops/2026-11-20.csv":                             {"shops/[0-9]*.csv newest shops"},
		// Parts.
		"beta_part1.csv.gz|beta_part2.csv.gz|beta_part10.csv.gz": {"beta_part[0-9]*.csv.gz all beta"},
		"Beta Part 1.csv":                         {"Beta Part [0-9]*.csv all Beta"},
		"users-000000000000.csv":                  {"users-[0-9]*.csv all users"},
		"users_0_0_0.csv.gz|users_12_0_0.csv.gz":  {"users_[0-9]*.csv.gz all users"},
		"users/part-00000.csv|users/part-001.csv": {"users/part-[0-9]*.csv all users"},
		"vip_2026-11-20_part1.csv":                {"vip_2026-11-20_part1.csv ! parts with a date"},
		// Downloads.
		"vip.csv|vip (1).csv":      {"vip (1).csv ! second download", "vip.csv  vip"},
		"vip (2).csv":              {"vip (2).csv  vip"},
		"vip_2026-11-20 (1).csv":   {"vip_2026-11-20 (1).csv  vip"},
		"a[1]_20261120.csv":        {"a[[]1]_[0-9]*.csv newest a[1]"},
		"d*r/a?_20261120.csv":      {"d[*]r/a[?]_[0-9]*.csv newest a?"},
		`b\_20261120.csv`:          {`b\\_[0-9]*.csv newest b\`},
		"${HOME}.csv":              {"${HOME}.csv ! begins a variable"},
		"\xff.csv":                 {"\xff.csv ! not UTF-8"},
		"one/vip.csv|a/b/deep.csv": {"one/vip.csv  vip"},
		".git/vip.csv":             nil,
	} {
		dir := t.TempDir()
		for _, file := range strings.Split(files, "|") {
			path := filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		sources, err := find(dir, dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range sources {
			if s.err != nil {
				got = append(got, fmt.Sprintf("%s ! %v", s.Path, s.err))
			} else {
				got = append(got, fmt.Sprintf("%s %s %s", s.Path, s.Pick, s.Name))
			}
		}
		if !slices.EqualFunc(got, want, func(got, want string) bool {
			path, reason, isError := strings.Cut(want, " ! ")
			return got == want || isError && strings.HasPrefix(got, path+" ! ") && strings.Contains(got, reason)
		}) {
			t.Errorf("%s: got %q, want %q", files, got, want)
		}
	}
}
