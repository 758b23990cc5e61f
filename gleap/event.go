package gleap

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"gleapsync/internal/attr"
)

// MaxData is how many keys the data of an event may have; Gleap ignores further ones.
const MaxData = 10

// PageView is the name of the event that a page or screen call becomes, as in Segment's
// Gleap destination.
const PageView = "pageView"

// Event is one event of a Track Event call.
type Event struct {
	Name   []byte
	Date   time.Time
	UserID []byte
	Data   []Attribute // at most MaxData
}

// eventName replaces what Gleap does not have in the name of an event.
var eventName = strings.NewReplacer(".", "-", "$", "-")

// EventName returns the name that Gleap gives an event: . and $ become -. It compares
// names without regard to case.
func EventName(name string) string { return eventName.Replace(name) }

// AppendJSON appends the event as it stands in the body of a call.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"name":`...)
	dst = attr.AppendJSONString(dst, []byte(EventName(string(e.Name))))
	dst = append(dst, `,"date":"`...)
	dst = e.Date.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","userId":`...)
	dst = attr.AppendJSONString(dst, e.UserID)
	dst = append(dst, `,"data":{`...)
	for i, a := range e.Data {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = attr.AppendJSONString(dst, []byte(a.Key))
		dst = append(dst, ':')
		dst = a.Value.AppendJSON(dst)
	}
	return append(dst, '}', '}')
}

// Track sends events in one Track Event call, each as [Event.AppendJSON] wrote it, and
// returns nil once Gleap acknowledged them. See the package documentation for the errors: a
// [*RefusedError] is about all of them, whichever of them it is that Gleap will not take.
func (c *Client) Track(ctx context.Context, events [][]byte) error {
	size := 0
	for _, e := range events {
		size += len(e) + 1
	}
	body := append(make([]byte, 0, size+16), `{"events":[`...)
	for i, e := range events {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, e...)
	}
	err := c.call(ctx, http.MethodPost, c.trackURL, c.o.BooleanAs.rewrite(append(body, ']', '}')), c.o.GiveUp)
	var refused *RefusedError
	if errors.As(err, &refused) {
		refused.events = true
	}
	return err
}
