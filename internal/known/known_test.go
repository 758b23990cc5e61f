package known

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/internal/runs"
)

func options(t *testing.T, lists ...List) Options {
	for i := range lists {
		lists[i].Dir = t.TempDir()
	}
	limit, err := guard.ParseLimit("1%")
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Lists: lists, Budget: 1 << 20, Memory: &extsort.Memory{Room: 1 << 20}, Temp: extsort.TempIn(t.TempDir()),
		MaxInvalid: limit, At: time.Now(),
	}
}

func (o Options) write(t *testing.T, list int, text string) {
	if err := os.WriteFile(filepath.Join(o.Lists[list].Dir, o.Lists[list].Source), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, o Options) *Lists {
	lists, err := Read(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lists.Close)
	return lists
}

// TestHeld: a list that cannot be believed is held with its reason, and nothing that it said
// counts. Others go on.
func TestHeld(t *testing.T) {
	bad, good := List{Export: engage.Export{Source: "bad.csv", UserID: "id"}}, List{Export: engage.Export{Source: "good.csv"}}
	for _, test := range []struct{ name, text, reason string }{
		{"missing", "", "does not exist"},
		{"empty", " ", "the file is empty"},
		{"nobody", "id,x\n", "the list has no user id"},
		{"no id in any row", "id,x\n,1\nnull,2\n", "the list has no user id"},
		{"cut off", "id,x\nu1,1\nu2", "bad.csv"},
		{"another column", "uid,x\nu1,1\n", `no column "id"`},
		{"broken rows", "id,x\nu1,1\nu3,1,1\nu4,1,1\n", "2 of 3 rows are invalid"},
		{"too old", "id,x\nu1,1\n", "max_age"},
	} {
		o := options(t, bad, good)
		if test.name == "too old" {
			o.Lists[0].MaxAge = time.Nanosecond
			o.At = o.At.Add(time.Hour)
		}
		o.write(t, 1, "user_id,x\nu2,1\n")
		if test.text != "" {
			o.write(t, 0, strings.TrimSpace(test.text)+strings.Repeat("\n", strings.Count(test.text, "\n")-strings.Count(strings.TrimSpace(test.text), "\n")))
		}
		lists := read(t, o)
		reports := lists.Reports()
		if !lists.Held() || reports[0].Status != runs.StatusHeld || !strings.Contains(reports[0].Reason, test.reason) || reports[1].Status != runs.StatusApplied {
			t.Errorf("%s: %+v", test.name, reports)
		}
		cursor := lists.Cursor(extsort.Span{}, 1<<10)
		for _, id := range []string{"u1", "u2", "u3"} {
			if has, err := cursor.Has([]byte(id)); err != nil || has != (id == "u2") {
				t.Errorf("%s: %s: %v, %v", test.name, id, has, err)
			}
		}
		for id, want := range map[string]string{"u1": ListHeld, "u2": "", "u9": ListHeld} {
			if why, err := Ask(t.Context(), o, id); err != nil || why != want {
				t.Errorf("%s: %s: %q, %v", test.name, id, why, err)
			}
		}
	}
}

// TestVersion: it depends on the ids alone, and without lists everybody is settled who was not
// left out.
func TestVersion(t *testing.T) {
	o := options(t, List{Export: engage.Export{Source: "a.csv"}})
	version := func(text string) string {
		o.write(t, 0, text)
		return read(t, o).Version()
	}
	first := version("user_id,x\nu1,1\nu2,2\n")
	if same := version("x,user_id\n7,u2\n8,u1\n"); same != first {
		t.Error("another order is another version")
	}
	if other := version("user_id,x\nu1,1\nu3,2\n"); other == first {
		t.Error("other ids are the same version")
	}
	none := read(t, Options{})
	if none != nil || none.Held() || none.Version() != "" || !none.IsSettled("") || none.IsSettled(first) || len(none.Reports()) > 0 {
		t.Errorf("without lists: %+v", none)
	}
	if why, err := Ask(t.Context(), Options{}, "u1"); why != "" || err != nil {
		t.Errorf("%q, %v", why, err)
	}
}
