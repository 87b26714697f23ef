package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
)

// Where nobody looks on, only what is done is said; quiet says nothing.
func TestStatus(t *testing.T) {
	t.Parallel()
	for quiet, want := range map[bool]string{false: "done 1\ndone 2\n", true: ""} {
		var out bytes.Buffer
		s := cli.NewStatus(&out, quiet)
		s.Say("at %d", 1)
		s.Done("done %d", 1)
		s.Say("at %d", 2)
		s.Done("done %d", 2)
		s.Finish()
		if out.String() != want {
			t.Errorf("quiet %v: %q", quiet, out.String())
		}
	}
}

func TestRun_interrupted(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	cmd := &cobra.Command{Use: "x", RunE: func(*cobra.Command, []string) error {
		return fmt.Errorf("fetch: %w", context.Canceled)
	}}
	if code := cli.Run(cmd, nil, &stderr); code != cli.ExitFailed || stderr.String() != "error: interrupted\n" {
		t.Errorf("%d: %q", code, &stderr)
	}
}
