package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"gleapsync/internal/human"
	"gleapsync/internal/page"
	"gleapsync/internal/wholefile"
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
	data := page.Read(v, page.Site{Version: a.version, Zone: a.zone}, nil)
	if data.Error != "" {
		return errors.New(data.Error)
	}
	var html bytes.Buffer
	if err := page.Report(&html, data); err != nil {
		return err
	}
	temporary, err := wholefile.Beside(c.Out, html.Bytes())
	if err == nil {
		defer os.Remove(temporary)
		err = wholefile.Replace(temporary, c.Out)
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return a.print(map[string]string{"report": c.Out}, func(w io.Writer) {
		fmt.Fprintf(w, "The report is in %s.\n", human.Printable(c.Out))
	})
}
