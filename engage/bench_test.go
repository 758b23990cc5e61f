package engage

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleapsync/internal/attr"
	"gleapsync/internal/values"
)

// BenchmarkRead reads whole exports of the forms that Segment has.
func BenchmarkRead(b *testing.B) {
	const rows = 100_000
	wide := make([]Attribute, 20)
	header := "user_id"
	for i := range wide {
		wide[i] = Attribute{Kind: Audience, Key: fmt.Sprintf("c%02d", i), Column: fmt.Sprintf("c%02d", i)}
		if i >= 12 {
			wide[i].Kind, wide[i].Type = Trait, values.Auto
		}
		header += "," + wide[i].Key
	}
	for _, form := range []struct {
		name, header string
		attributes   []Attribute
		row          func(i int) string
	}{
		{"formatted", "key,user_id,email", []Attribute{audience}, func(i int) string {
			return fmt.Sprintf("use_%010x,u%016x,%08x.a@example.com", i*7, i*7919, i)
		}},
		{"unformatted", "key,external_ids", []Attribute{audience}, func(i int) string {
			return fmt.Sprintf(`use_%010x,"{""user_id"":[""u%016x""],""email"":[""%08x.a@example.com""]}"`, i*7, i*7919, i)
		}},
		{"table", header, wide, func(i int) string {
			return fmt.Sprintf("u%016x,true,false,false,true,false,false,false,false,true,false,false,false,%d,%d,%d,17,%d.5,%d.25,amber,green", i*7919, i, i%100, i%7, i, i%1000)
		}},
	} {
		b.Run(form.name, func(b *testing.B) {
			var text bytes.Buffer
			fmt.Fprintln(&text, form.header)
			for i := range rows {
				fmt.Fprintln(&text, form.row(i))
			}
			path := filepath.Join(b.TempDir(), "export.csv")
			if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
				b.Fatal(err)
			}
			source, err := Export{Source: path, Attributes: form.attributes}.Open(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				result, err := source.Read(context.Background(), form.attributes, func([]byte, []attr.Value) error { n++; return nil })
				if err != nil || n != rows || result.Invalid > 0 {
					b.Fatal(n, result, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}

// BenchmarkReadChanges reads identify events as Engage writes them, of about 450 bytes.
func BenchmarkReadChanges(b *testing.B) {
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, `{"anonymousId":null,"channel":"server","context":{"integration":{"name":"personas"},"library":{"name":"unknown","version":"unknown"},"personas":{"computation_class":"audience","computation_id":"aud_2aXyZ%d","computation_key":"audience_%d","namespace":"spa_1","space_id":"spa_1"}},"integrations":{"All":false},"messageId":"personas_2aXyZ%08d","receivedAt":"2026-11-24T08:15:00.123Z","timestamp":"2026-11-24T08:15:%02d.%03dZ","traits":{"audience_%d":%t},"type":"identify","userId":"user-%d"}`+"\n",
			i%20, i%20, i, i%60, i%1000, i%20, i%3 > 0, i)
	}
	e := Export{Source: "e", Dir: b.TempDir(), Discover: true, Changes: true, Pick: PickAll}
	if err := os.WriteFile(filepath.Join(e.Dir, "e"), []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		source, err := e.Open(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := source.ReadChanges(context.Background(), func(*Change) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
