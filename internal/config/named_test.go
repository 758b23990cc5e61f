package config

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/damping"
	"gleapsync/internal/values"
)

const tableOf = "[[table]]\nsource = \"a\"\n" // from line 7 of what follows minimal on

// TestNamed: what is said by name reaches the attributes that are named, and is there as a
// whole for those that patterns and discover take.
func TestNamed(t *testing.T) {
	for kind, head := range map[string]string{
		"table": tableOf, "profiles": profilesOf, "changes": "[[changes]]\nsource = \"a/\"\nbroken_rows = \"ignore\"\n",
	} {
		text := head + `audiences = ["VIPCustomers", "vip_*"]
traits = ["Total Orders", "last_login", "zip", "*_days"]
type = "string"
keys = { VIPCustomers = "vip", total_orders = "orders", vip_eu = "eu" }
types = { total_orders = "number", last_login = "auto", r_30_days = "boolean" }
min_interval = "24h"
tolerance = { total_orders = "1%", last_login = 5 }
`
		c, err := load(t, minimal+text)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		e := c.Sync.Exports[1]
		wantAttributes := []engage.Attribute{
			{Kind: engage.Audience, Key: "vip", Name: "VIPCustomers", Column: "VIPCustomers", Chosen: true},
			{Kind: engage.Trait, Key: "orders", Name: "Total Orders", Column: "Total Orders", Type: values.Number, Chosen: true},
			{Kind: engage.Trait, Key: "last_login", Name: "last_login", Column: "last_login", Type: values.Auto},
			{Kind: engage.Trait, Key: "zip", Name: "zip", Column: "zip", Type: values.Text},
		}
		if !reflect.DeepEqual(e.Attributes, wantAttributes) {
			t.Errorf("%s: %+v", kind, e.Attributes)
		}
		if want := map[string]string{"VIPCustomers": "vip", "total_orders": "orders", "vip_eu": "eu"}; !maps.Equal(e.Keys, want) {
			t.Errorf("%s: keys %v", kind, e.Keys)
		}
		if want := map[string]values.Type{"total_orders": values.Number, "last_login": values.Auto, "r_30_days": values.Boolean}; !maps.Equal(e.Types, want) {
			t.Errorf("%s: types %v", kind, e.Types)
		}
		const day = 24 * time.Hour
		wantDamping := map[string]damping.Rule{
			"": {MinInterval: day}, "Total Orders": {MinInterval: day, Tolerance: damping.Tolerance{Share: 0.01}},
			"last_login": {MinInterval: day, Tolerance: damping.Tolerance{Amount: 5}},
		}
		if !maps.Equal(e.Damping, wantDamping) {
			t.Errorf("%s: damping %v", kind, e.Damping)
		}
		if e.IgnoreBroken != (kind == "changes") {
			t.Errorf("%s: ignore broken %t", kind, e.IgnoreBroken)
		}
		if keys := Keys(c.Path); !slices.Equal(keys, []string{"vip_customers", "vip", "orders", "last_login", "zip"}) {
			t.Errorf("%s: keys %v", kind, keys)
		}
	}
}

