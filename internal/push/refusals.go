package push

import (
	"fmt"

	"gleapsync/gleap"
	"gleapsync/internal/planfile"
	"gleapsync/state"
)

// sameRefusals is how many equal refusals at the start of a run end it.
const sameRefusals = 20

// beginning judges what Gleap says at the start of a run. As long as it refuses all with the
// same status, it may be the project or the configuration that is wrong.
type beginning struct {
	proven  bool // it is not: another answer came
	refused int
	status  int // of the first refusal
}

// refuse takes a refusal and reports whether it is one too many.
func (b *beginning) refuse(status int) (stop bool) {
	if b.refused == 0 {
		b.status = status
	}
	b.refused++
	b.proven = b.proven || status != b.status
	return !b.proven && b.refused >= sameRefusals
}

// refusal is a call that Gleap refused for good.
type refusal struct {
	state.Parked
	left planfile.Entry // what the contact was not told for that
}

// refusals holds the first refusals of a run back: they are not parked until another answer
// proves that it is the contacts that Gleap refuses.
type refusals struct {
	beginning
	first []*refusal
}

// add takes a refusal, and returns those that are to be parked now. The error ends the run
// after nothing but equal refusals. These contacts are parked so that the next run tries them
// again but does not stop for them: if it is they that are wrong, the others must not wait for
// ever.
func (r *refusals) add(refused *refusal) (park []*refusal, err error) {
	r.first = append(r.first, refused)
	if r.refuse(refused.Status) {
		reason := r.first[0].Reason
		for _, f := range r.first {
			f.Wanted = 0
		}
		return r.prove(), &gleap.StopError{Reason: fmt.Sprintf(
			"%s: so it was for each of the first %d contacts, so the others were not tried: look at gleap.base_url and at what the exports send", reason, sameRefusals)}
	}
	if !r.proven {
		return nil, nil
	}
	return r.prove(), nil
}

// prove notes that it is the contacts that Gleap refuses, and returns those that were held
// back.
func (r *refusals) prove() (park []*refusal) {
	r.proven = true
	park, r.first = r.first, nil
	return park
}
