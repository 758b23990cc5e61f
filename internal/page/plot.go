package page

import (
	"fmt"
	"html/template"
	"strings"

	"gleapsync/internal/human"
)

// plot draws sizes as a line that begins at 0, so that a collapse looks like one. A run
// that held the export is a bar, since its size was not believed.
func plot(sizes []Size) template.HTML {
	const width, height, edge = 120.0, 28.0, 3.0
	least, most, last, held := -1, 0, 0, 0
	for _, s := range sizes {
		if s.Held {
			held++
			continue
		}
		if least < 0 || s.Members < least {
			least = s.Members
		}
		most, last = max(most, s.Members), s.Members
	}
	label := fmt.Sprintf("%d runs", len(sizes))
	if least >= 0 {
		label += fmt.Sprintf(", %s to %s members, last %s", human.Grouped(least), human.Grouped(most), human.Grouped(last))
	}
	if held > 0 {
		label += fmt.Sprintf(", held %d times", held)
	}
	step := (width - 2*edge) / float64(max(1, len(sizes)-1))
	var svg, points strings.Builder
	var x, y float64
	for i, s := range sizes {
		at := edge + float64(i)*step
		if s.Held {
			fmt.Fprintf(&svg, `<line class="held" x1="%.1f" x2="%.1f" y1="0" y2="%g"/>`, at, at, height)
			continue
		}
		x, y = at, height-edge-(height-2*edge)*float64(s.Members)/float64(max(1, most))
		fmt.Fprintf(&points, "%.1f,%.1f ", x, y)
	}
	if points.Len() > 0 {
		fmt.Fprintf(&svg, `<polyline points="%s"/><circle cx="%.1f" cy="%.1f" r="2.5"/>`, strings.TrimSpace(points.String()), x, y)
	}
	return template.HTML(fmt.Sprintf(`<svg class="plot" viewBox="0 0 %g %g" role="img" aria-label="%s"><title>%s</title>%s</svg>`,
		width, height, label, label, svg.String()))
}
