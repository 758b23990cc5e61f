package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gleapsync/internal/deliveries"
	"gleapsync/internal/human"
)

// Delivery writes a line for a call that Gleap acknowledged.
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
	_, err := fmt.Fprintf(w, "%s  %-6s  %s  %s\n", w.time(d.At), d.Class, human.Printable(d.UserID), human.Printable(strings.Join(what, ", ")))
	return err
}
