package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow/memory"
	arrow "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"gleapsync/internal/parquet"
)

// readers decode all columns of a Parquet file on all processors, and do nothing with them. Each
// returns how many rows there are.
var readers = []struct {
	name string
	read func(path string) (rows int, err error)
}{
	{"gleapsync's reader", readOurs},
	{"arrow-go", readArrow},
}

// readerBatch is how many rows they decode at a time.
const readerBatch = 1 << 10

func readOurs(path string) (rows int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	table, err := parquet.Open(f, info.Size())
	if err != nil {
		return 0, err
	}
	defer table.Close()
	for i := range table.Columns() {
		table.Ask([]int{i})
	}
	for cells := new(parquet.Batch); ; rows += cells.Rows {
		if err := table.ReadBatch(cells, readerBatch); err == io.EOF {
			return rows, nil
		} else if err != nil {
			return 0, err
		}
	}
}

func readArrow(path string) (rows int, err error) {
	f, err := arrow.OpenParquetFile(path, false)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	table, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{Parallel: true, BatchSize: readerBatch}, memory.DefaultAllocator)
	if err != nil {
		return 0, err
	}
	batches, err := table.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		return 0, err
	}
	defer batches.Release()
	for batches.Next() {
		rows += int(batches.RecordBatch().NumRows())
	}
	if err := batches.Err(); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return rows, nil
}

// runReader is what the processes do that [bench.readParquet] starts.
func runReader(name, path string) error {
	for _, r := range readers {
		if r.name == name {
			rows, err := r.read(path)
			if err == nil && rows == 0 {
				err = errors.New("no rows were read")
			}
			return err
		}
	}
	return errors.New("there is no such reader")
}

// readParquet measures what decoding the second day's Parquet file takes, without all that is done
// with it.
func (b *bench) readParquet(w *workload, dir string) error {
	if !w.parquet {
		return nil
	}
	all := make([][]usage, len(readers))
	for range b.rounds {
		for i, r := range readers {
			u, err := measure(filepath.Join(dir, "output"), exec.Command(b.self, "reader", r.name, filepath.Join(dir, secondDay, "table.parquet")))
			if err != nil {
				return err
			}
			all[i] = append(all[i], u)
		}
	}
	b.addReaders(w, all)
	return nil
}
