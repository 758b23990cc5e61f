package main

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2"
)

// contender makes the plan of a workload in its folder.
type contender struct {
	name string
	// configure makes what the commands need besides the exports; nil: nothing.
	configure func(w *workload, dir string) error
	// first returns the command that reads the exports of the first day.
	first func(w *workload, dir string) *exec.Cmd
	// keep returns the command that has them known afterwards; nil: they are.
	keep func(w *workload, dir string) *exec.Cmd
	// plan returns the command that compares the second day's exports with that.
	plan func(w *workload, dir string) *exec.Cmd
}

// result is the file with the changes that DuckDB and the shell found, a contact a line:
// the user id, then key=value for each, all with bars between them.
const result = "changes.txt"

// inFolder is a command that runs in a folder.
func inFolder(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return cmd
}

// runQuietly runs a command that is not measured.
func runQuietly(cmd *exec.Cmd) error {
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd.Path, err, text)
	}
	return nil
}

// readChanges reads a result.
func readChanges(path string) (c changes, err error) {
	f, err := os.Open(path)
	if err != nil {
		return c, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		userID, rest, _ := strings.Cut(lines.Text(), "|")
		c.contacts++
		for change := range strings.SplitSeq(rest, "|") {
			key, value, _ := strings.Cut(change, "=")
			c.add(userID, key, value)
		}
	}
	return c, lines.Err()
}

// duckDB joins the second day's exports with a table of the first day's.
func duckDB(self string) contender {
	return contender{
		name: "DuckDB",
		first: func(w *workload, dir string) *exec.Cmd {
			return inFolder(dir, self, "duckdb", "CREATE OR REPLACE TABLE known AS "+w.selectDay(firstDay))
		},
		plan: func(w *workload, dir string) *exec.Cmd {
			return inFolder(dir, self, "duckdb", "COPY ("+w.selectChanges()+") TO '"+result+"' (HEADER false, DELIMITER '|', QUOTE '')")
		},
	}
}

// runDuckDB runs one statement in the database of this process's folder. It is what the
// processes do that [duckDB] starts.
func runDuckDB(statement string) error {
	db, err := sql.Open("duckdb", "known.duckdb")
	if err != nil {
		return err
	}
	defer db.Close()
	for _, s := range []string{"SET threads = 2", "SET preserve_insertion_order = false", statement} {
		if _, err := db.Exec(s); err != nil {
			return err
		}
	}
	return db.Close()
}

// selectDay selects all members of a day's audiences, or the table.
func (w *workload) selectDay(day string) string {
	audiences, traits := w.attributes()
	switch {
	case w.shares == nil && w.parquet:
		return "SELECT * FROM read_parquet('" + day + "/table.parquet')"
	case w.shares == nil:
		columns := `'user_id': 'VARCHAR'`
		for _, key := range audiences {
			columns += `, '` + key + `': 'BOOLEAN'`
		}
		for _, key := range traits {
			columns += `, '` + key + `': 'VARCHAR'`
		}
		return "SELECT * FROM read_csv('" + day + "/table.csv', header = true, columns = {" + columns + "})"
	}
	var parts []string
	for i, key := range audiences {
		parts = append(parts, fmt.Sprintf(
			"SELECT user_id, %d::UTINYINT AS attribute FROM read_csv('%s/%s.csv', header = true, columns = {'key': 'VARCHAR', 'user_id': 'VARCHAR', 'email': 'VARCHAR'})", i, day, key))
	}
	return strings.Join(parts, " UNION ALL ")
}

// toParquet makes Parquet files of the table's CSV files, with columns of the types that a
// warehouse would give them. The rows stay in their order.
func (w *workload) toParquet(dir string) error {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	for _, day := range []string{firstDay, secondDay} {
		path := filepath.Join(dir, day, "table.")
		typed := "COPY (SELECT * FROM read_csv('" + path + "csv', header = true)) TO '" + path + "parquet' (FORMAT parquet)"
		if _, err := db.Exec(typed); err != nil {
			return err
		}
		if err := os.Remove(path + "csv"); err != nil {
			return err
		}
	}
	return nil
}

