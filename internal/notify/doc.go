// Package notify tells a webhook what changed from one sync to the next, and a
// dead-man's switch that syncs go on.
//
// A finished sync makes one message at most, and none if there is no news. News are: it
// failed, was interrupted or has exports held or exits withheld, and the one before ended
// otherwise; all is well again; exports that are held and were not, or were and are not;
// audiences whose size changed by more than a limit; more changes come with every sync
// than fit, and that was not so before. Whether a sync was complete or left something for
// the next run is no news.
//
// The message is a POST of one JSON object:
//
//	project           string
//	run               string, the run's id; empty if it could not begin
//	outcome           complete, partial, held, failed or interrupted
//	previous_outcome  that of the sync before, empty if there was none
//	recovered         bool: all is well again, after it was not
//	error             string, empty without one
//	held              [{key, name, kind, reason, command, withheld}]: held now and not
//	                  before; command resolves it or looks further; withheld counts
//	                  exits that wait while the rest of the export is applied
//	released          [key]: held before and not now
//	size_changes      [{key, name, before, after}]: members, of audiences
//	convergence       string: that more changes come with every sync than fit, and what costs
//	                  most; missing if that is no news
//	text              all of it in lines for people
//
// In Slack's form it is {"text"}, with the characters escaped that Slack has a meaning for.
// No message has a user id, a token or a value.
//
// The switch is told as healthchecks.io has it: GET of its address and "/start" when a
// sync begins, the address itself when all is well, and the address and "/fail" when the
// sync failed or an export is held. Of an interrupted sync it hears nothing. The first ping
// is on its way while the sync works; a switch that does not answer makes a sync end 5 s
// later at most.
//
// Whether that arrives never decides about a sync: a failure is a warning in the log. Both
// addresses are secrets and are in no log and no error.
package notify
