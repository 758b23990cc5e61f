package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// postgres measures the plan of a table in PostgreSQL of which nothing is known, beside psql that
// copies the same columns out. What the server takes is not in their processor time.
func (b *bench) postgres(dir string) error {
	w := &workload{name: "PostgreSQL table of 31 columns", contacts: int(1e6 * b.scale), wide: [2]int{20, 10}, shuffled: true}
	if _, _, err := w.write(dir, firstDay); err != nil {
		return err
	}
	address, stop, err := startPostgres(dir)
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: without PostgreSQL: %v\n", err)
		return nil
	}
	defer stop()
	audiences, traits := w.attributes()
	columns := "user_id text, " + strings.Join(audiences, " boolean, ") + " boolean"
	for i, key := range traits {
		columns += ", " + key + " " + []string{"bigint", "bigint", "bigint", "bigint", "numeric", "numeric", "text", "text"}[i%kindsOfTraits]
	}
	psql := func(commands ...string) *exec.Cmd {
		cmd := inFolder(dir, "psql", "-q", "-v", "ON_ERROR_STOP=1", address)
		for _, command := range commands {
			cmd.Args = append(cmd.Args, "-c", command)
		}
		return cmd
	}
	if err := runQuietly(psql("CREATE UNLOGGED TABLE users ("+columns+")", `\copy users FROM '`+firstDay+`/table.csv' (FORMAT csv, HEADER)`, "VACUUM ANALYZE users")); err != nil {
		return err
	}
	config := fmt.Sprintf("project = \"bench\"\n[gleap]\nbase_url = %q\nrate = 0\n[sync]\nmemory = \"256MiB\"\n[[table]]\nsource = %q\ntable = \"public.users\"\n", b.server.url, address) + w.columns()
	if err := os.WriteFile(filepath.Join(dir, configFile), []byte(config), 0o600); err != nil {
		return err
	}
	values := 0
	for i := range w.contacts {
		for column := range len(audiences) + len(traits) {
			if string(w.appendCell(nil, mix(seed+uint64(i)), column, false)) != "false" {
				values++
			}
		}
	}
	output := filepath.Join(dir, "output")
	var ours, theirs []usage
	for range b.rounds {
		u, err := measure(output, psql("COPY users TO STDOUT"))
		if err != nil {
			return err
		}
		theirs = append(theirs, u)
		if u, err = measure(output, command(dir, b.binary, firstDay, "plan", "--output", "json")); err != nil {
			return err
		}
		ours = append(ours, u)
		if err := checkReport(output, changes{contacts: w.contacts, values: values}); err != nil {
			return err
		}
	}
	b.addPostgres(w, ours, theirs)
	return nil
}

// startPostgres starts a PostgreSQL with data of its own, and returns the address of its database.
func startPostgres(dir string) (address string, stop func(), err error) {
	programs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(programs) == 0 {
		return "", nil, errors.Join(err, errors.New("it is not installed (Debian's package postgresql)"))
	}
	data, err := os.MkdirTemp("", "gleapsync-bench-postgres-") // its user must get there
	if err != nil {
		return "", nil, err
	}
	remove := func() { os.RemoveAll(data) }
	attributes := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 { // PostgreSQL refuses to be run by root
		if attributes.Credential, err = credential("postgres"); err == nil {
			err = os.Chown(data, int(attributes.Credential.Uid), int(attributes.Credential.Gid))
		}
	}
	listener, err2 := net.Listen("tcp", "127.0.0.1:0")
	if err = errors.Join(err, err2); err != nil {
		remove()
		return "", nil, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	run := func(name string, args ...string) *exec.Cmd {
		cmd := inFolder(data, filepath.Join(programs[len(programs)-1], name), append(args, "-D", filepath.Join(data, "data"))...)
		cmd.SysProcAttr = attributes
		return cmd
	}
	if err := runQuietly(run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")); err != nil {
		remove()
		return "", nil, err
	}
	server := run("postgres", "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=256MB")
	if err := server.Start(); err != nil {
		remove()
		return "", nil, err
	}
	stop = func() {
		_ = server.Process.Signal(syscall.SIGQUIT)
		_ = server.Wait()
		remove()
	}
	address = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	for range 100 {
		if err = exec.Command("psql", "-qc", "", address).Run(); err == nil {
			return address, stop, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	return "", nil, fmt.Errorf("it does not answer: %w", err)
}

// credential is that of a user.
func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
