package starter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"

	"gleapsync/internal/config"
	"gleapsync/internal/keys"
	"gleapsync/internal/rounds"
)

// start writes files, makes a configuration of them, and returns what it holds: one
// "kind key key: source" for each export and one "source column: reason" for all that is
// left out. Nothing marked may be in the configuration, the result or the error.
func start(t testing.TB, files map[string]string) (entries, text string, err error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "acme-shop")
	for name, content := range files {
		path := filepath.Join(dir, "exports", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "c.toml")
	r, err := Write(context.Background(), Options{Place: filepath.Join(dir, "exports"), Config: path})
	written, readErr := os.ReadFile(path)
	if (err == nil) != (readErr == nil) {
		t.Fatalf("error %v, but reading the configuration: %v", err, readErr)
	}
	shown, _ := json.Marshal(r)
	if all := fmt.Sprint(string(written), string(shown), err); strings.Contains(all, "marked") {
		t.Errorf("cells are shown: %s", all)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*.new")); len(left) > 0 {
		t.Errorf("left over: %s", left)
	}
	if err != nil {
		return "", "", err
	}
	checkWritten(t, path, r)
	var lines []string
	for _, e := range r.Exports {
		lines = append(lines, fmt.Sprintf("%s %s: %s", e.Kind, strings.Join(e.Keys, " "), e.Source))
	}
	for _, l := range r.LeftOut {
		lines = append(lines, fmt.Sprintf("%s %s: %s", l.Source, l.Column, l.Reason))
	}
	return strings.Join(lines, "\n"), string(written), nil
}