// TestDiscoveredNames: what discover takes has names that nobody knows yet.
func TestDiscoveredNames(t *testing.T) {
	c, err := load(t, minimal+"[[changes]]\nsource = \"a/\"\ndiscover = true\nkeys = { anything = \"x\" }\ntypes = { thing = \"number\" }\ntolerance = { thing = 1 }\n")
	if err != nil || c.Sync.Exports[1].Keys["anything"] != "x" || c.Sync.Exports[1].Types["thing"] != values.Number || c.Sync.Exports[1].Damping["thing"].Tolerance.Amount != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestDamping(t *testing.T) {
	for text, want := range map[string]damping.Rule{
		"":                       {},
		`min_interval = "1d12h"`: {MinInterval: 36 * time.Hour},
		`tolerance = "1%"`:       {Tolerance: damping.Tolerance{Share: 0.01}},
		`tolerance = " 0.5 % "`:  {Tolerance: damping.Tolerance{Share: 0.005}},
		"tolerance = 5":          {Tolerance: damping.Tolerance{Amount: 5}},
		"tolerance = 0.25":       {Tolerance: damping.Tolerance{Amount: 0.25}},
		"tolerance = \"5\"":      {Tolerance: damping.Tolerance{Amount: 5}},
		"tolerance = 0":          {},
		"type = \"number\"\ntolerance = 1\nmin_interval = \"90s\"": {MinInterval: 90 * time.Second, Tolerance: damping.Tolerance{Amount: 1}},
	} {
		c, err := load(t, minimal+"[[trait]]\nname = \"Score\"\nsource = \"a\"\n"+text+"\n")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := c.Sync.Exports[1].Damping; (got == nil) != (text == "") || got[""] != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestNamedErrors(t *testing.T) {
	const trait = "[[trait]]\nname = \"Score\"\nsource = \"a\"\n"
	for name, test := range map[string]struct{ text, want string }{
		"unknown name":            {tableOf + "traits = [\"a\"]\nkeys = { b = \"x\" }\n", "c.toml:10: table[0].keys.b: there is no audience or trait of that name here, and no pattern takes it"},
		"excluded name":           {tableOf + "traits = [\"a*\"]\nexclude = [\"ab\"]\nkeys = { ab = \"x\" }\n", "c.toml:11: table[0].keys.ab: there is no audience or trait of that name"},
		"unknown name of a type":  {tableOf + "traits = [\"a\"]\ntypes = { b = \"number\" }\n", "c.toml:10: table[0].types.b: there is no audience or trait of that name"},
		"unknown name, damped":    {tableOf + "traits = [\"a\"]\nmin_interval = { b = \"1h\" }\n", "c.toml:10: table[0].min_interval.b: there is no audience or trait of that name"},
		"in a table of its own":   {tableOf + "traits = [\"a\"]\n[table.keys]\nb = \"x\"\n", "c.toml:11: table[0].keys.b: there is no"},
		"in the second table":     {tableOf + "traits = [\"b\"]\n" + tableOf + "traits = [\"a\"]\n[table.keys]\nb = \"x\"\n", "c.toml:14: table[1].keys.b: there is no"},
		"type of an audience":     {tableOf + "audiences = [\"a\"]\ntypes = { a = \"boolean\" }\n", "c.toml:10: table[0].types.a: \"a\" is an audience: types are for traits"},
		"type of a pattern's":     {tableOf + "audiences = [\"a*\"]\ntypes = { ab = \"boolean\" }\n", "c.toml:10: table[0].types.ab: \"ab\" is an audience: types are for traits"},
		"no type":                 {tableOf + "traits = [\"a\"]\ntypes = { a = \"integer\" }\n", "c.toml:10: table[0].types.a: it takes one of: auto boolean datetime number string"},
		"no key":                  {tableOf + "traits = [\"a\"]\nkeys = { a = \"b c\" }\n", "c.toml:10: table[0].keys.a: trait \"a\": \"b c\" holds more than letters, digits, _ and -: choose another one with keys = { \"a\" = \"…\" }"},
		"empty key":               {tableOf + "traits = [\"a\"]\nkeys = { a = \"\" }\n", "c.toml:10: table[0].keys.a: the key is empty"},
		"no key for a pattern's":  {tableOf + "traits = [\"a*\"]\nkeys = { ab = \"email\" }\n", "c.toml:10: table[0].keys.ab: \"ab\": \"email\" is a field that Gleap contacts already have: choose another one with keys"},
		"taken":                   {tableOf + "traits = [\"a\"]\nkeys = { a = \"vip_customers\" }\n", "c.toml:10: table[0].keys.a: audience \"VIP Customers\" (line 4) and trait \"a\" (line 10) have the same key vip_customers: choose another one with keys"},
		"taken by a pattern's":    {tableOf + "traits = [\"a*\", \"b\"]\nkeys = { ab = \"b\" }\n", "c.toml:10: table[0].keys.ab: trait \"b\" (line 9) and \"ab\" (line 10) have the same key b"},
		"taken twice":             {tableOf + "traits = [\"a*\"]\nkeys = { ab = \"x\", ac = \"x\" }\n", "c.toml:10: table[0].keys.ac: \"ab\" (line 10) and \"ac\" (line 10) have the same key x"},
		"taken in a table":        {tableOf + "traits = [\"vip_customers\"]\n", "have the same key vip_customers: choose another one with keys = { \"vip_customers\" = \"…\" }"},
		"keys of an audience":     {"keys = { a = \"b\" }\n", "c.toml:7: audience.keys: there is no such key"},
		"interval":                {trait + "min_interval = 24\n", "c.toml:10: trait[0].min_interval: it takes a duration such as \"24h\", in tables also by column: { last_login = \"24h\" }"},
		"no interval":             {trait + "min_interval = \"daily\"\n", "c.toml:10: trait[0].min_interval: it takes a duration such as 90s, 2h or 90d"},
		"interval of a column":    {tableOf + "traits = [\"a\"]\nmin_interval = { a = 3 }\n", "c.toml:10: table[0].min_interval.a: it takes a duration such as \"24h\""},
		"interval of an audience": {tableOf + "audiences = [\"a\"]\nmin_interval = { a = \"1h\" }\n", "c.toml:10: table[0].min_interval.a: \"a\" is an audience: what happens to its members is never held back"},
		"tolerance":               {trait + "tolerance = \"some\"\n", "c.toml:10: trait[0].tolerance: it takes a share such as \"1%\" or a number such as 5, in tables also by column: { score = \"1%\" }"},
		"tolerance less than 0":   {trait + "tolerance = -1\n", "c.toml:10: trait[0].tolerance: it takes a share"},
		"endless tolerance":       {trait + "tolerance = inf\n", "c.toml:10: trait[0].tolerance: it takes a share"},
		"no tolerance":            {trait + "tolerance = nan\n", "c.toml:10: trait[0].tolerance: it takes a share"},
		"tolerance of another":    {trait + "tolerance = true\n", "c.toml:10: trait[0].tolerance: it takes a share"},
		"tolerance of a text":     {trait + "type = \"string\"\ntolerance = 1\n", "c.toml:11: trait[0].tolerance: it is for numbers, and the type is string"},
		"tolerance of booleans":   {tableOf + "traits = [\"a\"]\ntypes = { a = \"boolean\" }\ntolerance = { a = 1 }\n", "c.toml:11: table[0].tolerance.a: it is for numbers, and the type is boolean"},
		"of a pattern's booleans": {tableOf + "traits = [\"a*\"]\ntypes = { ab = \"boolean\" }\ntolerance = { ab = 1 }\n", "c.toml:11: table[0].tolerance.ab: it is for numbers, and the type is boolean"},
		"tolerance of all texts":  {tableOf + "traits = [\"a*\"]\ntype = \"string\"\ntolerance = 1\n", "c.toml:11: table[0].tolerance: it is for numbers, and the type is string"},
		"broken rows":             {"broken_rows = \"drop\"\n", "c.toml:7: audience[0].broken_rows: it takes one of: ignore withhold"},
		"parts":                   {"parts = \"some\"\n", "c.toml:7: audience[0].parts: it takes one of: all any"},
		"parts of changes":        {"[[changes]]\nsource = \"a/\"\nparts = \"any\"\n", "c.toml:9: changes.parts: there is no such key"},
	} {
		_, err := load(t, minimal+test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v\nwant %s", name, err, test.want)
		}
	}
}

func TestAbsence(t *testing.T) {
	c, err := load(t, minimal+"broken_rows = \"ignore\"\nparts = \"any\"\n[[audience]]\nname = \"B\"\nsource = \"b\"\nbroken_rows = \"withhold\"\nparts = \"all\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := c.Sync.Exports[0], c.Sync.Exports[1]; !a.IgnoreBroken || !a.AnyParts || b.IgnoreBroken || b.AnyParts {
		t.Errorf("%+v", c.Sync.Exports)
	}
}

func TestGleap(t *testing.T) {
	for lines, want := range map[string]string{
		"":                      gleap.EU + " boolean",
		"region = \"eu\"":       gleap.EU + " boolean",
		"region = \"us\"":       gleap.US + " boolean",
		"boolean_as = \"text\"": gleap.EU + " text",
		"region = \"us\"\nbase_url = \"https://proxy\"\nboolean_as = \"number\"": "https://proxy number",
		"region = \"us\"\nboolean_as = \"boolean\"":                              gleap.US + " boolean",
		"region = \"asia\"":    "c.toml:3: gleap.region: it takes one of: eu us",
		"boolean_as = \"yes\"": "c.toml:3: gleap.boolean_as: it takes one of: boolean number text",
	} {
		c, err := load(t, strings.Replace(minimal, "[gleap]", "[gleap]\n"+lines, 1))
		if strings.HasPrefix(want, "c.toml") {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v", lines, err)
			}
		} else if got := c.Gleap.BaseURL + " " + c.Gleap.BooleanAs.String(); err != nil || got != want || c.Sync.BooleanAs != c.Gleap.BooleanAs {
			t.Errorf("%s: %s, %v", lines, got, err)
		}
	}
}

// TestReserved: keys that earlier versions took are no errors yet, but known with all that
// an error has.
func TestReserved(t *testing.T) {
	c, err := load(t, minimal+"[[trait]]\nname = \"Tags\"\nsource = \"a\"\n"+tableOf+"traits = [\"a*\", \"first_name\"]\nkeys = { ab = \"Updated_At\" }\n")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"tags":       `c.toml:7: trait[0]: trait "Tags": "tags" is a field that Gleap contacts already have: choose another one with key = "…"`,
		"first_name": `c.toml:12: table[0].traits[1]: trait "first_name": "first_name" is a field that Gleap contacts already have, as firstName: choose another one with keys = { "first_name" = "…" }`,
		"Updated_At": `c.toml:13: table[0].keys.ab: "ab": "Updated_At" is a field that Gleap contacts already have, as updatedAt: choose another one`,
	} {
		if got := c.Reserved[key]; got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("%s: got %v\nwant %s", key, got, want)
		}
	}
	if len(c.Reserved) != 3 || !slices.Contains(Keys(c.Path), "tags") {
		t.Errorf("%v, %v", c.Reserved, Keys(c.Path))
	}
}

