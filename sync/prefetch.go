package sync

import "encoding/binary"

// prefetcher merges in a goroutine of its own, so that the comparing of contacts has a
// core for itself.
type prefetcher struct {
	full, free chan []byte // batches of rows: which stream, user id, payload
	quit       chan struct{}
	failed     error // set before full is closed

	batch, rest []byte
	id, pay     []byte
	order       int
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
	for m.next() {
		batch = binary.AppendUvarint(batch, uint64(m.source()))
		batch = appendRow(batch, m.userID(), m.payload())
		if len(batch) < batchSize {
			continue
		}
		if !p.send(batch) {
			return
		}
		select {
		case batch = <-p.free:
			batch = batch[:0]
		default:
			batch = make([]byte, 0, batchSize+1<<10)
		}
	}
	p.failed = m.err()
	if len(batch) > 0 {
		p.send(batch)
	}
}

func (p *prefetcher) send(batch []byte) bool {
	select {
	case p.full <- batch:
		return true
	case <-p.quit:
		return false
	}
}

// next goes to the next row. What was returned of the row before is not valid any more.
func (p *prefetcher) next() bool {
	if len(p.rest) == 0 {
		if p.batch != nil {
			select {
			case p.free <- p.batch:
			default:
			}
		}
		var ok bool
		if p.batch, ok = <-p.full; !ok {
			return false
		}
		p.rest = p.batch
	}
	order, n := binary.Uvarint(p.rest)
	p.order = int(order)
	p.id, p.rest = cut(p.rest[n:])
	p.pay, p.rest = cut(p.rest)
	return true
}

func (p *prefetcher) userID() []byte  { return p.id }
func (p *prefetcher) payload() []byte { return p.pay }

// source returns which of the streams the row comes from.
func (p *prefetcher) source() int { return p.order }

// err returns the error that ended the merging, once next returned false.
func (p *prefetcher) err() error { return p.failed }

// stop ends the merging and waits for that.
func (p *prefetcher) stop() {
	close(p.quit)
	for range p.full {
	}
}
