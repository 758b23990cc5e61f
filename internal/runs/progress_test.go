package runs

import "testing"

// TestMeterWithoutPhase: who reads an export by itself begins no phase.
func TestMeterWithoutPhase(t *testing.T) {
	var got Progress
	m := NewMeter(func(p Progress) { got = p })
	m.Add(3)
	if got != (Progress{Done: 3}) {
		t.Errorf("%+v", got)
	}
	NewMeter(nil).Add(1)
}