// checkWritten: the configuration loads, has the keys of the result and no others, its
// sources are there, and it is its owner's alone.
func checkWritten(t testing.TB, path string, r Result) {
	t.Helper()
	c, err := config.Load(path)
	if err != nil {
		t.Fatalf("it does not load: %v", err)
	}
	var got, want []string
	for _, e := range c.Sync.Exports {
		if _, err := e.Open(t.Context()); err != nil {
			t.Errorf("the source %q: %v", e.Source, err)
		}
		for _, a := range e.Attributes {
			got = append(got, a.Key)
		}
	}
	for _, e := range r.Exports {
		want = append(want, e.Keys...)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the configuration has the keys %s, the result %s", got, want)
	}
	if len(c.Sync.Fields) > 0 {
		t.Errorf("contact fields would be sent: %v", c.Sync.Fields)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.String()
}

const hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// TestForms: what each form becomes. good is there so that there is a configuration.
func TestForms(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"unformatted":    {"key,external_ids\nmarked,\"{\"\"user_id\"\":[\"\"marked\"\"]}\"\n", "audience x: exports/x.csv"},
		"byte order":     {"\ufeffkey;external_ids;user_id;email\r\nmarked;{};marked;marked@x.io\r\n", "audience x: exports/x.csv"},
		"list":           {"userId\nmarked\n", "audience x: exports/x.csv"},
		"list of people": {"user_id,email,anonymous_id\nmarked,marked@x.io,marked\n", "audience x: exports/x.csv"},
		"no members":     {"key,external_ids\n", "audience x: exports/x.csv"},
		"gzip":           {gzipped("user_id\nmarked\n"), "audience x: exports/x.csv"},
		"trait":          {"key,value,external_ids\nmarked,marked,\"{\"\"user_id\"\":[\"\"marked\"\"]}\"\n", "trait x: exports/x.csv"},
		"table":          {"user_id|VIP (EU)|loves_tea|orders|level\nmarked|true||7|marked\nmarked2||NULL|1|\n", "table vip_eu orders level: exports/x.csv\nexports/x.csv loves_tea: it has no value"},
		"warehouse": {"USER_ID,ID,RECEIVED_AT,UUID_TS,_FIVETRAN_SYNCED,STORE_ID,EMAIL,EMAIL_1,USER_NAME,PLAN_NAME,SLA,VIP\nmarked,marked,marked,marked,marked,marked,marked,marked,marked,marked,marked,t\n",
			`table vip plan_name: exports/x.csv
exports/x.csv ID: it looks like an id
exports/x.csv RECEIVED_AT: it is about the loading, not about the user
exports/x.csv UUID_TS: it is about the loading, not about the user
exports/x.csv _FIVETRAN_SYNCED: it is about the loading, not about the user
exports/x.csv STORE_ID: it looks like an id
exports/x.csv EMAIL_1: it may be personal data: add it to traits if Gleap should have it
exports/x.csv USER_NAME: it may be personal data: add it to traits if Gleap should have it
exports/x.csv SLA: "sla" is a field that Gleap contacts already have: add it to traits with another key, keys = { SLA = "sla_trait" }`},
		"columns of one key": {"user_id,Orders,orders!,🔥,${HOME},\xff\nu,1,2,3,4,5\n", "table orders: exports/x.csv\nexports/x.csv orders!: the key orders is that of exports/x.csv: add it to traits with another key, keys = { \"orders!\" = \"orders_2\" }\nexports/x.csv 🔥: the name has no letter or digit to make a key of\nexports/x.csv ${HOME}: its name holds \"${\", which begins a variable in a configuration: rename it\nexports/x.csv \xff: its name is not UTF-8, which a configuration must be: rename it"},
		"key of an audience": {"user_id,good,orders\nu,t,7\n", "table orders: exports/x.csv\nexports/x.csv good: the key good is that of exports/good.csv: add it to audiences with another key, keys = { good = \"good_2\" }"},
		"table of nothing":   {"user_id,received_at\nu,2026-11-20\n", "exports/x.csv : none of its columns is an audience or a trait\nexports/x.csv received_at: it is about the loading, not about the user"},
		"single column":      {"email\nmarked@x.io\n", "exports/x.csv : a single-column export holds no user id: "},
		"no header":          {"marked,marked@x.io\n", "exports/x.csv : the header has no column user_id, userId or external_ids: "},
		"hashes":             {"user_id\n" + hash + "\n", "exports/x.csv : the user ids are SHA-256 hashes, which Gleap does not know: "},
		"anonymous":          {"key,external_ids\nmarked,\"{\"\"anonymous_id\"\":[\"\"marked\"\"]}\"\n", "exports/x.csv : none of its rows has a user id"},
		"changes":            {"audience_name,audience_action,email,user_id\nmarked,true,marked,marked\n", "exports/x.csv : it holds changes, "},
		"calls":              {"id,user_id,original_timestamp,vip\nmarked,marked,marked,true\n", "exports/x.csv : it holds a row for each event: "},
		"JSON lines":         {"{\"user_id\":\"marked\",\"vip\":true,\"orders\":3}\n{\"user_id\":\"marked2\",\"email\":\"marked@x.io\"}\n", "table vip orders: exports/x.csv"},
		"identify calls": {`{"type":"identify","messageId":"marked","userId":"marked","timestamp":"2026-11-20T08:00:00Z","context":{"personas":{"computation_class":"audience","computation_key":"vip"}},"traits":{"vip":true}}` + "\n",
			"changes vip: exports/x.csv"},
		"track calls":          {`{"type":"track","messageId":"marked","event":"marked","userId":"marked","timestamp":"2026-11-20T08:00:00Z","properties":{"marked":1}}` + "\n", "exports/x.csv : it holds track, page or screen calls: take the "},
		"changes by the S3":    {"audience_name,audience_id,audience_action,user_id,timestamp,message_id\nvip,1,true,marked,2026-11-20T08:00:00Z,marked\n", "changes vip: exports/x.csv"},
		"long form":            {"canonical_segment_id,type,value\nmarked,user_id,marked\n", "exports/x.csv : the header has no column user_id"},
		"empty":                {"", "exports/x.csv : the file is empty: it has no header"},
		"rubbish":              {"\x00\x01\xffmarked\x80,\x02\n\x03", "exports/x.csv : the header has no column user_id"},
		"rubbish with a quote": {"PK\x03\x04\"\x00\n", "exports/x.csv : the file is a zip archive: unpack it"},
		"cut off":              {"user_id,vip\nu1,true\nu2", "exports/x.csv : the file ends inside a row: the export is not complete"},
		"cut off gzip":         {gzipped("user_id\nmarked\n")[:25], "exports/x.csv : its gzip data breaks off: the export is not complete"},
		"UTF-16":               {"\xff\xfeu\x00", "exports/x.csv : the file is UTF-16: export it as UTF-8"},
	} {
		entries, _, err := start(t, map[string]string{"x.csv": test.text, "good.csv": "user_id\nu1\n"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := strings.TrimPrefix(strings.Replace("\n"+entries, "\naudience good: exports/good.csv", "", 1), "\n")
		if !strings.HasPrefix(got, test.want) || strings.Count(got, "\n") != strings.Count(test.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, test.want)
		}
	}
}

// TestText: the comments.
func TestText(t *testing.T) {
	_, text, err := start(t, map[string]string{
		"rate.csv":      "user_id,value\nu1,marked\nu2,7\nu3,2026-11-20\nu4,true\n",
		"day.csv":       "user_id,value\nu1,2026-11-20\nu2,2026-11-20 08:15:00+00\n",
		"none.csv":      "user_id,value\nu1,\n",
		"email.csv":     "user_id\nu1\n",
		"a/vip.csv":     "user_id\nu1\n",
		"b/vip.csv":     "user_id\nu1\n",
		"b/vip_2.csv":   "user_id\nu1\n",
		"🔥.csv":         "user_id\nu1\n",
		"table.csv":     "user_id,has_car,cars,locale,First Name\nu1,1,2,marked,marked\nu2,0,,,\n",
		"broken.csv":    "user_id\nu1\nu2,marked\n",
		"README.txt":    "marked\n",
		"a\nb\x7f'.csv": "user_id\nu1\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"project = \"acme-shop\"  #",
		"api_token_env = \"GLEAP_API_TOKEN\"  #",
		"[contact]\n# first_name = \"first_name\"\n# lang = \"locale\"\n",
		"source = \"exports/rate.csv\"\ntype = \"auto\"  # the values look like numbers and booleans and dates and text\n",
		"type = \"auto\"  # the values look like dates: \"datetime\" sends them as RFC 3339 in UTC\n",
		"type = \"auto\"  # the values are blank\n",
		"# Left out: \"email\" is a field that Gleap contacts already have: take the \"#\"s away if both are needed\n# [[audience]]\n# name = \"email\"\n# key = \"email_audience\"\n# source = \"exports/email.csv\"\n",
		"# Left out: the key vip is that of exports/a/vip.csv: take the \"#\"s away if both are needed\n# [[audience]]\n# name = \"vip\"\n# key = \"vip_3\"\n# source = \"exports/b/vip.csv\"\n",
		"# name = \"🔥\"\n# key = \"audience\"\n",
		"audiences = [\n  \"has_car\",  # 0 and 1 only: if it counts something, move it to traits\n]\ntraits = [\n  \"cars\",  # numbers\n]\ntypes = { cars = \"number\" }\nexclude = [\"locale\"]  # no attributes, so that a sync does not ask about them\n# without locale, First Name: it is a contact field: see [contact]\n",
		"source = \"exports/broken.csv\"\n# 1 of 2 rows cannot be read: see gleapsync check\n",
		"\n# Left out: exports/README.txt: a single-column export holds no user id",
		`source = "exports/a\nb\u007f'.csv"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the configuration does not have\n%s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestSureTypes: a type is written down where all values of the column agree, wherever in
// the file they stand.
func TestSureTypes(t *testing.T) {
	const many = 3000
	rows := func(values ...string) string {
		var b strings.Builder
		for i := range many {
			fmt.Fprintf(&b, "u%d,%s\n", i, values[0])
		}
		for i, v := range values[1:] {
			fmt.Fprintf(&b, "v%d,%s\n", i, v)
		}
		return b.String()
	}
	for name, test := range map[string]struct{ rows, typ, looks string }{
		"integers":             {rows("7", "0", "-12"), "number", "numbers"},
		"decimals":             {rows("829.10", "49.9", "", "NULL"), "number", "numbers"},
		"0 and 1":              {rows("1", "0"), "number", "numbers"},
		"NaN among them":       {rows("7", "NaN", "[]"), "number", "numbers"},
		"booleans":             {rows("t", "False", "TRUE"), "boolean", "booleans"},
		"zip codes":            {rows("12345", "00123"), "string", "numbers and text"},
		"long ids":             {rows("12", "9007199254740993"), "string", "numbers and text"},
		"too many digits":      {rows("0.12345678901234567890"), "string", "text"},
		"a text at the end":    {rows("7", "unknown"), "auto", "numbers and text"},
		"ids and texts":        {rows("007", "n/a"), "auto", "text"},
		"ids and dates":        {rows("007", "2026-11-20"), "auto", "dates and text"},
		"numbers and dates":    {rows("7", "2026-11-20"), "auto", "numbers and dates"},
		"a number among words": {rows("true", "7"), "auto", "numbers and booleans"},
		"an exponent":          {rows("7", "1e3"), "auto", "numbers and text"},
		"dates":                {rows("2026-11-20"), "auto", "dates"},
		"blank":                {rows("", "NULL", "NaN"), "auto", ""},
	} {
		_, text, err := start(t, map[string]string{"x.csv": "user_id,value\n" + test.rows, "t.csv": "user_id,A column\n" + test.rows})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := fmt.Sprintf("type = %q  # the values look like %s\n", test.typ, test.looks)
		switch {
		case test.looks == "":
			want = "type = \"auto\"  # the values are blank\n"
		case test.typ == "string":
			want = strings.TrimSpace(want) + "; as text they keep all their digits\n"
		case test.looks == "dates":
			want = "type = \"auto\"  # the values look like dates: "
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: the configuration does not have %s in\n%s", name, want, text)
		}
		isTrait := name != "booleans" && name != "0 and 1" // those columns are audiences
		inTable := fmt.Sprintf("traits = [\n  \"A column\",  # %s\n]\ntypes = { \"A column\" = %q }\n", test.looks, test.typ)
		if strings.Contains(text, inTable) != (isTrait && test.typ != "auto") {
			t.Errorf("%s: the table\n%s", name, text)
		}
	}
}

// TestPatterns: many columns of one list that begin with the same words stand as a pattern,
// where it takes no other.
func TestPatterns(t *testing.T) {
	header, row := "user_id", "u1"
	add := func(n int, name, value string) {
		for i := range n {
			header, row = fmt.Sprintf("%s,%s_%d", header, name, i), row+","+value
		}
	}
	add(13, "in_audience", "true")
	add(3, "is", "true")
	add(9, "total", "7.5")
	add(4, "mixed", "7.5")
	add(1, "mixed_too", "true")
	add(4, "days_since_order", "8")
	add(1, "days_since_order_id", "8")
	path := filepath.Join(t.TempDir(), "c.toml")
	os.WriteFile(filepath.Join(filepath.Dir(path), "wide.csv"), []byte(header+"\n"+row+"\n"), 0o600)
	r, err := Write(t.Context(), Options{Place: filepath.Dir(path), Config: path})
	if err != nil || len(r.Exports) != 1 || len(r.Exports[0].Keys) != 34 {
		t.Fatalf("%+v, %v", r, err)
	}
	text, _ := os.ReadFile(path)
	for _, want := range []string{
		"audiences = [\n  \"in_*\",  # 13 columns: booleans\n  \"is_0\",\n  \"is_1\",\n  \"is_2\",\n  \"mixed_too_0\",\n]\n",
		"traits = [\n  \"total_*\",  # 9 columns: numbers\n  \"mixed_0\",  # numbers\n",
		"\"days_since_order_3\",  # numbers\n]\ntype = \"number\"\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the configuration has no\n%s\nin\n%s", want, text)
		}
	}
}

// TestFolderOfCalls: a folder with calls only is one source, since more of them will come.
func TestFolderOfCalls(t *testing.T) {
	call := func(key string) string {
		return fmt.Sprintf(`{"type":"identify","messageId":"m","userId":"u","timestamp":"2026-11-20T08:00:00Z","context":{"personas":{"computation_class":"audience","computation_key":%q}},"traits":{%[1]q:true}}`+"\n", key)
	}
	files := map[string]string{"calls/1.json": call("vip"), "calls/b.json": call("new"), "calls/2026-11-20.json": call("vip")}
	entries, _, err := start(t, files)
	if want := "changes new vip: exports/calls/"; err != nil || entries != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, entries, want)
	}
	files["calls/list.csv"] = "user_id\nu\n"
	entries, _, err = start(t, files)
	if err != nil || !strings.Contains(entries, "changes new: exports/calls/b.json") {
		t.Errorf("%v, got\n%s", err, entries)
	}
}

// placeIn leaves an address as it is.
func placeIn(dir, place string) string {
	if strings.Contains(place, "://") {
		return place
	}
	return filepath.Join(dir, place)
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "vip.csv")
	os.WriteFile(file, []byte("user_id\nu1\n"), 0o600)
	os.Mkdir(filepath.Join(dir, "empty"), 0o700)
	os.Mkdir(filepath.Join(dir, "useless"), 0o700)
	os.WriteFile(filepath.Join(dir, "useless", "x.csv"), nil, 0o600)
	os.WriteFile(filepath.Join(dir, "there.toml"), []byte("mine"), 0o600)
	os.Symlink("nowhere", filepath.Join(dir, "link.toml"))
	for _, test := range []struct{ folder, config, project, want string }{
		{".", "there.toml", "", "there.toml exists already and is not replaced: move it away, or name another file with --config"},
		{".", "link.toml", "", "exists already"},
		{".", "none/c.toml", "", "its folder does not exist"},
		{"none", "c.toml", "", "there is no folder"},
		{"vip.csv", "c.toml", "", "the exports cannot be listed"},
		{"empty", "c.toml", "", "there is no export in"},
		{"useless", "c.toml", "", "useless/x.csv: the file is empty"},
		{".", "c.toml", "${NOT_THERE}", "c.toml:7: project: the environment has no NOT_THERE"},
	} {
		_, err := Write(context.Background(), Options{Place: placeIn(dir, test.folder), Config: filepath.Join(dir, test.config), Project: test.project})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	entries, _ := os.ReadDir(dir)
	if text, _ := os.ReadFile(filepath.Join(dir, "there.toml")); string(text) != "mine" || len(entries) != 5 {
		t.Errorf("something was written: %q, %v", text, entries)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(keys.ErrNone)
	if _, err := Write(ctx, Options{Place: dir, Config: filepath.Join(dir, "c.toml")}); err != keys.ErrNone {
		t.Errorf("interrupted: %v", err)
	}
}

// TestUnreadable: files and folders that may not be read, and what is no file.
func TestUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"vip.csv": 0o600, "secret.csv": 0} {
		os.WriteFile(filepath.Join(dir, name), []byte("user_id\nu1\n"), mode)
	}
	os.Mkdir(filepath.Join(dir, "closed"), 0)
	r, err := Write(context.Background(), Options{Place: dir, Config: filepath.Join(dir, "c.toml")})
	want := []LeftOut{{Source: "closed", Reason: "the folder cannot be listed"}, {Source: "secret.csv", Reason: "may not be read: permission denied"}}
	if err != nil || fmt.Sprint(r.LeftOut) != fmt.Sprint(want) {
		t.Errorf("%+v, %v", r.LeftOut, err)
	}
}

// TestAnyNames: whatever the names of files, columns and the project, the configuration
// loads, or an error says why there is none.
func TestAnyNames(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z"'\\\n\t\r#=\[\]{}$*? .,_0-9é\x7f-]{0,12}`), rapid.SampledFrom([]string{
		"vip", "VIP", "email", "vip_2026-11-20", "vip_2026-11-21", "vip_part1", "vip (1)", "${HOME}", `"""`, "'''", "\xff\xfe", "\u2028", "🔥", "-", "a]]", "\"\n[gleap]\nrate=0\n",
	}))
	rounds.Check(t, func(r *rapid.T) {
		files := map[string]string{"good.csv": "user_id\nmarked\n"}
		for range rapid.IntRange(1, 8).Draw(r, "files") {
			name := strings.NewReplacer("/", "", "\x00", "").Replace(text.Draw(r, "name"))
			if len(name) > 100 {
				name = name[:100]
			}
			column := strings.NewReplacer(`"`, `""`, "\r", "").Replace(text.Draw(r, "column"))
			files[rapid.SampledFrom([]string{"", "", "sub/", name + "/"}).Draw(r, "folder")+name+".csv"] = rapid.SampledFrom([]string{
				"user_id\nmarked\n", "user_id,value\nmarked,marked\n", "user_id,\"" + column + "\",x\nmarked,t,7\n", "", "\"" + column + "\"\n",
			}).Draw(r, "content")
		}
		for name := range files {
			if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "/") {
				delete(files, name)
			}
		}
		if _, _, err := start(t, files); err != nil {
			r.Fatalf("%q: %v", files, err)
		}
		if t.Failed() {
			r.Fatalf("%q", files)
		}
	})
}

func TestProjectName(t *testing.T) {
	for folder, want := range map[string]string{"/srv/acme": "acme", "/": "my-project", "/${X}": "my-project", "/\xff": "my-project"} {
		if got := projectName(folder); got != want {
			t.Errorf("%q: %q", folder, got)
		}
	}
}
