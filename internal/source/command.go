package source

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"gleapsync/internal/outside"
)

// commandTimeout is how long a command may run if its place says nothing else.
const commandTimeout = 10 * time.Minute

// maxSaidLines is how much of a command's standard error is handed on: a command may say as
// much as it likes.
const maxSaidLines = 100

// CommandName is how a command is called where people read: by its first words, for the
// others may hold secrets.
func CommandName(command []string) string {
	name := filepath.Base(command[0])
	if len(command) > 1 && subcommand.MatchString(command[1]) {
		name += " " + command[1]
	}
	return name
}

var subcommand = regexp.MustCompile(`^[a-z]{1,20}$`)

// goneAfter is how long it takes at most until nobody waits any more for the end of a command
// that was killed: what it started may have left its group and hold its output open.
const goneAfter = 2 * time.Second

// runCommand starts the place's command and returns its standard output. Reading that
// ends with [io.EOF] only if the command succeeded.
func (p Place) runCommand(ctx context.Context) (io.ReadCloser, error) {
	limit := cmp.Or(p.Timeout, commandTimeout)
	timeUp := Unreadable("the command took longer than timeout = %s allows", limit)
	timed, cancel := context.WithTimeoutCause(ctx, limit, timeUp)
	cmd := exec.CommandContext(timed, p.Command[0], p.Command[1:]...)
	cmd.Dir = p.Dir
	cmd.Env = slices.DeleteFunc(cmd.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.ContainsFunc(p.Hidden, func(hidden string) bool { return strings.EqualFold(name, hidden) }) // as Windows has it
	})
	said := &saidLines{clean: outside.Cleaner(p.Secrets...), tell: p.Log}
	output, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, said
	endGroup(cmd)
	// What the command started may hold the output open when it has ended itself.
	cmd.WaitDelay = 20 * time.Second
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // on Linux a command ends with the thread that started it
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if started <- err; err != nil {
			return
		}
		err = cmd.Wait()
		said.end()
		switch {
		case err == nil: // though its time may be up since
		case timed.Err() != nil:
			err = context.Cause(timed)
		case errors.Is(err, exec.ErrWaitDelay):
			err = Unreadable("the command ended, but something that it started still holds its output")
		default:
			err = Unreadable("the command failed: %v%s", err, said.last())
		}
		write.CloseWithError(err)
	}()
	if err := <-started; err != nil {
		cancel()
		if exec := new(exec.Error); errors.As(err, &exec) { // its name may be a secret, too
			err = exec.Err
		}
		return nil, Unreadable("%s cannot be started: %v", p.Source, err)
	}
	stop := context.AfterFunc(ctx, func() { write.CloseWithError(context.Cause(ctx)) })
	return &runningCommand{output, func() {
		stop()
		cancel()
		select {
		case <-ended:
		case <-time.After(goneAfter):
		}
	}}, nil
}

// runningCommand is the output of a command that may still run.
type runningCommand struct {
	*io.PipeReader
	stop func()
}

func (c *runningCommand) Close() error {
	c.PipeReader.Close()
	c.stop()
	return nil
}

// saidLines takes what a command writes to its standard error.
type saidLines struct {
	clean func(string) string
	tell  func(line string) // nil: nobody listens
	line  []byte            // that has not ended yet
	lines int
	final string // the last line that says something
}

func (s *saidLines) Write(p []byte) (int, error) {
	for part := range bytes.Lines(p) {
		// A secret that is cut in two would not be found: more is kept than is shown.
		room := max(0, 16*outside.Most-len(s.line))
		s.line = append(s.line, part[:min(len(part), room)]...)
		if bytes.HasSuffix(part, []byte("\n")) {
			s.end()
		}
	}
	return len(p), nil
}

// end hands the line on that was written last.
func (s *saidLines) end() {
	line := s.clean(string(s.line))
	s.line = s.line[:0]
	if line == "" {
		return
	}
	s.final = line
	s.lines++
	switch {
	case s.tell == nil || s.lines > maxSaidLines+1:
	case s.lines > maxSaidLines:
		s.tell("and more, which is left out")
	default:
		s.tell(line)
	}
}

// last returns the last line as a part of an error.
func (s *saidLines) last() string {
	if s.final == "" {
		return ""
	}
	return ": " + s.final
}
