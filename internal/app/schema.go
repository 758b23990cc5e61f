package app

import (
	"reflect"

	"gleapsync/engage"
	"gleapsync/internal/config"
	"gleapsync/internal/deliveries"
	"gleapsync/internal/notify"
	"gleapsync/internal/runs"
	"gleapsync/internal/schema"
)

type schemaCmd struct {
	Of string `arg:"" enum:"config,report,changes,deliveries,webhook" help:"Of what: ${enum}. report is what sync, plan and inspect runs print, changes a line of plan --changes, deliveries a line of inspect deliveries and of the log, webhook the message of [notify]."`
}

// plannedContact is what [sync.PlannedContact] is as JSON, which it writes by itself since
// there may be a million.
type plannedContact struct {
	UserID     string             `json:"user_id"`
	Class      runs.Class         `json:"class"`
	Attributes []plannedAttribute `json:"attributes"`
	Fields     []string           `json:"fields"`
}

type plannedAttribute struct {
	Key    string `json:"key"`
	Old    any    `json:"old,omitempty" as:"string number boolean null"` // missing if Gleap was never told
	New    any    `json:"new" as:"string number boolean null"`
	Source string `json:"source"`
	Line   int    `json:"line"`
}

// texts are those that the words of reports have.
var texts = map[reflect.Type][]string{
	reflect.TypeFor[runs.Mode]():    {string(runs.First), string(runs.Incremental), string(runs.Full), string(runs.Assuming)},
	reflect.TypeFor[runs.Outcome](): {string(runs.Complete), string(runs.Partial), string(runs.Held), string(runs.Failed), string(runs.Interrupted), string(runs.Planned), string(runs.Lost)},
	reflect.TypeFor[runs.Status]():  {string(runs.StatusApplied), string(runs.StatusUnchanged), string(runs.StatusHeld)},
	reflect.TypeFor[runs.Class]():   {runs.ClassExit.String(), runs.ClassEntry.String(), runs.ClassChange.String(), runs.ClassFirst.String()},
	reflect.TypeFor[engage.Kind]():  {string(engage.Audience), string(engage.Trait), string(runs.KindTrack), string(runs.KindKnown)},
}

// Run prints the schema.
func (c *schemaCmd) Run(a *App) error {
	output := schema.Maker{Tag: "json", Texts: texts}
	var text []byte
	var err error
	switch c.Of {
	case "config":
		text, err = config.Schema()
	case "report":
		text, err = output.Of(reflect.TypeFor[runs.Report](), "The report of a run of gleapsync")
	case "changes":
		text, err = output.Of(reflect.TypeFor[plannedContact](), "What gleapsync would tell Gleap of a contact")
	case "deliveries":
		text, err = output.Of(reflect.TypeFor[deliveries.Delivery](), "A call that Gleap acknowledged")
	case "webhook":
		text, err = output.Of(reflect.TypeFor[notify.Message](), "The message to the webhook of gleapsync")
	}
	if err != nil {
		return err
	}
	_, err = a.out.Write(text)
	return err
}
