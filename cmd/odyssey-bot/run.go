package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/cli/gitflags"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
)

type runOptions struct {
	config string
	repos  []string
	only   []string
	jobs   int
	dryRun bool
	state  string
	json   bool
}

func (a *app) run() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Open, update and close pull requests, once",
		Long: `Look at every repository of the configuration once, and open, update and close
the pull requests that are due: for use from cron or CI. A second run with
nothing new changes nothing. Where a policy has a minimumAge, --state is to be
kept from one run to the next.

Exit codes: 0 done, 1 failed for at least one repository, 2 wrong usage or
invalid configuration.`,
		Example: `  odyssey-bot run --config odyssey.yaml
  odyssey-bot run --config odyssey.yaml --repo acme/odoo-image --dry-run`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runRun(cmd.Context(), &o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", config.ServerFile, "configuration of the bot")
	flags.StringArrayVar(&o.repos, "repo", nil, "keep to the repository `OWNER/NAME` of the configuration (repeatable)")
	registerOnly(cmd, &o.only)
	flags.IntVar(&o.jobs, "jobs", 16, "remotes asked at once")
	flags.BoolVar(&o.dryRun, "dry-run", false, "say what would be done, and write nothing")
	flags.StringVar(&o.state, "state", "", "`DIR` that keeps what runs need not find out again, and since when commits are known (default: odyssey/state in the user's cache directory)")
	flags.BoolVar(&o.json, "json", false, "print the outcomes as JSON")
	return cmd
}

// watched is a repository and the forge it is on.
type watched struct {
	forge bot.Forge
	name  forge.Name
}

func (a *app) runRun(ctx context.Context, o *runOptions) error {
	kinds, err := onlyKinds(o.only)
	if err != nil {
		return err
	}
	b, repos, err := a.prepare(ctx, o)
	if err != nil {
		return err
	}
	outcomes := []bot.Outcome{}
	var failures []error
	for _, w := range repos {
		done, err := refreshOne(ctx, b, w, bot.Demand{Kinds: kinds, Scheduled: len(kinds) > 0})
		for _, outcome := range done {
			outcomes = append(outcomes, conditional(outcome, o.dryRun))
		}
		for _, failure := range cli.Each(err) {
			failures = append(failures, fmt.Errorf("%s: %w%s", w.name, failure, hint(failure)))
			if o.json {
				outcomes = append(outcomes, bot.Outcome{Repo: w.name.String(), Action: bot.Failed, Reason: failure.Error()})
			}
		}
	}
	if err := a.printOutcomes(outcomes, o.json); err != nil {
		return err
	}
	if len(failures) > 0 {
		return &cli.ExitError{Code: cli.ExitFailed, Err: errors.Join(failures...)}
	}
	return nil
}

// prepare opens what a run needs, and finds the repositories that it is over.
func (a *app) prepare(ctx context.Context, o *runOptions) (*bot.Bot, []watched, error) {
	log, err := a.log.Logger(a.stderr)
	if err != nil {
		return nil, nil, err
	}
	server, err := config.LoadServer(o.config)
	if err != nil {
		return nil, nil, &cli.ExitError{Code: cli.ExitInvalid, Err: err}
	}
	for _, warning := range server.Warnings {
		log.Warn("unwise configuration", "warning", warning)
	}
	b, err := a.newBot(&server, o.config, o.jobs, log, nil)
	if err != nil {
		return nil, nil, err
	}
	forges, err := openForges(&server, log, nil)
	if err != nil {
		return nil, nil, err
	}
	memory, err := openMemory(o.state, a.environ)
	if err != nil {
		return nil, nil, err
	}
	askUpstreams(b, forges, memory)
	if err := a.addMirrors(b, &server, forges); err != nil {
		return nil, nil, err
	}
	repos, err := selectRepos(ctx, forges, o)
	return b, repos, err
}

// longest is how long one repository may keep the others waiting.
const longest = 15 * time.Minute

func refreshOne(ctx context.Context, b *bot.Bot, w watched, d bot.Demand) ([]bot.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return b.Run(ctx, w.forge, w.name, d)
}

// conditional makes of what a dry run took as done what would be done.
func conditional(outcome bot.Outcome, dryRun bool) bot.Outcome {
	if dryRun && outcome.Action.Changed() {
		outcome.Action = "would be " + outcome.Action
	}
	return outcome
}

// hint says what to do about a forge's refusal.
func hint(err error) string {
	switch {
	case errors.Is(err, forge.ErrUnauthorized):
		return "\n  on Gitea and Forgejo the token needs the scopes write:repository, write:issue and read:user, and its account write permission on the repository;" +
			"\n  on GitHub see what the App needs: odyssey-bot github-app-manifest"
	case errors.Is(err, forge.ErrNotFound):
		return "\n  check the name, and forges[].url; the token's account may not be allowed to see it"
	}
	return ""
}

func (a *app) newBot(server *config.Server, file string, jobs int, log *slog.Logger, received func(n int64)) (*bot.Bot, error) {
	if jobs < 1 {
		return nil, cli.Usagef("--jobs is %d; it must be at least 1", jobs)
	}
	policy, err := gitname.Bot(server.Git.Allow)
	if err != nil {
		return nil, cli.Usagef("%s: %w", file, err)
	}
	credentials, err := gitflags.CredentialsFile(server.Git.CredentialsFile)
	if err != nil {
		return nil, err
	}
	client := git.New(git.Options{Policy: policy, CredentialsFile: credentials, Environ: a.environ, Received: received})
	upstreams, err := a.openRemotes(client, server.Git.Cache)
	if err != nil {
		return nil, fmt.Errorf("%s: git.cache: %w", file, err)
	}
	return &bot.Bot{
		Git: upstreams, Rehearser: upstreams,
		URLs:     policy,
		Identity: forge.Identity{Name: server.Identity.Name, Email: server.Identity.Email},
		Jobs:     jobs,
		Onboard:  server.Onboarding,
		Log:      log,
		Now:      time.Now,
		Wait:     wait,
		Sources:  []refresh.Source{&refresh.Landed{URLs: policy, Rehearser: upstreams, Warn: warnLanded(log)}, baseImages(newRegistries(policy, server.Git.Allow)), a.pythonLock(server, upstreams, policy, log)},
	}, nil
}

// wait sleeps for d or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// selectRepos lists the repositories of the configuration, or those of --repo.
func selectRepos(ctx context.Context, forges []openForge, o *runOptions) ([]watched, error) {
	var repos []watched
	var all []string
	for _, f := range forges {
		names, err := f.watched(ctx)
		if err != nil {
			return nil, err
		}
		var driver bot.Forge = f.driver
		if o.dryRun {
			driver = bot.DryRun(driver)
		}
		for _, name := range names {
			all = append(all, name.String())
			if len(o.repos) == 0 || slices.Contains(o.repos, name.String()) {
				repos = append(repos, watched{driver, name})
			}
		}
	}
	return repos, checkNamed(o.repos, all, o.config)
}

func (a *app) printOutcomes(outcomes []bot.Outcome, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(a.stdout, outcomes)
	}
	if len(outcomes) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "repository\tgroup\tdone\t")
	for _, o := range outcomes {
		note := o.URL
		if o.Reason != "" && note != "" {
			note += " "
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", o.Repo, o.Group, o.Action, note+o.Reason)
	}
	return table.Flush()
}
