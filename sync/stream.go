package sync

// stream is a sequence of rows in the order of their user ids. What next returns is
// valid until it is called again; it reports false at the end, and after an error.
type stream interface {
	next() (userID, payload []byte, ok bool)
	err() error
}

// memoryStream reads the rows that a sorter kept.
type memoryStream struct {
	blocks []block // after the present one
	bytes  []byte  // what is left of it
}

func (m *memoryStream) next() (userID, payload []byte, ok bool) {
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

func (m *memoryStream) err() error { return nil }

// chain is streams one after the other, each behind the one before.
type chain struct{ parts []stream }

func (c *chain) next() (userID, payload []byte, ok bool) {
	for len(c.parts) > 0 {
		userID, payload, ok = c.parts[0].next()
		if ok || c.parts[0].err() != nil {
			break
		}
		c.parts = c.parts[1:]
	}
	return userID, payload, ok
}

func (c *chain) err() error {
	if len(c.parts) == 0 {
		return nil
	}
	return c.parts[0].err()
}
