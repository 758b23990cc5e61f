package table

import (
	"bufio"
	"errors"
	"io"

	"gleapsync/internal/parquet"
	"gleapsync/internal/source"
)

// Parquet is a Parquet file as a table.
type Parquet struct {
	*parquet.File
	text *source.Text
}

// openParquet opens text. The format needs random access.
func openParquet(text *source.Text, tempDir string) (*Parquet, error) {
	if !isParquet(text.Reader) {
		if _, err := text.Peek(1); err != nil && err != io.EOF {
			return nil, err
		}
		return nil, errors.New("the file is no Parquet")
	}
	r, size, err := text.At(tempDir)
	if err != nil {
		return nil, err
	}
	file, err := parquet.Open(r, size)
	if err != nil {
		return nil, err
	}
	return &Parquet{File: file, text: text}, nil
}

func isParquet(r *bufio.Reader) bool {
	start, _ := r.Peek(len(parquet.Magic))
	return string(start) == parquet.Magic
}

// Close implements [Table].
func (t *Parquet) Close() error {
	t.File.Close()
	return t.text.Close()
}
