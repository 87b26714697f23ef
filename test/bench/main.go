// Bench measures odyssey-bot against what one would do without it, on the
// same machine, servers and repositories, in one run, and prints ratios.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "odyssey-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return lockRepos(ctx, dir)
}