// TestMarks: editors put a mark before the configuration and the token, or save them as
// UTF-16.
func TestMarks(t *testing.T) {
	if _, err := load(t, "\ufeff"+strings.ReplaceAll(minimal, "\n", "\r\n")); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{"a mark": "\xff\xfe\xff\xfep\x00", "no mark": "p\x00r\x00", "big end first": "\xfe\xff\x00p"} {
		if _, err := load(t, text); err == nil || !strings.HasSuffix(err.Error(), "c.toml: the text is UTF-16: save it as UTF-8") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExampleHasEveryKey: what is not in the example nobody finds.
func TestExampleHasEveryKey(t *testing.T) {
	path := filepath.Join("..", "..", "config.example.toml")
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
	example, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(t reflect.Type) []string
	walk = func(t reflect.Type) (keys []string) {
		for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return nil
		}
		for field := range t.NumField() {
			f := t.Field(field)
			if key := f.Tag.Get("toml"); key != "" {
				keys = append(keys, key)
			}
			keys = append(keys, walk(f.Type)...)
		}
		return keys
	}
	for _, key := range walk(reflect.TypeFor[file]()) {
		if !regexp.MustCompile(`(?m)(\b` + key + ` = |^(# )?\[+` + key + `\])`).Match(example) {
			t.Errorf("config.example.toml has no %s", key)
		}
	}
}
