package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// push measures a first sync of contacts who are in ten audiences each, against a client
// that does nothing but call.
func (b *bench) push(dir string) error {
	w := &workload{name: "first sync", contacts: int(1e6 * b.scale), shares: equalAudiences(10, 1), shuffled: true}
	if _, _, err := w.write(dir, firstDay, secondDay); err != nil {
		return err
	}
	if err := w.configure(dir, b.server.url, 0); err != nil {
		return err
	}
	output := filepath.Join(dir, "output")
	var ours, bare []pushed
	for range b.rounds {
		if err := os.RemoveAll(filepath.Join(dir, stateFile)); err != nil {
			return err
		}
		one, err := b.measurePush(output, command(dir, b.binary, firstDay, "sync", "--output", "json"))
		if err != nil {
			return err
		}
		r, err := readReport(output)
		if err != nil {
			return err
		}
		if one.calls != w.contacts || r.Contacts.Sent != w.contacts {
			return fmt.Errorf("%d calls for %d contacts", one.calls, w.contacts)
		}
		info, err := os.Stat(filepath.Join(dir, stateFile))
		if err != nil {
			return err
		}
		one.state = info.Size()
		ours = append(ours, one)
		one, err = b.measurePush(output, exec.Command(b.self, "client", b.server.url,
			strconv.Itoa(w.contacts), strconv.Itoa(int(one.bytes)/one.calls), strconv.Itoa(concurrency)))
		if err != nil {
			return err
		}
		bare = append(bare, one)
	}
	b.addPush(ours, bare)
	return nil
}

// pushed is what a client did.
type pushed struct {
	usage
	calls     int
	bytes     int64   // of bodies
	perSecond float64 // calls, from the first one to the end of the process
	state     int64   // bytes of gleapsync's state
}

func (b *bench) measurePush(output string, cmd *exec.Cmd) (pushed, error) {
	b.server.reset(false)
	u, err := measure(output, cmd)
	if err = errors.Join(err, b.server.err); err != nil {
		return pushed{}, err
	}
	seconds := u.end.Sub(b.server.first).Seconds()
	return pushed{usage: u, calls: b.server.calls, bytes: b.server.bytes, perSecond: float64(b.server.calls) / seconds}, nil
}

// pacing measures how the rate limit is used.
func (b *bench) pacing(dir string) error {
	const calls = pacingRate*int(pacingTime/pacingWindow) + pacingRate/10 // a little longer than is looked at
	w := &workload{contacts: calls, shares: equalAudiences(1, 1)}
	if _, _, err := w.write(dir, firstDay, secondDay); err != nil {
		return err
	}
	if err := w.configure(dir, b.server.url, pacingRate); err != nil {
		return err
	}
	b.server.reset(true)
	if _, err := measure(filepath.Join(dir, "output"), command(dir, b.binary, firstDay, "sync")); err != nil {
		return err
	}
	b.addPacing(b.server.stamps, b.server.first)
	return b.server.err
}
