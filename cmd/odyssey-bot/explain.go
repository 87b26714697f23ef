package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/near"
	"github.com/nuobit/odyssey/internal/refresh"
)

func (a *app) explain() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "explain OWNER/NAME [DEST]",
		Short: "Say of every source why it is, or is not, refreshed",
		Long: `Look at a repository of the configuration as run does, write nothing, and say of
every source, or of those of one destination, what the next run would do about
it and why: that nothing is newer, that a person holds it, that a pull request is
open or was closed, that merges would not apply, and so on.

Exit codes: 0 done, 1 failed, 2 wrong usage, an unknown destination or an invalid
configuration.`,
		Example: `  odyssey-bot explain acme/odoo-image
  odyssey-bot explain acme/odoo-image ./odoo --json`,
		Args: cli.Args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.repos, o.dryRun = args[:1], true
			return a.runExplain(cmd.Context(), &o, strings.Join(args[1:], ""))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config, "config", config.ServerFile, "configuration of the bot")
	flags.IntVar(&o.jobs, "jobs", 16, "remotes asked at once")
	flags.BoolVar(&o.json, "json", false, "print it as JSON")
	return cmd
}

// explained is what explain prints of a source.
type explained struct {
	Dest    string          `json:"destination"`
	Remote  string          `json:"remote"`
	Ref     string          `json:"ref"`
	Locked  string          `json:"locked"`
	Newest  string          `json:"newest"`
	Behind  int             `json:"behind"` // commits, at least; -1: not known
	Verdict refresh.Verdict `json:"verdict"`
	Why     string          `json:"why,omitempty"`
	Pull    refresh.Pull    `json:"pullRequest,omitzero"`
}

func (a *app) runExplain(ctx context.Context, o *runOptions, dest string) error {
	b, repos, err := a.prepare(ctx, o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	found, err := b.Explain(ctx, repos[0].forge, repos[0].name)
	if err != nil {
		return fmt.Errorf("%s: %w%s", repos[0].name, err, hint(err))
	}
	var sources []explained
	var all []string
	for _, d := range found.Decisions {
		if !slices.Contains(all, d.Dest) {
			all = append(all, d.Dest)
		}
		if dest == "" || path.Clean(dest) == path.Clean(d.Dest) {
			sources = append(sources, explained{d.Dest, d.Remote, d.Ref, d.Locked, d.Newest, d.Behind, d.Verdict, d.Why, d.Pull})
		}
	}
	if dest != "" && len(sources) == 0 && len(all) > 0 {
		return &cli.ExitError{Code: cli.ExitInvalid, Err: &lock.NameError{Kind: "destination", Name: dest, Near: near.Names(dest, all), All: all}}
	}
	others := found.Outcomes
	if dest != "" {
		others = nil
	}
	if o.json {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			Sources []explained   `json:"sources"`
			Runs    []bot.Outcome `json:"wouldDo"`
		}{append([]explained{}, sources...), append([]bot.Outcome{}, others...)})
	}
	return a.printExplained(sources, others)
}

// printExplained prints the sources, and what else there is to say.
func (a *app) printExplained(sources []explained, others []bot.Outcome) error {
	table := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	if len(sources) > 0 {
		fmt.Fprintln(table, "destination\tmerge\tlocked\tnewest\tcommits\tverdict\twhy")
	}
	for _, s := range sources {
		commits := "?"
		if s.Behind >= 0 {
			commits = fmt.Sprintf("+%d", s.Behind)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Dest, s.Remote+" "+s.Ref, shortID(s.Locked), shortID(s.Newest), commits, s.Verdict, s.why())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, o := range others {
		if slices.ContainsFunc(sources, func(s explained) bool { return o.Group == s.Dest }) {
			continue // said above
		}
		reason := cmp.Or(o.Reason, o.Title)
		if o.Action == bot.Waiting {
			reason += prefixed("; ", o.URL)
		}
		if _, err := fmt.Fprintf(a.stdout, "%s: %s%s\n", cmp.Or(o.Group, "all"), conditional(o, true).Action, prefixed(": ", reason)); err != nil {
			return err
		}
	}
	return nil
}

// why is the reason, and the pull request that it is about.
func (s explained) why() string {
	switch {
	case s.Pull.URL != "":
		return s.Why + prefixed(map[bool]string{true: "; ", false: ""}[s.Why != ""], s.Pull.URL)
	case s.Verdict == refresh.Proposed:
		return "the next run opens: " + s.Pull.Title + prefixed("; ", s.Why)
	}
	return s.Why
}

// prefixed is text with something before it, "" when it is empty.
func prefixed(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}
