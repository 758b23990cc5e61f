package extsort

// Stream is a sequence of rows in the order of their user ids. What Next returns is
// valid until it is called again; it reports false at the end, and after an error.
type Stream interface {
	Next() (userID, payload []byte, ok bool)
	Err() error
}

// memoryStream reads the rows that a sorter kept.
type memoryStream struct {
	blocks []block // after the present one
	bytes  []byte  // what is left of it
}

func (m *memoryStream) Next() (userID, payload []byte, ok bool) {
	for len(m.bytes) == 0 {
		if len(m.blocks) == 0 {
			return nil, nil, false
		}
		m.bytes, m.blocks = m.blocks[0].bytes, m.blocks[1:]
	}
	userID, m.bytes = cut(m.bytes)
	payload, m.bytes = cut(m.bytes)
	return userID, payload, true
}

func (m *memoryStream) Err() error { return nil }

// Chain is streams one after the other, each behind the one before.
type Chain struct{ Parts []Stream }

// Next implements [Stream].
func (c *Chain) Next() (userID, payload []byte, ok bool) {
	for len(c.Parts) > 0 {
		userID, payload, ok = c.Parts[0].Next()
		if ok || c.Parts[0].Err() != nil {
			break
		}
		c.Parts = c.Parts[1:]
	}
	return userID, payload, ok
}

// Err implements [Stream].
func (c *Chain) Err() error {
	if len(c.Parts) == 0 {
		return nil
	}
	return c.Parts[0].Err()
}
