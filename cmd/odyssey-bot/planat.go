package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/forge/local"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/refresh"
)

// runPlanAt tries the merges of a destination with one of them at a commit.
func (a *app) runPlanAt(ctx context.Context, args []string, o *planOptions) error {
	if len(args) == 0 {
		return cli.Usagef("--at needs the destination, too: plan --at COMMIT DESTINATION")
	}
	dir := "."
	if len(args) == 2 {
		dir = args[0]
	}
	client, state, err := a.readCheckout(ctx, dir, o)
	if err != nil {
		return err
	}
	if state.Idle != "" {
		return cli.Usagef("there is nothing to try: %s", state.Idle)
	}
	upstreams, err := a.openOwnRemotes(client, o.cache)
	if err != nil {
		return err
	}
	attempt, err := state.At(ctx, upstreams, args[len(args)-1], o.at)
	if errors.Is(err, refresh.ErrCommit) {
		return cli.Usagef("--at: %w", err)
	}
	if err != nil {
		return err
	}
	if o.json {
		err = cli.PrintJSON(a.stdout, attempt)
	} else {
		for _, line := range attempt.Lines() {
			fmt.Fprintln(a.stdout, line)
		}
	}
	if err == nil && attempt.Conflict != nil {
		return &cli.ExitError{Code: cli.ExitFailed}
	}
	return err
}

// readCheckout reads a checkout and asks its upstreams.
func (a *app) readCheckout(ctx context.Context, dir string, o *planOptions) (*git.Client, *refresh.State, error) {
	client, err := o.git.Client(a.environ)
	if err != nil {
		return nil, nil, err
	}
	checkout, err := local.Open(dir)
	if err != nil {
		return nil, nil, cli.Usagef("%w", err)
	}
	defer checkout.Close()
	snapshot, err := checkout.Snapshot(ctx, refresh.Files())
	if err != nil {
		return nil, nil, cli.Usagef("%w", err)
	}
	progress := cli.NewProgress(client, a.stderr, a.log.Quiet)
	state, err := refresh.Read(ctx, refresh.Input{Files: snapshot.Files, URLs: o.git.Policy(), Jobs: o.git.Jobs, Lookup: progress})
	progress.Finish()
	return client, state, err
}
