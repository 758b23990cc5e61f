package parquet

import (
	"math/rand/v2"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/rle"
	"pgregory.net/rapid"

	"gleapsync/internal/rounds"
)

// TestHybrid: numbers are what was written, whichever of them are read at a time, and whichever are
// passed over.
func TestHybrid(t *testing.T) {
	rounds.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(0, 31).Draw(t, "bits")
		r := rand.New(rand.NewPCG(5, uint64(rapid.Int().Draw(t, "seed"))))
		repeats := rapid.SampledFrom([]int{1, 3, 50}).Draw(t, "repeats")
		numbers := make([]int32, rapid.IntRange(0, 3000).Draw(t, "numbers"))
		for i := range numbers {
			if i == 0 || r.IntN(repeats) == 0 {
				numbers[i] = int32(r.Int64N(1 << width))
				continue
			}
			numbers[i] = numbers[i-1]
		}
		text, err := (&rle.Encoding{BitWidth: width}).EncodeInt32(nil, numbers)
		if err != nil {
			t.Fatal(err)
		}
		h := hybrid{data: text[: len(text) : len(text)+rapid.IntRange(0, cap(text)-len(text)).Draw(t, "padding")], width: width}
		for at := 0; at < len(numbers); {
			n := rapid.IntRange(1, 700).Draw(t, "next")
			n = min(n, len(numbers)-at)
			if rapid.IntRange(0, 3).Draw(t, "skipped") == 0 {
				if err := h.skip(n); err != nil {
					t.Fatal(err)
				}
				at += n
				continue
			}
			got := make([]int32, n)
			if err := h.read(got); err != nil {
				t.Fatal(err)
			}
			for i, number := range got {
				if want := numbers[at+i]; number != want {
					t.Fatalf("number %d is %d, want %d", at+i, number, want)
				}
			}
			at += n
		}
		if err := h.read(make([]int32, 8)); err == nil { // the last of eight may stand there
			t.Fatal("there are more numbers than were written")
		}
	})
}
