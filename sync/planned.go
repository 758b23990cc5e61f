package sync

import (
	"context"
	"io"
	"strconv"

	"gleapsync/internal/attr"
	"gleapsync/internal/inputs"
	"gleapsync/internal/job"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
)

// PlannedContact is what a sync would tell Gleap of one contact.
type PlannedContact struct {
	UserID     []byte
	Class      runs.Class
	Attributes []PlannedAttribute // in the order of the calls
	Fields     []string           // Gleap's names of the contact fields, whose values nobody is shown
}

// PlannedAttribute is the value that a sync would tell Gleap of an attribute.
type PlannedAttribute struct {
	Key    string
	Old    attr.Value // that Gleap acknowledged, None if it was never told
	New    attr.Value
	Source string // of the export that feeds the attribute, "" if none does
	Line   int    // of the row that says the value, 0 if none does or nobody knows
}

// Changes calls yield with what Sync would send, contact by contact in the order of the calls,
// and changes nothing. It can run beside a sync. What it yields is valid until yield returns; an
// error from yield ends it.
func (r *Runner) Changes(ctx context.Context, request inputs.Request, yield func(*PlannedContact) error) (runs.Report, error) {
	return r.show(ctx, request, func(p *plan, _ *runs.Report) error { return showEntries(ctx, p.file.Read(p.turns), p.keys(), yield) })
}

// showEntries calls yield with what entries say.
func showEntries(ctx context.Context, entries *planfile.Reader, keys []job.Key, yield func(*PlannedContact) error) error {
	return eachEntry(ctx, entries, func(e *planfile.Entry, c *PlannedContact) error {
		c.describe(keys, e)
		return yield(c)
	})
}

// show makes a plan that says where its values come from, and lets somebody look at it.
func (r *Runner) show(ctx context.Context, request inputs.Request, look func(*plan, *runs.Report) error) (runs.Report, error) {
	request.Traces = true
	report, p, err := r.prepare(ctx, runs.NewID(""), "plan", request)
	defer p.close()
	if err == nil {
		report.Finished = r.now()
		err = look(p, &report)
	}
	if err != nil {
		return runs.Report{}, err
	}
	return report, nil
}

// eachEntry calls do with each entry, and with a contact to be used for it.
func eachEntry(ctx context.Context, entries *planfile.Reader, do func(*planfile.Entry, *PlannedContact) error) error {
	var e planfile.Entry
	var c PlannedContact
	for n := 0; ; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch err := entries.NextInto(&e); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if err := do(&e, &c); err != nil {
			return err
		}
	}
}

// describe has c say what an entry of a plan says.
func (c *PlannedContact) describe(keys []job.Key, e *planfile.Entry) {
	c.UserID, c.Class, c.Attributes, c.Fields = e.UserID, e.Class, c.Attributes[:0], c.Fields[:0]
	for i, told := range e.Attributes {
		of := &keys[told.ID]
		c.Attributes = append(c.Attributes, PlannedAttribute{of.Key, e.Origins[i].Old, told.Value, of.Source, e.Origins[i].Line})
	}
	for _, f := range e.Fields {
		c.Fields = append(c.Fields, f.Field.String())
	}
}

// AppendJSON appends the contact as one JSON object: a plan may have millions of them.
func (c *PlannedContact) AppendJSON(dst []byte) []byte {
	dst = attr.AppendJSONString(append(dst, `{"user_id":`...), c.UserID)
	dst = append(append(dst, `,"class":"`...), c.Class.String()...)
	dst = append(dst, `","attributes":[`...)
	for i, a := range c.Attributes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = a.appendJSON(dst)
	}
	dst = append(dst, `],"fields":[`...)
	for i, name := range c.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = attr.AppendJSONString(dst, []byte(name))
	}
	return append(dst, "]}"...)
}

func (a *PlannedAttribute) appendJSON(dst []byte) []byte {
	dst = attr.AppendJSONString(append(dst, `{"key":`...), []byte(a.Key))
	if a.Old.Kind() != attr.None {
		dst = a.Old.AppendJSON(append(dst, `,"old":`...))
	}
	dst = a.New.AppendJSON(append(dst, `,"new":`...))
	dst = attr.AppendJSONString(append(dst, `,"source":`...), []byte(a.Source))
	dst = strconv.AppendInt(append(dst, `,"line":`...), int64(a.Line), 10)
	return append(dst, '}')
}
