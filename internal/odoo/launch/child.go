package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// Child is Odoo while it runs.
type Child struct {
	PID   int
	ended chan struct{}
	state syscall.WaitStatus
	err   error
}

// EndError says how Odoo ended, when that was not well.
type EndError struct {
	Code   int            // its exit code; 128 and the signal's number where a signal ended it
	Signal syscall.Signal // 0 for none
}

func (e *EndError) Error() string {
	if e.Signal != 0 {
		return "Odoo was ended by a signal: " + e.Signal.String()
	}
	return fmt.Sprintf("Odoo ended with exit code %d", e.Code)
}

// Start starts Odoo with a command line of Argv as a child with the given
// standard streams. It has a process group of its own, so that a terminal's
// Ctrl-C reaches it once, by Wait. environ is the whole environment.
//
// All children are reaped while it runs, also those that others have left to
// this process as it is PID 1 of its container.
func Start(argv, environ []string, streams [3]*os.File) (*Child, error) {
	c := &Child{ended: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel ends a child of this process with the thread that made it.
		runtime.LockOSThread()
		defer close(c.ended)
		c.PID, c.err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
			Env: environ, Files: []uintptr{streams[0].Fd(), streams[1].Fd(), streams[2].Fd()}, Sys: attributes(),
		})
		started <- c.err
		if c.err == nil {
			c.state, c.err = reap(c.PID)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("run %s: %w", argv[0], err)
	}
	return c, nil
}

// reap waits for children until that of a PID has ended.
func reap(pid int) (syscall.WaitStatus, error) {
	for {
		var state syscall.WaitStatus
		switch ended, err := syscall.Wait4(-1, &state, 0, nil); {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return state, fmt.Errorf("wait for Odoo: %w", err)
		case ended == pid && (state.Exited() || state.Signaled()):
			return state, nil
		}
	}
}

// Wait waits for the end and hands signals on meanwhile. When ctx ends, it asks
// the child to end, and after grace makes it end. The error is an *EndError
// unless the child ended well.
func (c *Child) Wait(ctx context.Context, signals <-chan os.Signal, grace time.Duration) error {
	done := ctx.Done()
	kill := time.NewTimer(grace)
	kill.Stop()
	defer kill.Stop()
	for {
		select {
		case <-c.ended:
			return c.result()
		case s := <-signals:
			if number, ok := s.(syscall.Signal); ok {
				c.signal(number)
			}
		case <-done:
			c.signal(syscall.SIGTERM)
			done = nil
			kill.Reset(grace)
		case <-kill.C:
			_ = syscall.Kill(-c.PID, syscall.SIGKILL) // and what it has started
		}
	}
}

// signal sends a signal to the child. It may have ended meanwhile.
func (c *Child) signal(number syscall.Signal) { _ = syscall.Kill(c.PID, number) }

func (c *Child) result() error {
	switch {
	case c.err != nil:
		return c.err
	case c.state.Signaled():
		return &EndError{Code: 128 + int(c.state.Signal()), Signal: c.state.Signal()}
	case c.state.ExitStatus() != 0:
		return &EndError{Code: c.state.ExitStatus()}
	}
	return nil
}
