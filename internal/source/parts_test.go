package source

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	redshift = `{"entries":[{"url":"s3://bucket/day/part-0.csv","meta":{"content_length":11,"record_count":1}},{"url":"s3://bucket/day/part-1.csv","meta":{"content_length":11}}],` +
		`"schema":{"elements":[{"name":"user_id","type":{"base":"text"}}]},"author":{"name":"Amazon Redshift","version":"1.0.0"}}`
	detailed = `[{"FILE_NAME":"day/part-0.csv","FILE_SIZE":11,"ROW_COUNT":1},{"FILE_NAME":"day/part-1.csv","FILE_SIZE":11,"ROW_COUNT":1}]`
)

// partCases are what may stand in a folder whose parts are part-*, and what comes of it.
var partCases = map[string]struct {
	files map[string]string // beside part-0.csv
	want  string            // the users, or the end of an error
}{
	"one part":                     {nil, "u0"},
	"two parts":                    {files("part-1.csv", "user_id\nu1\n"), "u0 u1"},
	"marks":                        {files("_SUCCESS", "", "_committed_1", "{}", "_started_1", "", ".part-0.csv.crc", "x", "part-1.csv", "user_id\nu1\n"), "u0 u1"},
	"parts without a byte":         {files("part-1.csv", "", "part-2.csv", "user_id\nu2\n", "part-3.csv", ""), "u0 u2"},
	"parts of nothing, compressed": {files("part-1.csv.gz", gzipped(""), "part-2.csv.zst", "\x28\xb5\x2f\xfd\x24\x00\x01\x00\x00\x99\xe9\xd8\x51", "part-3.csv.gz", gzipped("user_id\nu3\n")), "u0 u3"},
	"a part cut in its header":     {files("part-1.csv.gz", gzipped("")[:10]), "its gzip data breaks off: the export is not complete; export it again, and the next run takes it"},
	"a part of no end":             {files("part-1.csv.gz", gzipped("")[:18]), "its gzip data breaks off: the export is not complete; export it again, and the next run takes it"},
	"Redshift's manifest":          {files("part-1.csv", "user_id\nu1\n", "part-manifest", redshift), "u0 u1"},
	"only paths":                   {files("part-1.csv", "user_id\nu1\n", "manifest", `{"entries":[{"url":"s3://b/part-1.csv","mandatory":true},{"url":"s3://b/part-0.csv"}]}`), "u0 u1"},
	"a part of no bytes in it":     {files("part-1.csv", "", "manifest", `{"entries":[{"url":"s3://b/part-1.csv","meta":{"content_length":0}},{"url":"s3://b/part-0.csv"}]}`), "u0"},
	"Snowflake's, JSON":            {files("part-1.csv", "user_id\nu1\n", "manifest.json", detailed), "u0 u1"},
	"Snowflake's, JSON lines":      {files("part-1.csv", "user_id\nu1\n", "manifest.json", strings.Trim(strings.ReplaceAll(detailed, "},{", "}\n{"), "[]")), "u0 u1"},
	"Snowflake's, CSV":             {files("part-1.csv", "user_id\nu1\n", "manifest.csv", "FILE_NAME,FILE_SIZE,ROW_COUNT\nday/part-0.csv,11,1\nday/part-1.csv,11,1\n"), "u0 u1"},
	"Snowflake's LIST":             {files("part-1.csv", "user_id\nu1\n", "manifest.csv", "\"name\",\"size\",\"md5\"\n\"stage/part-0.csv\",\"11\",\"x\"\n\"stage/part-1.csv\",\"11\",\"y\"\n"), "u0 u1"},
	"paths, with gzip":             {files("part-1.csv", "user_id\nu1\n", "manifest.csv.gz", gzipped("\ufeffs3://b/x/part-0.csv\ns3://b/x/part-1.csv\n")), "u0 u1"},
	"names in a list":              {files("part-1.csv", "user_id\nu1\n", "manifest.json", `{"columns":[{"name":"user_id"}],"dataFiles":["s3://b/part-0.csv","s3://b/part-1.csv"]}`), "u0 u1"},
	"two manifests":                {files("part-1.csv", "user_id\nu1\n", "part-a-manifest", `["part-0.csv"]`, "part-b-manifest", `["part-1.csv"]`), "u0 u1"},
	"missing":                      {files("part-manifest", redshift), "part-1.csv is missing, which the manifest MANIFEST names: wait until all is written, or export it again"},
	"missing, Snowflake's":         {files("manifest.json", detailed), "part-1.csv is missing, which the manifest MANIFEST names: wait until all is written, or export it again"},
	"another size":                 {files("part-1.csv", "user_id\n", "part-manifest", redshift), "part-1.csv has 8 bytes, and 11 in the manifest MANIFEST: wait until all is written, or export it again"},
	"without a byte, but named":    {files("part-1.csv", "", "part-manifest", redshift), "part-1.csv has 0 bytes, and 11 in the manifest MANIFEST: wait until all is written, or export it again"},
	"more than named":              {files("part-1.csv", "user_id\nu1\n", "part-2.csv", "user_id\nu2\n", "part-manifest", redshift), "part-2.csv is named by no manifest, though others are: delete what is left over from an earlier export, or the manifest if that is older"},
	"damaged":                      {files("part-manifest", redshift[:50]), "it is damaged, or no list of files: write it again, or give it another name if it is no manifest"},
	"no manifest, but called so":   {files("part-manifest.csv", "secret\nsecret@x.io\n"), "it is damaged, or no list of files: write it again, or give it another name if it is no manifest"},
	"a manifest that names nobody": {files("part-manifest", `{"entries":[]}`), "it names no file: complete it, delete it, or give it another name if it is none"},
	"what only sounds like one":    {files("part-manifesto.csv", "user_id\nu1\n"), "u0 u1"},
}

