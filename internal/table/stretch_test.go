package table

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/internal/rounds"
	"gleapsync/internal/source"
)

func TestMain(m *testing.M) {
	rounds.Beside()
	m.Run()
}

// input is one of a text.
func input(text string) source.Input {
	return source.Input{Name: "x", Raw: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

// said appends what Next says until it says io.EOF, or ends the input.
func said(all []string, next func() ([][]byte, error), line func() int) ([]string, error) {
	for {
		cells, err := next()
		if _, broken := err.(*RowError); err != nil && !broken {
			return all, err
		}
		all = append(all, fmt.Sprintf("%d %q %v", line(), cells, err))
	}
}

// TestCut: stretches and what is behind them have the rows of the whole, wherever stretches end. A
// wrong guess can be taken back.
func TestCut(t *testing.T) {
	line := rapid.SampledFrom([]string{"a,1", "b,\"2\"", "c,\"3\n4,5\"", "d", "\"e,6", "f\",7", "\"g\"\"\",\"\"", "", "h,i\r"})
	rounds.Check(t, func(t *rapid.T) {
		text := "x,y\n" + strings.Join(rapid.SliceOfN(line, 1, 40).Draw(t, "lines"), "\n") + rapid.SampledFrom([]string{"", "\n"}).Draw(t, "end")
		open := func() *CSV {
			table, err := Open(context.Background(), input(text), Options{Format: FormatCSV})
			if err != nil {
				t.Fatal(err)
			}
			return table.(*CSV)
		}
		whole := open()
		want, wantErr := said(nil, whole.Next, whole.Line)

		table, size := open(), rapid.IntRange(1, 80).Draw(t, "size")
		var got []string
		free, cut := []*Stretch{{}, {}, {}}, []*Stretch(nil)
		for {
			for len(free) > 0 && table.Cut(free[0], size) {
				cut, free = append(cut, free[0]), free[1:]
			}
			if len(cut) == 0 {
				break
			}
			first := cut[0]
			first.Rewind()
			rows, err := said(nil, first.Next, first.Line)
			if err != io.EOF {
				table.TakeBack(cut)
				break
			}
			got, cut, free = append(got, rows...), cut[1:], append(free, first)
		}
		got, err := said(got, table.Next, table.Line)
		if !slices.Equal(got, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("%q in stretches: %q, %v\nelse %q, %v", text, got, err, want, wantErr)
		}
	})
}

// TestLines: lines end with a line break or with the text.
func TestLines(t *testing.T) {
	long := strings.Repeat("x", 100)
	lines := NewLines(bufio.NewReaderSize(strings.NewReader("a\n\n"+long+"\nb"), 16))
	for i, want := range []string{"a\n", "\n", long + "\n", "b"} {
		line, terminated, err := lines.Next()
		if string(line) != want || terminated != strings.HasSuffix(want, "\n") || lines.Line() != i+1 || err != nil {
			t.Errorf("%d: %q, %t, %d, %v", i, line, terminated, lines.Line(), err)
		}
	}
	if _, _, err := lines.Next(); err != io.EOF {
		t.Error(err)
	}
}
