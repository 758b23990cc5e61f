package savedplan

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/job"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// sample returns a plan with two contacts, and what changes said of one.
func sample(t testing.TB) (*Plan, []planfile.Entry, []state.Absorbed) {
	made := time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC)
	p := &Plan{
		ID: "20261130T010203", Project: "acme", Made: made, State: &state.Mark{ID: "0011", Created: made, Commits: 7}, Epoch: 2, Resynced: 1,
		LastRun: "20261129T", Parked: []string{"u9"}, Gleap: "eu", BooleanAs: "text", Contacts: 2, Said: 1, Fields: true,
		Job: job.Job{
			Attributes: []job.Attribute{{
				ID: 1, Key: "vip", Kind: "audience", Name: "VIP", Type: "boolean", AsOf: made, Computation: &state.Computation{ID: "aud_1", Newest: 5},
				Before: state.Applied{Fingerprint: "ab", AsOf: made.Add(-time.Hour), At: made.Add(-time.Hour), Members: 4}, Left: 1, HasFields: true,
				Done: &state.Applied{Fingerprint: "cd", AsOf: made, Members: 3}, CutShort: &state.Applied{WithheldRuns: 2},
			}},
			Keys: []job.Key{{}, {Key: "vip", IsAudience: true, Source: "vip.csv"}, {Key: "tier"}}, Fields: make([]job.Field, job.FieldCount),
			Epoch: 3, Whole: true, TakesTurns: true, Before: state.Turns{Classes: map[string]state.Turn{"exit": {Last: "u1", Since: "r"}}, At: 3, Calls: 9},
			Files: []state.DoneFile{{Source: "s", Name: "n", Version: "v", At: made}}, Unpark: []string{"u8"}, Costliest: "none",
		},
		Report: runs.Report{Run: "20261130T010203", Command: "plan", Exports: []runs.ExportReport{{Key: "vip", Status: runs.StatusApplied}}, Classes: []runs.ClassReport{{Class: runs.ClassEntry}}},
	}
	said := state.Said{Attributes: []state.Newest{{ID: 1, At: 5, Value: attr.OfBool(true), Messages: []uint64{9}}}}
	return p, []planfile.Entry{
		{
			UserID: []byte("u1"), Class: runs.ClassExit, Attributes: []state.Change{{ID: 1, Value: attr.OfBool(false)}},
			Origins: []planfile.Origin{{Old: attr.OfBool(true), Line: 4}}, News: []planfile.News{{Index: 0, At: 77}},
		},
		{
			UserID: []byte("u1"), Class: runs.ClassChange, Attributes: []state.Change{{ID: 2, Value: attr.OfString([]byte("gold"))}},
			Origins: []planfile.Origin{{}}, Fields: []gleap.FieldText{{Field: gleap.Email, Text: []byte("a@x.io")}},
		},
	}, []state.Absorbed{{UserID: []byte("u1"), Said: said.Append(nil)}}
}

// rows has rows that were spooled.
func rows(t testing.TB, said []state.Absorbed) extsort.Stream {
	s := &extsort.Spool{Create: extsort.TempIn(t.TempDir())}
	for _, a := range said {
		if err := s.WriteRow(a.UserID, a.Said); err != nil {
			t.Fatal(err)
		}
	}
	return s.Rows(0, s.Position())
}

