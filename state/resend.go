package state

import "slices"

// Resend has the next run tell Gleap all that is known of some contacts once more, as if no
// call had an answer: the values that the exports have by then, else those of the record. It
// returns which of them are not known. Hold [Store.Lock].
func Resend(s *Store, userIDs []string) (unknown []string, err error) {
	announced, unknown, err := resent(s, userIDs)
	if err == nil && len(announced) > 0 {
		_, err = s.Commit(Delivery{Announced: announced})
	}
	return unknown, err
}

// Resendable returns what [Resend] would return, and changes nothing.
func Resendable(s *Store, userIDs []string) (unknown []string, err error) {
	_, unknown, err = resent(s, userIDs)
	return unknown, err
}

// resent returns what is to be noted so that contacts are told all again.
func resent(s *Store, userIDs []string) (announced []Announced, unknown []string, err error) {
	o, err := s.Overview()
	if err != nil || !s.Exists() {
		return nil, userIDs, err
	}
	unanswered := map[string]Unanswered{}
	for _, u := range o.Unanswered {
		unanswered[string(u.UserID)] = u
	}
	ids := make([][]byte, len(userIDs))
	for i, id := range userIDs {
		ids[i] = []byte(id)
	}
	err = RecordsOf(s, ids, func(i int, known *Record) {
		if len(known.Attributes) == 0 {
			unknown = append(unknown, userIDs[i])
			return
		}
		a := Announced{Unanswered: Unanswered{UserID: ids[i]}}
		for _, k := range known.Attributes {
			// What Gleap may have besides is not forgotten for that.
			told := slices.ContainsFunc(unanswered[userIDs[i]].Attributes, func(c Change) bool { return c.ID == k.ID })
			if !told && !o.Attributes[k.ID].Gone() {
				a.Attributes = append(a.Attributes, Change{k.ID, k.Value.Clone()})
			}
		}
		announced = append(announced, a)
	})
	return announced, unknown, err
}
