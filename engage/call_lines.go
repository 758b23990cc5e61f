package engage

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/source"
	"gleapsync/internal/table"
	"gleapsync/internal/userid"
	"gleapsync/internal/values"
)

// eventReader reads files of what happened, and counts.
type eventReader struct {
	counts *Result
	file   string
	line   int
	latest time.Time // that a time stamp may have

	endsLines bool // a file that does not is cut off, see [Source.EndsLines]
}

// ahead is how far clocks may be ahead. A change of a later time would count as the newest
// until that time comes.
const ahead = 24 * time.Hour

// readFiles calls read with the text of each file and its first byte that is no blank, in
// the order of the files' times.
func (r *eventReader) readFiles(ctx context.Context, s *Source, read func(ctx context.Context, text *source.Text, first byte) error) error {
	r.latest = time.Now().Add(ahead)
	for _, in := range s.inputs.InOrder() {
		if err := r.readFile(ctx, in, read); err != nil {
			return source.Ended(ctx, err)
		}
	}
	return nil
}

func (r *eventReader) readFile(ctx context.Context, in source.Input, read func(context.Context, *source.Text, byte) error) (err error) {
	r.file, r.line = in.Name, 0
	text, err := table.OpenText(ctx, in)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := text.Close(); err == nil {
			err = closeErr
		}
	}()
	first, err := firstByte(text.Reader)
	if err != nil {
		return fmt.Errorf("%s: %w", r.file, err)
	}
	return read(ctx, text, first)
}

// firstByte returns the first byte that is no blank, and leaves it there.
func firstByte(r *bufio.Reader) (byte, error) {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		switch b {
		case ' ', '\t', '\r', '\n':
			continue
		}
		return b, r.UnreadByte()
	}
}

// next counts a row, and ends the reading if it is to end.
func (r *eventReader) next(ctx context.Context) error {
	if r.counts.Rows++; r.counts.Rows&1023 == 0 {
		return ctx.Err()
	}
	return nil
}

func (r *eventReader) invalid(column, reason string) {
	r.counts.Invalid++
	r.counts.remember(Problem{File: r.file, Line: r.line, Column: column, Reason: reason})
}

// check reads what all events have: the time in nanoseconds since 1970, and a hash of the
// message's id, 0 if there is none. It reports false if the event cannot be used, and has
// counted it.
func (r *eventReader) check(userID, at, message []byte) (nanoseconds int64, hash uint64, ok bool) {
	if userid.IsNone(userID) {
		r.counts.WithoutUserID++
		return 0, 0, false
	}
	if reason, known := userid.Check(userID); reason != "" {
		r.invalid("", reason)
		if !known {
			r.miss(reason)
		}
		return 0, 0, false
	}
	t, ok := attr.Time(string(at))
	if !ok || t.Year() < 1700 || t.Year() > 2200 { // no nanoseconds for others
		r.invalid("timestamp", "the time stamp is missing, or neither ISO 8601 nor seconds or milliseconds since 1970")
		return 0, 0, false
	}
	if t.After(r.latest) {
		r.invalid("timestamp", "the time stamp is more than a day ahead: look at the clock of what wrote it")
		return 0, 0, false
	}
	if !values.IsNull(message) {
		sum := sha256.Sum256(message)
		hash = max(1, binary.BigEndian.Uint64(sum[:]))
	}
	return t.UnixNano(), hash, true
}

// readEvents reads events as Segment and Engage write them, one a line.
func (r *eventReader) readEvents(ctx context.Context, text *source.Text, yield func(*event) error) error {
	lines, terminated := table.NewLines(text.Reader), true
	for {
		line, complete, err := lines.Next()
		if err == io.EOF {
			r.counts.ended(terminated)
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.file, err)
		}
		r.line = lines.Line()
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := r.next(ctx); err != nil {
			return err
		}
		terminated = complete
		switch e := (event{}); {
		case e.parse(line):
			if r.endsLines && !complete {
				return fmt.Errorf("%s:%d: %w", r.file, r.line, errCutOff)
			}
			if err := yield(&e); err != nil {
				return err
			}
		case !complete:
			return fmt.Errorf("%s: %w", r.file, table.ErrTruncated)
		default:
			r.invalid("", "the line is no JSON object")
			r.miss("the line is no JSON object")
		}
	}
}

// miss notes that nobody knows whom the present row is about.
func (r *eventReader) miss(reason string) {
	r.counts.miss(1, Problem{File: r.file, Line: r.line, Reason: reason})
}

// event is what is needed of an event, each a raw JSON value or nothing. Source: Segment's
// common fields, and context.personas of Engage's own calls.
type event struct {
	typ, userID, traits, timestamp, messageID json.RawMessage
	event, name, properties                   json.RawMessage // of a track, page or screen call
	class, key, id                            json.RawMessage // of the computation
}

// parse reads a line. It reports false if it is no JSON object. Of a name that comes twice
// the last one counts, as encoding/json has it.
func (e *event) parse(line []byte) bool {
	*e = event{}
	var context json.RawMessage
	if !jsonscan.Line(line, func(name []byte, value json.RawMessage) {
		switch string(name) {
		case "type":
			e.typ = value
		case "userId":
			e.userID = value
		case "traits":
			e.traits = value
		case "timestamp":
			e.timestamp = value
		case "messageId":
			e.messageID = value
		case "event":
			e.event = value
		case "name":
			e.name = value
		case "properties":
			e.properties = value
		case "context":
			context = value
		}
	}) {
		return false
	}
	var personas json.RawMessage
	jsonscan.Object(context, func(name []byte, value json.RawMessage) {
		if string(name) == "personas" {
			personas = value
		}
	})
	jsonscan.Object(personas, func(name []byte, value json.RawMessage) {
		switch string(name) {
		case "computation_class":
			e.class = value
		case "computation_key":
			e.key = value
		case "computation_id":
			e.id = value
		}
	})
	return true
}

// user returns the user id; of a list or an object all of it, so that it is found to be none.
func (e *event) user() []byte {
	if len(e.userID) > 0 && values.IsList(e.userID) {
		return e.userID
	}
	if len(e.text(e.userID)) == 0 {
		return nil
	}
	return userid.Of(cell.JSON, e.userID)
}

// text returns the text of a string or a number, nothing for all else.
func (e *event) text(raw json.RawMessage) []byte {
	if len(raw) == 0 || raw[0] != '"' && raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return nil
	}
	return jsonscan.Text(raw)
}
