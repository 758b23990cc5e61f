package metrics

import "strings"

// OfProject returns the metrics of sources with a project's name as one more label, for a
// process that has several projects.
func OfProject(name string, sources ...Source) Source { return ofProject{name, sources} }

type ofProject struct {
	name    string
	sources []Source
}

func (p ofProject) collect(to samples) {
	own := samples{}
	for _, from := range p.sources {
		from.collect(own)
	}
	label := `{project="` + escaper.Replace(strings.ToValidUTF8(p.name, "\ufffd")) + `"`
	for m, all := range own {
		if to[m] == nil {
			to[m] = map[string]sample{}
		}
		for series, value := range all {
			others := "}"
			if labels, ok := strings.CutPrefix(series, m.name+"{"); ok {
				others = "," + labels
			}
			to[m][m.name+label+others] = value
		}
	}
}
