package engage

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gleapsync/internal/attr"
)

// BenchmarkRead reads whole exports of the forms that Segment has.
func BenchmarkRead(b *testing.B) {
	const rows = 100_000
	wide := make([]Attribute, 20)
	header := "user_id"
	for i := range wide {
		wide[i] = Attribute{Kind: Audience, Key: fmt.Sprintf("c%02d", i), Column: fmt.Sprintf("c%02d", i)}
		if i >= 12 {
			wide[i].Kind, wide[i].Type = Trait, Auto
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
				result, err := source.Read(context.Background(), func([]byte, []attr.Value) error { n++; return nil })
				if err != nil || n != rows || result.Invalid > 0 {
					b.Fatal(n, result, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
