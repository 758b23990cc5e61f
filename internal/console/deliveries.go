package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gleapsync/internal/deliveries"
	"gleapsync/internal/human"
)

// Delivery writes a line for a call that Gleap acknowledged. On a terminal it says as much as the
// line has room for, and how much more there is.
func Delivery(w Out, d deliveries.Delivery) error {
	var what []string
	for _, key := range slices.Sorted(maps.Keys(d.Set)) {
		is, was := string(d.Set[key]), string(d.Was[key])
		switch was {
		case "":
			what = append(what, fmt.Sprintf("%s -> %s", key, is))
		case is:
			what = append(what, fmt.Sprintf("%s %s again", key, is))
		default:
			what = append(what, fmt.Sprintf("%s %s -> %s", key, was, is))
		}
	}
	if len(d.Fields) > 0 {
		what = append(what, strings.Join(d.Fields, ", ")+" sent")
	}
	line := fmt.Sprintf("%s  %-6s  %s  ", w.time(d.At), d.Class, human.Printable(d.UserID))
	const more = len(", and 100 more")
	if w.Width > 0 && width(line+strings.Join(what, ", ")) > w.Width {
		room, n := w.Width-width(line)-more, 0
		for n < len(what) && (n == 0 || room >= width(what[n])) {
			room -= width(what[n]) + len(", ")
			n++
		}
		if left := len(what) - n; left > 0 {
			what = append(what[:n], fmt.Sprintf("and %d more", left))
		}
	}
	_, err := fmt.Fprintf(w, "%s%s\n", line, human.Printable(strings.Join(what, ", ")))
	return err
}
