package runs

// Converges reports whether the changes that the last three of some runs left over got less,
// the latest first. What a run left that was stopped or that Gleap did not answer says
// nothing of that.
func Converges(all []Summary) bool {
	if len(all) < 3 {
		return true
	}
	var left [3]int
	for i, run := range all[:3] {
		for _, c := range run.Classes {
			if c.Class.IsDelta() {
				left[i] += c.Left
			}
		}
		if left[i] == 0 || run.Outcome != Partial {
			return true
		}
	}
	return left[0] < left[2]
}
