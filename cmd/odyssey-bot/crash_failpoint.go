//go:build failpoint

package main

import (
	"context"
	"os"
	"syscall"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/web"
)

// crash ends the process, as a machine that loses its power does, when the
// write that ODYSSEY_FAILPOINT names has been done. Only programs built for
// tests have it.
func crash() func(point string) {
	at := os.Getenv("ODYSSEY_FAILPOINT")
	return func(point string) {
		if point == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// crashing ends the process before a delivery is committed, at the point
// "Receive", or after that and before it is answered, at "Accept".
func crashing(a web.Accepter) web.Accepter { return crashingAccepter{a, crash()} }

type crashingAccepter struct {
	inner web.Accepter
	crash func(point string)
}

func (a crashingAccepter) Accept(ctx context.Context, forgeName string, event forge.Event) (fresh bool, err error) {
	a.crash("Receive")
	fresh, err = a.inner.Accept(ctx, forgeName, event)
	a.crash("Accept")
	return fresh, err
}
