package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/enterprise"
	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
)

// Exit codes of enterprise-import beside those of every command.
const (
	exitDrift = 3
	exitHead  = 4
)

type importOptions struct {
	enterprise.Options
	zip        string
	reportJSON string
	jsonOnly   bool
}

func (a *app) enterpriseImport() *cobra.Command {
	o := importOptions{Options: enterprise.Options{Limits: archive.DefaultLimits()}}
	cmd := &cobra.Command{
		Use:   "enterprise-import",
		Short: "Take Odoo Enterprise out of a bundle, into a private repository",
		Long: `Take the Enterprise modules out of a source bundle of Odoo's, and commit them to
the private mirror: one commit for each module that was added, changed or, with
--apply-removals, removed, and one for the README, which names the bundle.

Enterprise is what the Community checkout lacks, by the names of modules. The
checkout must be at the commit that the lock has, and must hold every Community
module as the bundle has it; what differs is looked up in Community's history.

Without --apply or --extract-to nothing is changed. stdout has a summary and the
report as JSON. --apply makes all commits or none, on the branch that is checked
out, and does not push them; the same bundle on the same commit makes the same
commits everywhere. An archive with anything in it that could do harm is refused
as a whole.

Exit codes: 0 done, 1 failed, 2 the bundle lacks a Community module, or wrong
usage or invalid input, 3 a Community module's copy in the bundle differs, 4 the
Community checkout is not at the locked commit.`,
		Example: `  odyssey-bot enterprise-import --source-bundle odoo_18.0+e.20261120.tar.gz --community-src src/odoo --repos-lock repos.lock.yaml --current-src mirror
  odyssey-bot enterprise-import --source-bundle odoo_18.0+e.20261120.tar.gz --community-src src/odoo --repos-lock repos.lock.yaml --current-src mirror --apply
  odyssey-bot enterprise-import --source-bundle odoo_18.0+e.20261120.tar.gz --community-src src/odoo --extract-to enterprise`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runEnterpriseImport(cmd.Context(), &o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Bundle, "source-bundle", "", "the bundle, a tar.gz or zip `FILE`")
	flags.StringVar(&o.zip, "zip", "", "the old name of --source-bundle")
	_ = flags.MarkHidden("zip")
	flags.StringVar(&o.Download, "download-src", "", "a `DIR` that a bundle was unpacked to, in the place of --source-bundle")
	flags.StringVar(&o.Community, "community-src", "", "checkout of Odoo Community; history is not needed, but explains drift")
	flags.StringVar(&o.Lock, "repos-lock", "", "the lock, for the commit of Community")
	flags.StringVar(&o.Dest, "community-dest", "./odoo", "`DEST` of Community in the lock")
	flags.StringVar(&o.Mirror, "current-src", "", "work tree of the private mirror")
	flags.BoolVar(&o.Apply, "apply", false, "commit to the mirror")
	flags.BoolVar(&o.Removals, "apply-removals", false, "with --apply, remove modules that the bundle does not have any more, too")
	flags.StringVar(&o.Extract, "extract-to", "", "copy the Enterprise modules to a new or empty `DIR`")
	flags.BoolVar(&o.AllowDrift, "allow-drift", false, "go on when Community modules differ in the bundle; Community's own count")
	flags.BoolVar(&o.AllowHead, "allow-community-head-mismatch", false, "go on when the Community checkout is not at the locked commit")
	flags.StringVar(&o.reportJSON, "report-json", "", "write the report to a `FILE`, too")
	flags.BoolVar(&o.jsonOnly, "json-only", false, "print only the report")
	return cmd
}

// check reads the flags together.
func (o *importOptions) check() error {
	if o.zip != "" && o.Bundle == "" {
		o.Bundle, o.zip = o.zip, ""
	}
	switch {
	case o.zip != "":
		return cli.Usagef("--zip is the old name of --source-bundle; give one of them")
	case (o.Bundle == "") == (o.Download == ""):
		return cli.Usagef("one of --source-bundle FILE and --download-src DIR says what is imported")
	case o.Community == "":
		return cli.Usagef("--community-src names the checkout of Odoo Community, which decides what is Enterprise")
	case o.Extract != "" && (o.Apply || o.Removals || o.Mirror != ""):
		return cli.Usagef("--extract-to is for a directory; --apply, --apply-removals and --current-src are for the mirror")
	case o.Extract == "" && o.Lock == "":
		return cli.Usagef("--repos-lock names the lock that has the commit of Community")
	case o.Removals && !o.Apply:
		return cli.Usagef("--apply-removals goes with --apply")
	case o.Apply && o.Mirror == "":
		return cli.Usagef("--apply needs the mirror: add --current-src DIR")
	}
	return nil
}

func (a *app) runEnterpriseImport(ctx context.Context, o *importOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	client := git.New(git.Options{Policy: gitname.Operator(false), Environ: a.environ})
	report, err := enterprise.Import(ctx, client, o.Options)
	if report != nil {
		if printed := a.printImport(o, report); printed != nil {
			return errors.Join(err, printed)
		}
	}
	return importExit(err)
}

// importExit gives an error its exit code.
func importExit(err error) error {
	code := cli.ExitFailed
	switch {
	case err == nil:
		return nil
	case errors.Is(err, enterprise.ErrHead):
		code = exitHead
	case errors.Is(err, enterprise.ErrDrift):
		code = exitDrift
	case errors.Is(err, enterprise.ErrMissing), errors.Is(err, enterprise.ErrInput):
		code = cli.ExitInvalid
	}
	return &cli.ExitError{Code: code, Err: err}
}

func (a *app) printImport(o *importOptions, r *enterprise.Report) error {
	if o.reportJSON != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if _, err := lock.WriteFile(o.reportJSON, append(data, '\n')); err != nil {
			return err
		}
	}
	if !o.jsonOnly {
		for _, line := range r.HumanSummary.Text {
			fmt.Fprintln(a.stdout, line)
		}
		for _, line := range r.HumanSummary.Warnings {
			fmt.Fprintln(a.stdout, "warning: "+line)
		}
		for _, line := range r.Recommendations {
			fmt.Fprintln(a.stdout, "next: "+line)
		}
		fmt.Fprintln(a.stdout)
	}
	return cli.PrintJSON(a.stdout, r)
}
