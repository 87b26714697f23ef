package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/cli/gitflags"
	"github.com/nuobit/odyssey/internal/forge/local"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
)

// exitChanges is the exit code of --detailed-exitcode when there is something
// to do.
const exitChanges = 5

type planOptions struct {
	git      gitflags.Flags
	only     []string
	json     bool
	detailed bool
}

func (a *app) plan() *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [DIR]",
		Short: "Print the pull requests that run would open for a checkout",
		Long: `Print the pull requests that run would open for a checkout: each one's title,
branch, diff and text. It needs no forge and changes nothing.

Exit codes: 0 done, 1 failed, 2 wrong usage or invalid input; with
--detailed-exitcode also 5 when there is something to do.`,
		Example: `  odyssey-bot plan
  odyssey-bot plan ~/src/odoo-image --json
  odyssey-bot plan --detailed-exitcode >/dev/null || echo "exit code $?"`,
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runPlan(cmd.Context(), append(args, ".")[0], &o)
		},
	}
	flags := cmd.Flags()
	registerOnly(cmd, &o.only)
	flags.BoolVar(&o.json, "json", false, "print the proposals as JSON")
	flags.BoolVar(&o.detailed, "detailed-exitcode", false, "exit 5 when there is something to do")
	o.git.Register(cmd, 16, "remotes asked at once")
	return cmd
}

// registerOnly adds --only, which keeps to some kinds of refresh.
func registerOnly(cmd *cobra.Command, only *[]string) {
	cmd.Flags().StringSliceVar(only, "only", nil, "keep to these `kinds` of refresh; there is: merges")
}

func checkOnly(only []string) error {
	for _, kind := range only {
		if kind != string(refresh.Merges) {
			return cli.Usagef("--only: there is no refresh of kind %q; there is: %s", kind, refresh.Merges)
		}
	}
	return nil
}

// proposal is what plan prints of one pull request.
type proposal struct {
	Kind    refresh.Kind  `json:"kind"`
	Group   string        `json:"group"`
	Branch  string        `json:"branch"`
	Title   string        `json:"title"`
	Body    string        `json:"body"`
	Diff    string        `json:"diff"`
	Changes []lock.Change `json:"changes"`
}

func (a *app) runPlan(ctx context.Context, dir string, o *planOptions) error {
	if err := checkOnly(o.only); err != nil {
		return err
	}
	client, err := o.git.Client(a.environ)
	if err != nil {
		return err
	}
	checkout, err := local.Open(dir)
	if err != nil {
		return cli.Usagef("%w", err)
	}
	defer checkout.Close()
	snapshot, err := checkout.Snapshot(ctx, refresh.Files())
	if err != nil {
		return cli.Usagef("%w", err)
	}
	progress := cli.NewProgress(client, a.stderr, a.log.Quiet)
	plan, err := refresh.Make(ctx, refresh.Input{Files: snapshot.Files, URLs: o.git.Policy(), Jobs: o.git.Jobs, Lookup: progress})
	progress.Finish()
	if err != nil {
		return err
	}
	proposals := []proposal{}
	for i := range plan.Proposals {
		p := &plan.Proposals[i]
		text, err := p.Describe(ctx, client)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Group, err)
		}
		proposals = append(proposals, proposal{p.Kind, p.Group, p.Branch, text.Title, text.Body, lockDiff(p), p.Changes})
	}
	if err := a.printPlan(plan, proposals, o.json); err != nil {
		return err
	}
	if o.detailed && len(proposals) > 0 {
		return &cli.ExitError{Code: exitChanges}
	}
	return nil
}

// lockDiff is a proposal as a unified diff.
func lockDiff(p *refresh.Proposal) string {
	text := string(diff.Diff("a/"+refresh.LockFile, p.Old, "b/"+refresh.LockFile, p.New))
	_, unified, _ := strings.Cut(text, "\n") // the first line repeats the names
	return unified
}

func (a *app) printPlan(plan *refresh.Plan, proposals []proposal, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(a.stdout, proposals)
	}
	for _, p := range proposals {
		fmt.Fprintf(a.stdout, "%s\nbranch %s\n\n%s\n%s\n", p.Title, p.Branch, p.Diff, p.Body)
	}
	switch held := slices.Compact(slices.Clone(plan.Held)); {
	case plan.Idle != "":
		a.say("nothing to do: %s", plan.Idle)
	case len(proposals) == 0:
		a.say("nothing to do: every merge is at its newest commit")
	case len(held) > 0:
		a.say("%s and the lock disagree on %s; these move once they agree", refresh.ReposFile, strings.Join(held, ", "))
	}
	return nil
}
