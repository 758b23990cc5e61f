package sync

import (
	"bytes"
	"encoding/binary"
)

// prefetcher merges in a goroutine of its own, so that the comparing of contacts has a
// core for itself. The rows of one user id go over together:
//
//	uvarint length, user id
//	for each row: uvarint which stream it comes from + 1, uvarint length, payload
//	0
type prefetcher struct {
	full, free chan []byte // batches of contacts
	quit       chan struct{}
	failed     error // set before full is closed

	batch, rest []byte
}

const batchSize = 64 << 10

// prefetch starts merging. The caller stops it.
func prefetch(m *merger) *prefetcher {
	p := &prefetcher{full: make(chan []byte, 4), free: make(chan []byte, 8), quit: make(chan struct{})}
	go p.run(m)
	return p
}

func (p *prefetcher) run(m *merger) {
	defer close(p.full)
	var batch []byte
	userID, payload, ok := m.next()
	for ok {
		start := len(batch)
		batch = binary.AppendUvarint(batch, uint64(len(userID)))
		from := len(batch)
		batch = append(batch, userID...)
		to := len(batch)
		for ok && bytes.Equal(userID, batch[from:to]) {
			batch = binary.AppendUvarint(batch, uint64(m.source()+1))
			batch = binary.AppendUvarint(batch, uint64(len(payload)))
			batch = append(batch, payload...)
			userID, payload, ok = m.next()
		}
		batch = append(batch, 0)
		if m.err() != nil { // the contact may have more rows: what is missing must not look absent
			batch = batch[:start]
		}
		if len(batch) < batchSize && ok {
			continue
		}
		if !p.send(batch) {
			return
		}
		select {
		case batch = <-p.free:
			batch = batch[:0]
		default:
			batch = make([]byte, 0, batchSize+4<<10)
		}
	}
	p.failed = m.err()
}

func (p *prefetcher) send(batch []byte) bool {
	select {
	case p.full <- batch:
		return true
	case <-p.quit:
		return false
	}
}

// next goes to the next contact and returns its user id. All that was returned of the
// contact before is not valid any more.
func (p *prefetcher) next() (userID []byte, ok bool) {
	for len(p.rest) == 0 {
		if p.batch != nil {
			select {
			case p.free <- p.batch:
			default:
			}
		}
		if p.batch, ok = <-p.full; !ok {
			return nil, false
		}
		p.rest = p.batch
	}
	userID, p.rest = cut(p.rest)
	return userID, true
}

// row returns the contact's next row and which of the streams it comes from. All rows
// have to be asked for before the next contact.
func (p *prefetcher) row() (source int, payload []byte, ok bool) {
	order, n := binary.Uvarint(p.rest)
	p.rest = p.rest[n:]
	if order == 0 {
		return 0, nil, false
	}
	payload, p.rest = cut(p.rest)
	return int(order - 1), payload, true
}

// err returns the error that ended the merging, once next returned false.
func (p *prefetcher) err() error { return p.failed }

// stop ends the merging and waits for that.
func (p *prefetcher) stop() {
	close(p.quit)
	for range p.full {
	}
}
