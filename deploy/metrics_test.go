package deploy

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// metrics are the program's own, with their labels, as docs/operating.md has them; the
// program's tests compare that page with the program.
var metrics = documented()

func documented() map[string]string {
	page, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		panic(err)
	}
	all := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(gleapsync_\\w+)(?:{(.*?)})?` ").FindAllStringSubmatch(string(page), -1) {
		all[m[1]] = strings.ReplaceAll(m[2], ",", " ")
	}
	return all
}

// labelsOfScrape are those that Prometheus adds, and project, which a Pushgateway adds and a
// process that serves several.
var labelsOfScrape = []string{model.MetricNameLabel, "job", "project"}

var promQL = parser.NewParser(parser.Options{})

// checkExpr checks that an expression parses, and asks for metrics and labels that there
// are. It returns the labels that its result may have besides those of the scrape.
func checkExpr(t *testing.T, where, expr string) []string {
	t.Helper()
	parsed, err := promQL.ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return nil
	}
	var all []string
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		labels, known := metrics[selector.Name]
		if !known {
			t.Errorf("%s: there is no metric %s", where, selector.Name)
		}
		all = append(all, strings.Fields(labels)...)
		for _, m := range selector.LabelMatchers {
			if !slices.Contains(append(strings.Fields(labels), labelsOfScrape...), m.Name) {
				t.Errorf("%s: %s has no label %s", where, selector.Name, m.Name)
			}
		}
		return nil
	})
	if all == nil {
		all = []string{}
	}
	return all
}

var (
	labelPattern   = regexp.MustCompile(`\$labels\.(\w+)`)
	commandPattern = regexp.MustCompile(`gleapsync ((?:inspect )?[a-z]+)`)
)

func TestRules(t *testing.T) {
	groups, errs := rulefmt.ParseFile("prometheus/rules.yaml", false, model.LegacyValidation, promQL, slog.New(slog.NewTextHandler(io.Discard, nil)))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		return
	}
	commands := map[string]bool{}
	for _, rule := range groups.Groups[0].Rules {
		labels := checkExpr(t, rule.Alert, rule.Expr)
		text := rule.Annotations["summary"] + rule.Annotations["description"]
		for _, m := range labelPattern.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(labels, m[1]) {
				t.Errorf("%s shows the label %s, which it does not have", rule.Alert, m[1])
			}
		}
		if severity := rule.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s: severity %q", rule.Alert, severity)
		}
		if rule.Annotations["summary"] == "" {
			t.Errorf("%s has no summary", rule.Alert)
		}
		_, next, _ := strings.Cut(rule.Annotations["description"], "Next: ")
		found := commandPattern.FindAllStringSubmatch(next, -1)
		if found == nil {
			t.Errorf("%s does not name the command to run next", rule.Alert)
		}
		for _, m := range found {
			commands[m[1]] = true
		}
	}
	for _, command := range slices.Sorted(maps.Keys(commands)) {
		if out, err := exec.Command(program, append(strings.Fields(command), "--help")...).CombinedOutput(); err != nil {
			t.Errorf("the rules name gleapsync %s: %v\n%s", command, err, out)
		}
	}
}

func TestRulesByPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not on the PATH: the rules were parsed, but prometheus/rules_test.yaml was not run")
	}
	if out, err := exec.Command(promtool, "test", "rules", "prometheus/rules_test.yaml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// Each alert fires in at least one of its tests.
	text, err := os.ReadFile("prometheus/rules_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !strings.Contains(string(text), `alertname="`+m[1]+`",alertstate="firing"`) {
			t.Errorf("no test lets %s fire", m[1])
		}
	}
}

func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	type datasource struct{ Type, UID string }
	var board struct {
		Title      string
		Templating struct{ List []struct{ Name, Type string } }
		Panels     []struct {
			ID                 int
			Title, Description string
			Datasource         datasource
			Targets            []struct {
				Datasource         datasource
				Expr, LegendFormat string
			}
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	if n := len(board.Panels); n < 12 || n > 20 {
		t.Errorf("%d panels", n)
	}
	if v := board.Templating.List[0]; v.Name != "datasource" || v.Type != "datasource" {
		t.Errorf("the first variable is %+v, not the data source", v)
	}
	variable := datasource{Type: "prometheus", UID: "${datasource}"}
	ids := map[int]bool{}
	for _, panel := range board.Panels {
		if ids[panel.ID] || panel.Description == "" || panel.Datasource != variable || len(panel.Targets) == 0 {
			t.Errorf("%s: its number is taken, or description, data source or targets are missing", panel.Title)
		}
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			if target.Datasource != variable {
				t.Errorf("%s: data source %+v", panel.Title, target.Datasource)
			}
			labels := checkExpr(t, panel.Title, target.Expr)
			for _, m := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.Contains(labels, m[1]) {
					t.Errorf("%s: the legend shows the label %s, which it does not have", panel.Title, m[1])
				}
			}
		}
	}
}

// TestText: what the program's tests say that it writes is what Prometheus reads, and as its
// linter wants it.
func TestText(t *testing.T) {
	text, err := os.ReadFile("../internal/metrics/testdata/metrics.prom")
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil || len(families) != len(metrics) {
		t.Errorf("%d metrics, the documentation has %d; %v", len(families), len(metrics), err)
	}
}
