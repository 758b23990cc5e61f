package source

import (
	"context"
	"io"
	"os"
)

// Stdin is the [Place.Source] that stands for the standard input. It can be read once.
const Stdin = "-"

func openStdin(ctx context.Context) (io.ReadCloser, error) {
	stdin := os.Stdin
	if info, err := stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return nil, Unreadable("the standard input is no file and no pipe: pipe an export into gleapsync")
	}
	// A read that waits for somebody else's output cannot be ended, but what waits for the
	// read can. It holds at most one piece of the input, and nobody else reads that.
	output, write := io.Pipe()
	go func() {
		_, err := io.Copy(write, stdin)
		if err != nil {
			err = Unreadable("it cannot be read: %v", err)
		}
		write.CloseWithError(err)
	}()
	stop := context.AfterFunc(ctx, func() { write.CloseWithError(context.Cause(ctx)) })
	return &runningCommand{output, func() { stop() }}, nil
}
