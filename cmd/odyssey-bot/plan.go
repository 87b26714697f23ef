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
	at       string
}

func (a *app) plan() *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [DIR] [--at COMMIT DEST]",
		Short: "Print the pull requests that run would open for a checkout",
		Long: `Print the pull requests that run would open for a checkout: each one's title,
branch, diff and text. It needs no forge and changes nothing.

Where several commits are merged into one destination, the merges are tried in
memory; what does not apply is not proposed. With --at the merges of one
destination are tried with COMMIT in the place of the newest of its ref, and
what comes of it is printed: the tree, or what conflicts and how to see it.

Exit codes: 0 done, 1 failed, 2 wrong usage or invalid input; with
--detailed-exitcode also 5 when there is something to do; with --at 1 when the
merges conflict.`,
		Example: `  odyssey-bot plan
  odyssey-bot plan ~/src/odoo-image --json
  odyssey-bot plan --only merges --at f33c2de ./oca/server-tools
  odyssey-bot plan --detailed-exitcode >/dev/null || echo "exit code $?"`,
		Args: cli.Args(cobra.MaximumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.at != "":
				return a.runPlanAt(cmd.Context(), args, &o)
			case len(args) > 1:
				return cli.Usagef("plan takes one directory; a destination goes with --at COMMIT")
			}
			return a.runPlan(cmd.Context(), append(args, ".")[0], &o)
		},
	}
	flags := cmd.Flags()
	registerOnly(cmd, &o.only)
	flags.BoolVar(&o.json, "json", false, "print the proposals as JSON")
	flags.BoolVar(&o.detailed, "detailed-exitcode", false, "exit 5 when there is something to do")
	flags.StringVar(&o.at, "at", "", "try the merges of a destination with `COMMIT`, or the beginning of its id, in the place of the newest")
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
	client, state, err := a.readCheckout(ctx, dir, o)
	if err != nil {
		return err
	}
	plan, err := state.Plan(refresh.Wishes{})
	if err != nil {
		return err
	}
	proposals := []proposal{}
	for i := range plan.Proposals {
		p := &plan.Proposals[i]
		if err := p.Settle(ctx, client); err != nil {
			return fmt.Errorf("%s: %w", p.Group, err)
		}
		plan.Reasons = append(plan.Reasons, p.Reasons...)
		if len(p.Changes) == 0 {
			continue
		}
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
	for _, r := range plan.Reasons {
		a.say("%s %s %s: %s", r.Dest, r.Remote, r.Ref, r.Why)
	}
	switch held := slices.Compact(slices.Clone(plan.Held)); {
	case plan.Idle != "":
		a.say("nothing to do: %s", plan.Idle)
	case len(proposals) == 0 && len(plan.Reasons) == 0:
		a.say("nothing to do: every merge is at its newest commit")
	case len(held) > 0:
		a.say("%s and the lock disagree on %s; these move once they agree", refresh.ReposFile, strings.Join(held, ", "))
	}
	return nil
}