func files(namesAndTexts ...string) map[string]string {
	all := map[string]string{}
	for i := 0; i < len(namesAndTexts); i += 2 {
		all[namesAndTexts[i]] = namesAndTexts[i+1]
	}
	return all
}

// checkParts reads parts and compares what comes of it with a case.
func checkParts(t *testing.T, name, source string, dir, want string) {
	t.Helper()
	got, err := rows(Place{Dir: dir, Source: source, Pick: PickAll})
	text := strings.Join(got, " ")
	if err != nil {
		text = err.Error()
		if errors.As(err, new(*UnreadableError)) || strings.Contains(text, "secret") {
			t.Errorf("%s, %s: %v", name, source, err)
		}
	}
	for i, part := range strings.Split(want, "MANIFEST") {
		if err == nil && text != want || i == 0 && !strings.Contains(text, part) || i > 0 && !strings.HasSuffix(text, part) {
			t.Errorf("%s, %s: got %s, want %s", name, source, text, want)
		}
	}
}

func TestParts(t *testing.T) {
	for name, test := range partCases {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "day"), 0o700); err != nil {
			t.Fatal(err)
		}
		all := maps.Clone(test.files)
		if all == nil {
			all = map[string]string{}
		}
		all["part-0.csv"] = "user_id\nu0\n"
		for file, text := range all {
			if err := os.WriteFile(filepath.Join(dir, "day", file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, source := range []string{"day", "day/*", "day/part-*", "d*/part-*", filepath.Join(dir, "day"), filepath.Join(dir, "day", "part-*")} {
			checkParts(t, name, source, dir, test.want)
		}
	}
}

// TestOnlyMarks: where there is no part the error says so, and tells that the folder can
// be read.
func TestOnlyMarks(t *testing.T) {
	dir := write(t, "_SUCCESS", "", "part-0", "", "part-1", "", ".x", "user_id\nu1\n", "manifest", `{"entries":[]}`)
	for _, source := range []string{".", "*", "part-*"} {
		_, err := Place{Dir: dir, Source: source, Pick: PickAll}.Find(t.Context())
		var unreadable *UnreadableError
		if !errors.As(err, &unreadable) || !unreadable.Empty || !strings.HasSuffix(err.Error(), " has no part: all that is there is empty, hidden, a manifest or a mark such as _SUCCESS") {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// TestNotInParts: what is no snapshot in parts is taken as it is named, and the newest of
// several files counts though it is empty.
func TestNotInParts(t *testing.T) {
	dir := write(t, "day_1.csv", "user_id\nu1\n", "day_2.csv", "", "_SUCCESS", "", "manifest", `{"entries":[{"url":"s3://b/gone.csv"}]}`, "vip_manifest.csv", "user_id\nu2\n")
	for _, test := range []struct {
		source string
		pick   Pick
		want   string
	}{
		{"*", PickNewest, "day_2.csv: the file is empty"},
		{".", PickNewest, "day_2.csv: the file is empty"},
		{"day_1*", PickOne, "[u1]"},
		{"vip_manifest.csv", PickOne, "[u2]"},
		{"vip_manifest.csv", PickAll, "[u2]"},
		{"day_2.csv", PickAll, "day_2.csv: the file is empty"},
	} {
		got, err := rows(Place{Dir: dir, Source: test.source, Pick: test.pick})
		text := fmt.Sprint(got)
		if err != nil {
			text = err.Error()
		}
		if text != test.want {
			t.Errorf("%s %s: got %s, want %s", test.source, test.pick, text, test.want)
		}
	}
}

// TestForeignManifest: one that names the files of other exports only is none of ours.
func TestForeignManifest(t *testing.T) {
	dir := write(t, "vip_0000_part_00", "user_id\nu1\n", "churn_manifest", `{"entries":[{"url":"s3://b/churn_0000_part_00"}]}`)
	checkParts(t, "another's", "vip_*part*", dir, "u1")
	checkParts(t, "all", ".", dir, "churn_0000_part_00 is missing, which the manifest churn_manifest names")
}

// TestManifestOfFolders: parts in several folders may have the same name.
func TestManifestOfFolders(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put("manifest", `{"entries":[{"url":"s3://b/x/day=1/0000"},{"url":"s3://b/x/day=2/0000"},{"url":"s3://b/x/day=2/0001"}]}`)
	put("day=1/0000", "user_id\nu1\n")
	put("day=2/0000", "user_id\nu2\n")
	checkParts(t, "missing", ".", dir, "0001 is missing, which the manifest manifest names")
	put("day=2/0001", "user_id\nu3\n")
	checkParts(t, "all", ".", dir, "u1 u2 u3")
}

// TestPartsFingerprint: what is passed over does not change what is known of an export.
func TestPartsFingerprint(t *testing.T) {
	dir := write(t, "part-0", "user_id\nu0\n", "part-1", "user_id\nu1\n")
	fingerprint := func(source string) string { return identified(t, Place{Dir: dir, Source: source, Pick: PickAll}) }
	for _, source := range []string{".", "part-*"} {
		before := fingerprint(source)
		for _, name := range []string{"_SUCCESS", "part-2", ".hidden"} {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if fingerprint(source) != before {
			t.Errorf("%s: a mark changes the fingerprint", source)
		}
	}
}

func TestMissingParts(t *testing.T) {
	const advice = `; wait until all are written, write _SUCCESS after them, or set parts = "any" if their number varies`
	at := func(seconds float64) time.Time {
		return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
	}
	for name, test := range map[string]struct {
		files  map[string]float64 // seconds
		before int
		change func(*Place)
		want   string
	}{
		"all are there":       {map[string]float64{"part-0": 0, "part-1": 0}, 2, nil, ""},
		"more than before":    {map[string]float64{"part-0": 0, "part-1": 0}, 1, nil, ""},
		"never applied":       {map[string]float64{"part-0": 0}, 0, nil, ""},
		"one is gone":         {map[string]float64{"part-00000.csv": 0, "part-00001.csv": 0, "part-00003.csv": 0}, 4, nil, "3 parts are there, 4 were in the snapshot applied last: part-00002.csv is missing" + advice},
		"one is left":         {map[string]float64{"part-00001.csv": 0}, 2, nil, "1 part is there, 2 were in the snapshot applied last" + advice},
		"changes":             {map[string]float64{"part-0": 0}, 2, func(e *Place) { e.Loose = true }, ""},
		"the newest":          {map[string]float64{"part-0": 0}, 2, func(e *Place) { e.Pick = PickNewest }, ""},
		"one file":            {map[string]float64{"part-0": 0}, 2, func(e *Place) { e.Pick = PickOne }, ""},
		"a mark":              {map[string]float64{"part-0": 0, "_SUCCESS": 1}, 2, nil, ""},
		"a mark, same second": {map[string]float64{"part-0": 0.9, "_SUCCESS": 0.1}, 2, nil, ""},
		"a mark, older":       {map[string]float64{"part-0": 1, "part-1": 0, "_SUCCESS": 0.9}, 3, nil, "2 parts are there, 3 were in the snapshot applied last: part-2 is missing; _SUCCESS is older than part-0" + advice},
		"a mark that is old":  {map[string]float64{"part-0": 0, "part-2": 9, "_SUCCESS": 8}, 3, nil, "2 parts are there, 3 were in the snapshot applied last: part-1 is missing; _SUCCESS is older than part-2" + advice},
		"marks of folders":    {map[string]float64{"a/part-0": 0, "a/_SUCCESS": 0, "b/part-0": 5, "b/_SUCCESS": 5}, 3, nil, ""},
		"a folder has none":   {map[string]float64{"a/part-0": 0, "b/part-0": 0, "b/_SUCCESS": 5}, 3, nil, "2 parts are there, 3 were in the snapshot applied last" + advice},
		"a mark above":        {map[string]float64{"a/part-0": 0, "b/part-0": 0, "_SUCCESS": 5}, 3, nil, ""},
		"a manifest":          {map[string]float64{"part-0": 0, "manifest": 0}, 3, nil, ""},
		"parts of no byte":    {map[string]float64{"part-0": 0, "empty-1": 0, "empty-2": 0}, 3, nil, "1 part is there, 3 were in the snapshot applied last: part-1, part-2 are missing" + advice},
		"no mark of that":     {map[string]float64{"part-0": 0, "_committed_1": 9, "_started_1": 9}, 2, nil, "1 part is there, 2 were in the snapshot applied last: part-1 is missing" + advice},
	} {
		dir := t.TempDir()
		for file, second := range test.files {
			path := filepath.Join(dir, file)
			text := "user_id\nu\n"
			switch {
			case file == "manifest":
				text = `["part-0"]`
			case isMark(file) || strings.HasPrefix(file, "empty"):
				text = ""
			}
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, at(second), at(second))); err != nil {
				t.Fatal(err)
			}
		}
		e := Place{Dir: dir, Source: ".", Pick: PickAll}
		if test.change != nil {
			test.change(&e)
		}
		sources := []string{"."}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(test.files)), func(name string) bool { return strings.Contains(name, "/") }) {
			sources = append(sources, "part-*")
		}
		for _, e.Source = range sources {
			inputs, err := e.Find(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got := inputs.Missing(test.before)
			if got != test.want {
				t.Errorf("%s, %s: got %q, want %q", name, e.Source, got, test.want)
			}
		}
	}
}

func TestGaps(t *testing.T) {
	for _, test := range []struct {
		names string
		count int
		want  string
	}{
		{"part-00000 part-00001 part-00003", 4, "part-00002"},
		{"part-0 part-1 part-2", 4, "part-3"},
		{"part-1 part-3 part-4", 4, "part-2"},
		{"part-2 part-3 part-4", 4, "part-1"},
		{"part-1 part-2 part-3", 4, ""}, // 0 or 4
		{"part-1 part-3", 4, "part-2"},  // and 0 or 4
		{"part-0", 3, "part-1 part-2"},
		{"part-9 part-0 part-10", 12, "part-1 part-2 part-3 part-4 part-5 part-6 part-7 part-8 part-11"},
		{"part-08.csv part-00.csv part-10.csv part-01.csv part-02.csv part-03.csv part-04.csv part-05.csv part-06.csv part-07.csv", 11, "part-09.csv"},
		{"vip_0000_part_00.gz vip_0002_part_00.gz", 3, "vip_0001_part_00.gz"},
		{"data_0_0_0.csv data_0_2_0.csv", 3, "data_0_1_0.csv"},
		{"part-00000-2f0e-c000.parquet part-00002-2f0e-c000.parquet", 3, "part-00001-2f0e-c000.parquet"},
		{"000000000000 000000000002", 3, "000000000001"},
		{"2026-03-01-part-0 2026-03-01-part-2", 3, "2026-03-01-part-1"},
		{"a b", 3, ""},
		{"eu-0 us-1", 3, ""},
		{"a-1-1 a-2-2", 3, ""},
		{"part-17 part-18", 3, ""},
		{"part-99999999999999999999 part-0", 3, ""},
		{"part-0 part-3", 3, ""},
	} {
		if got := strings.Join(gaps(strings.Fields(test.names), test.count), " "); got != test.want {
			t.Errorf("%s of %d: got %q, want %q", test.names, test.count, got, test.want)
		}
	}
}