// selectChanges selects one row per contact that changed.
func (w *workload) selectChanges() string {
	audiences, traits := w.attributes()
	present := w.selectDay(secondDay)
	if w.shares == nil {
		var changed, changes []string
		for _, key := range append(audiences, traits...) {
			changed = append(changed, fmt.Sprintf("k.%s IS DISTINCT FROM n.%[1]s", key))
			changes = append(changes, fmt.Sprintf("CASE WHEN k.%s IS DISTINCT FROM n.%[1]s THEN '%[1]s=' || n.%[1]s END", key))
		}
		return "SELECT coalesce(k.user_id, n.user_id), concat_ws('|', " + strings.Join(changes, ", ") +
			") FROM known k FULL OUTER JOIN (" + present + ") n ON k.user_id = n.user_id WHERE " + strings.Join(changed, " OR ")
	}
	return `SELECT user_id, string_agg(printf('audience_%02d=', attribute) || entered, '|')
FROM (
  SELECT coalesce(k.user_id, n.user_id) AS user_id, coalesce(k.attribute, n.attribute) AS attribute, n.user_id IS NOT NULL AS entered
  FROM known k FULL OUTER JOIN (` + present + `) n ON k.user_id = n.user_id AND k.attribute = n.attribute
  WHERE k.user_id IS NULL OR n.user_id IS NULL
)
GROUP BY user_id`
}

// sortAndComm compares sorted lists of each audience's user ids.
var sortAndComm = contender{
	name: "sort and comm",
	first: func(w *workload, dir string) *exec.Cmd {
		return shell(dir, "known() { "+w.list(firstDay)+" | "+gnuSort+" >known_$1.txt; }\nfor key in "+w.lists()+"; do known $key; done")
	},
	plan: func(w *workload, dir string) *exec.Cmd {
		return shell(dir, "compare() { "+w.list(secondDay)+" | "+gnuSort+" | comm --nocheck-order -3 known_$1.txt - | awk -F, "+w.change()+" >changed_$1.txt; }\n"+
			"for key in "+w.lists()+"; do compare $key; done\n"+
			`sort -m -s -t '|' -k1,1 changed_*.txt | awk -F'|' '
				$1 != id { if (id != "") print line; id = line = $1 }
				{ line = line "|" $2 }
				END { if (id != "") print line }' >`+result)
	},
}

// gnuSort is faster without -S: of what comes through a pipe it sorts little at a time.
const gnuSort = "sort --parallel=2"

func shell(dir, script string) *exec.Cmd {
	cmd := inFolder(dir, "bash", "-euc", "set -o pipefail\n"+script)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

// lists returns the names of the workload's files without their ending.
func (w *workload) lists() string {
	if w.shares == nil {
		return "table"
	}
	audiences, _ := w.attributes()
	return strings.Join(audiences, " ")
}

// list prints what is to be sorted: the ids of an audience, or the rows of the table.
func (w *workload) list(day string) string {
	if w.shares == nil {
		return "tail -n +2 " + day + "/$1.csv"
	}
	return "tail -n +2 " + day + "/$1.csv | cut -d, -f2"
}

// change is the awk program that makes changes of what comm prints: lines of the first
// day only, and behind a tab those of the second day only.
func (w *workload) change() string {
	if w.shares != nil {
		return `-v key=$1 '{ if (sub(/^\t/, "")) print $1 "|" key "=true"; else print $1 "|" key "=false" }'`
	}
	// A row's two versions follow each other, the old or the new one first.
	audiences, traits := w.attributes()
	return `'BEGIN { split("- ` + strings.Join(append(audiences, traits...), " ") + `", keys, " ") }
		{ added = sub(/^\t/, "") }
		$1 != id { id = $1; split($0, first, ","); next }
		{ for (i = 2; i <= NF; i++) if ($i != first[i]) print id "|" keys[i] "=" (added ? $i : first[i]) }'`
}
