//go:build failpoint

package main

import (
	"os"
	"syscall"
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
