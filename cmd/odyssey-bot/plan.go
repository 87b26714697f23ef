package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/cli/gitflags"
	"github.com/nuobit/odyssey/internal/config"
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
	at       string
	cache    string
}

func (a *app) plan() *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [DIR] [--at COMMIT DEST]",
		Short: "Print the pull requests that run would open for a checkout",
		Long: `Print the pull requests that run would open for a checkout: each one's title,
branch, diff and text. It needs no forge and changes nothing.

Where several commits are merged into one destination, the merges are tried in
memory; what does not apply is not proposed. A merge whose branch is gone, or
whose remote does not answer, keeps no other from being planned; it is an error
when all is printed. With --at the merges of one
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
				return cli.Usagef("plan takes one directory; a destination goes with --at COMMIT\n  see: odyssey-bot plan --help")
			}
			return a.runPlan(cmd.Context(), append(args, ".")[0], &o)
		},
	}
	flags := cmd.Flags()
	registerOnly(cmd, &o.only)
	flags.BoolVar(&o.json, "json", false, "print the proposals as JSON")
	flags.StringVar(&o.cache, "cache", "", "`directory` that keeps commits and lists of files of remotes (default odyssey/remotes in the user's cache)")
	flags.BoolVar(&o.detailed, "detailed-exitcode", false, "exit 5 when there is something to do")
	flags.StringVar(&o.at, "at", "", "try the merges of a destination with `COMMIT`, or the beginning of its id, in the place of the newest")
	o.git.Register(cmd, 16, "remotes asked at once")
	return cmd
}

// registerOnly adds --only, which keeps to some kinds of refresh.
func registerOnly(cmd *cobra.Command, only *[]string) {
	cmd.Flags().StringSliceVar(only, "only", nil, "keep to these `kinds` of refresh: "+kindNames())
}

func kindNames() string {
	var names []string
	for _, kind := range refresh.Kinds() {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}

// onlyKinds reads --only; none are all.
func onlyKinds(only []string) (kinds []refresh.Kind, err error) {
	for _, kind := range only {
		if !refresh.IsKind(kind) {
			return nil, cli.Usagef("--only: there is no refresh of kind %q; there are: %s", kind, kindNames())
		}
		kinds = append(kinds, refresh.Kind(kind))
	}
	return kinds, nil
}

// proposal is what plan prints of one pull request.
type proposal struct {
	Kind    refresh.Kind  `json:"kind"`
	Group   string        `json:"group"`
	Branch  string        `json:"branch"`
	Title   string        `json:"title"`
	Body    string        `json:"body"`
	Diff    string        `json:"diff"`
	Changes []lock.Change `json:"changes,omitempty"` // of merges
}

func (a *app) runPlan(ctx context.Context, dir string, o *planOptions) error {
	kinds, err := onlyKinds(o.only)
	if err != nil {
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
	policy, err := config.ParseRepo(refresh.ConfigFile, snapshot.Files[refresh.ConfigFile])
	if err != nil {
		return err
	}
	upstreams, err := a.openOwnRemotes(client, o.cache)
	if err != nil {
		return err
	}
	asked := refresh.NewAsked(client)
	p := planned{proposals: []proposal{}}
	if len(kinds) == 0 || slices.Contains(kinds, refresh.Merges) {
		progress := cli.NewProgress(asked, a.stderr, a.log.Quiet)
		in := refresh.Input{Files: snapshot.Files, URLs: o.git.Policy(), Jobs: o.git.Jobs, Lookup: progress}
		err := p.merges(ctx, in, upstreams, upstreams, checkout)
		progress.Finish()
		if err != nil {
			return err
		}
	}
	at := refresh.Repository{Policy: policy, Tree: checkout, Lookup: asked, Demanded: len(kinds) > 0}
	for _, source := range a.planSources(upstreams, o.git.Policy()) {
		if len(kinds) > 0 && !slices.Contains(kinds, source.Kind()) {
			continue
		}
		if err := p.offer(ctx, source, at); err != nil {
			return fmt.Errorf("%s: %w", source.Kind(), err)
		}
	}
	if err := a.printPlan(&p, o.json); err != nil {
		return err
	}
	if len(p.lost) > 0 {
		return errors.Join(p.lost...)
	}
	if o.detailed && len(p.proposals) > 0 {
		return &cli.ExitError{Code: exitChanges}
	}
	return nil
}

// planned is what would be proposed.
type planned struct {
	proposals []proposal
	idle      string   // why there is nothing, if so
	notes     []string // what is not proposed, and why
	lost      []error  // why merges could not be looked at
}

// merges plans, tries and describes the merges, several at once.
func (p *planned) merges(ctx context.Context, in refresh.Input, upstreams refresh.Surveyor, rehearser refresh.Rehearser, tree refresh.Tree) error {
	plan, err := refresh.Make(ctx, in)
	if err != nil {
		return err
	}
	each := func(do func(ctx context.Context, i int) error) error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(in.Jobs)
		for i := range plan.Proposals {
			group.Go(func() error {
				if err := do(ctx, i); err != nil {
					return fmt.Errorf("%s: %w", plan.Proposals[i].Group, err)
				}
				return nil
			})
		}
		return group.Wait()
	}
	if err := each(func(ctx context.Context, i int) error { return plan.Proposals[i].Settle(ctx, rehearser) }); err != nil {
		return err
	}
	for i := range plan.Proposals {
		plan.Reasons = append(plan.Reasons, plan.Proposals[i].Reasons...)
	}
	plan.Proposals = slices.DeleteFunc(plan.Proposals, func(made refresh.Proposal) bool {
		return len(made.Changes) == 0 && made.Kind == refresh.Merges
	})
	survey := refresh.NewSurvey(upstreams, plan)
	texts := make([]refresh.Text, len(plan.Proposals))
	err = each(func(ctx context.Context, i int) (err error) {
		plan.Proposals[i].Around.Tree = tree
		texts[i], err = plan.Proposals[i].Describe(ctx, survey)
		return err
	})
	if err != nil {
		return err
	}
	for i := range plan.Proposals {
		made := &plan.Proposals[i]
		change := []refresh.File{{Path: refresh.LockFile, Old: made.Old, New: made.New}}
		p.proposals = append(p.proposals, proposal{made.Kind, made.Group, made.Branch, texts[i].Title, texts[i].Body, unified(change), made.Changes})
	}
	p.lost = refresh.LostErrors(plan.Lost)
	for _, r := range plan.Reasons[len(plan.Lost):] {
		p.notes = append(p.notes, fmt.Sprintf("%s %s %s: %s", r.Dest, r.Remote, r.Ref, r.Why))
	}
	p.idle = cmp.Or(plan.Idle, "every merge is at its newest commit")
	if held := slices.Compact(slices.Clone(plan.Held)); len(held) > 0 {
		p.notes = append(p.notes, fmt.Sprintf("%s and the lock disagree on %s; these move once they agree", refresh.ReposFile, strings.Join(held, ", ")))
	}
	return nil
}

// offer plans what a source makes, if the policy wants it.
func (p *planned) offer(ctx context.Context, s refresh.Source, at refresh.Repository) error {
	for _, kind := range at.Policy.Kinds() {
		if kind.Name == string(s.Kind()) && !kind.Enabled {
			p.idle = cmp.Or(p.idle, kind.Name+" refreshes are not enabled in "+refresh.ConfigFile)
			return nil
		}
	}
	offer, err := s.Offer(ctx, at)
	if err != nil {
		return err
	}
	for i := range offer.Drafts {
		d := &offer.Drafts[i]
		text, err := d.Describe(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", d.Group, err)
		}
		p.proposals = append(p.proposals, proposal{s.Kind(), d.Group, d.Branch, text.Title, text.Body, unified(d.Files), nil})
	}
	if offer.Passing != nil {
		p.lost = append(p.lost, fmt.Errorf("%s: %w", s.Kind(), offer.Passing))
	}
	for _, held := range offer.Held {
		p.notes = append(p.notes, held.Group+": "+held.Reason)
	}
	p.idle = cmp.Or(p.idle, offer.Idle)
	return nil
}

// unified is a unified diff of files.
func unified(files []refresh.File) string {
	var all strings.Builder
	for _, f := range files {
		text := string(diff.Diff("a/"+f.Path, f.Old, "b/"+f.Path, f.New))
		_, lines, _ := strings.Cut(text, "\n") // the first line repeats the names
		all.WriteString(lines)
	}
	return all.String()
}

func (a *app) printPlan(p *planned, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(a.stdout, p.proposals)
	}
	for _, p := range p.proposals {
		fmt.Fprintf(a.stdout, "%s\nbranch %s\n\n%s\n%s\n", p.Title, p.Branch, p.Diff, p.Body)
	}
	if len(p.proposals)+len(p.notes)+len(p.lost) == 0 {
		a.say("nothing to do: %s", cmp.Or(p.idle, "nothing here is of this kind"))
	}
	for _, note := range p.notes {
		a.say("%s", note)
	}
	return nil
}
