package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gleapsync/internal/human"
	"gleapsync/internal/page"
)

type reportCmd struct {
	Out string `help:"The file to write." required:"" placeholder:"FILE"`
}

// Run writes the status page as a file that is complete in itself.
func (c *reportCmd) Run(a *App) error {
	v, err := a.view()
	if err != nil {
		return err
	}
	data := page.Read(v, a.version, nil)
	if data.Error != "" {
		return errors.New(data.Error)
	}
	var html bytes.Buffer
	if err := page.Report(&html, data); err != nil {
		return err
	}
	if err := writeFile(c.Out, html.Bytes()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return a.print(map[string]string{"report": c.Out}, func(w io.Writer) {
		fmt.Fprintf(w, "The report is in %s.\n", human.Printable(c.Out))
	})
}

// writeFile replaces a file as a whole, so that nobody reads a half of it.
func writeFile(path string, text []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(text)
	if err := errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