func fileOf(t testing.TB, entries []planfile.Entry) *planfile.File {
	f := &planfile.File{}
	part := f.Add(state.Turns{}, extsort.TempIn(t.TempDir()))
	for i := range entries {
		if err := part.Write(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func encoded(t testing.TB, p *Plan, entries []planfile.Entry, said []state.Absorbed) []byte {
	var b bytes.Buffer
	if err := encode(&b, p, fileOf(t, entries).Sorted(), rows(t, said)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodedSample(t testing.TB) []byte {
	p, entries, said := sample(t)
	return encoded(t, p, entries, said)
}

func read(b []byte) (*Plan, []planfile.Entry, []state.Absorbed, error) {
	var entries []planfile.Entry
	var said []state.Absorbed
	p, _, err := decode(bytes.NewReader(b), int64(len(b)), func(e *planfile.Entry) error {
		entries = append(entries, *e)
		*e = planfile.Entry{}
		return nil
	}, func(a state.Absorbed) error { said = append(said, a); return nil })
	return p, entries, said, err
}

func text(p *Plan, entries []planfile.Entry, said []state.Absorbed) string {
	head, _ := json.Marshal(p)
	all := string(head)
	for i := range entries {
		all += fmt.Sprintf("\n%s %d %x", entries[i].UserID, entries[i].Class, entries[i].Append(nil))
	}
	return all + fmt.Sprintf("\n%s", said)
}

// TestFile: a file says what was written, is for its owner alone, and is never replaced.
func TestFile(t *testing.T) {
	p, entries, said := sample(t)
	path := filepath.Join(t.TempDir(), "a.plan")
	if err := Write(path, p, fileOf(t, entries).Sorted(), rows(t, said)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var gotEntries []planfile.Entry
	var gotSaid []state.Absorbed
	if err := f.Each(func(e *planfile.Entry) error {
		gotEntries = append(gotEntries, *e)
		*e = planfile.Entry{}
		return nil
	}, func(a state.Absorbed) error { gotSaid = append(gotSaid, a); return nil }); err != nil {
		t.Fatal(err)
	}
	if got, want := text(&f.Plan, gotEntries, gotSaid), text(p, entries, said); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	stop := errors.New("stop")
	if err := f.Each(func(*planfile.Entry) error { return stop }, nil); !errors.Is(err, stop) {
		t.Error(err)
	}
	if err := Write(path, p, fileOf(t, entries).Sorted(), rows(t, said)); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Error(err)
	}
	p.Contacts++
	if err := Write(path+"2", p, fileOf(t, entries).Sorted(), rows(t, said)); err == nil {
		t.Error("a plan is written that lacks a contact")
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	other, _, _ := sample(t)
	other.Project = "zenith"
	if err := os.WriteFile(path, encoded(t, other, entries, said), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Each(nil, nil); err == nil {
		t.Error("a file that was changed since it was opened is taken")
	}
}

// TestDamage: whatever is cut off or changed in a file is an error that says which of both it is,
// and nothing of it counts.
func TestDamage(t *testing.T) {
	whole := encodedSample(t)
	for n := range whole {
		if _, _, _, err := read(whole[:n]); !errors.Is(err, errCutOff) {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
		damaged := bytes.Clone(whole)
		damaged[n] ^= 0x41
		if _, _, _, err := read(damaged); err == nil {
			t.Fatalf("byte %d is another one, and nobody minds", n)
		}
	}
	if _, _, _, err := read(append(bytes.Clone(whole), 0)); err == nil {
		t.Error("there is more behind the end")
	}
	if _, _, _, err := read([]byte("user_id\nu1\nu2\nu3\n")); !errors.Is(err, errForeign) {
		t.Error(err)
	}
	later := bytes.Clone(whole)
	later[len(magic)-1]++
	if _, _, _, err := read(later); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Error(err)
	}
}

// TestMisfits: a file that is whole, and names what is not in it, is damaged.
func TestMisfits(t *testing.T) {
	for name, change := range map[string]func(p *Plan, e []planfile.Entry){
		"nothing":                func(*Plan, []planfile.Entry) {},
		"an unknown attribute":   func(_ *Plan, e []planfile.Entry) { e[0].Attributes[0].ID = 3 },
		"one that is gone":       func(_ *Plan, e []planfile.Entry) { e[0].Attributes[0].ID = 0 },
		"an unknown field":       func(_ *Plan, e []planfile.Entry) { e[1].Fields[0].Field = gleap.LastPageView + 1 },
		"no origins":             func(_ *Plan, e []planfile.Entry) { e[1].Origins = nil },
		"an empty id":            func(_ *Plan, e []planfile.Entry) { e[0].UserID = nil },
		"no UTF-8":               func(_ *Plan, e []planfile.Entry) { e[0].UserID = []byte("\xff") },
		"an attribute of no key": func(p *Plan, _ []planfile.Entry) { p.Job.Attributes[0].ID = 0 },
		"one of another key":     func(p *Plan, _ []planfile.Entry) { p.Job.Attributes[0].Key = "tier" },
		"one beyond all":         func(p *Plan, _ []planfile.Entry) { p.Job.Attributes[0].ID = 1 << 31 },
		"a contact twice":        func(_ *Plan, e []planfile.Entry) { e[1].Class = runs.ClassExit },
		"one twice":              func(p *Plan, _ []planfile.Entry) { p.Job.Attributes = append(p.Job.Attributes, p.Job.Attributes[0]) },
		"too few fields":         func(p *Plan, _ []planfile.Entry) { p.Job.Fields = nil },
		"no name":                func(p *Plan, _ []planfile.Entry) { p.ID = "" },
	} {
		p, entries, said := sample(t)
		change(p, entries)
		if _, _, _, err := read(encoded(t, p, entries, said)); errors.Is(err, errDamaged) == (name == "nothing") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// seal makes a file of what stands between its two ends.
func seal(body []byte) []byte {
	b := append(append([]byte(magic), body...), end...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// FuzzFile: no bytes panic, also behind a checksum that is right; and what is taken says the same
// once it is written again.
func FuzzFile(f *testing.F) {
	whole := encodedSample(f)
	f.Add(whole[len(magic) : len(whole)-footer])
	f.Add([]byte{2, '{', '}'})
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _, _, _ = read(body)
		p, entries, said, err := read(seal(body))
		if err != nil {
			return
		}
		again := encoded(t, p, entries, said)
		p2, entries2, said2, err := read(again)
		if err != nil || text(p, entries, said) != text(p2, entries2, said2) {
			t.Fatalf("%q changes to %q, %v", body, again, err)
		}
	})
}
