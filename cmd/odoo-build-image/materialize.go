package main

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/cli/gitflags"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/source"
)

// sourceFlags say how sources are fetched and written.
type sourceFlags struct {
	git   gitflags.Flags
	cache string
	shell bool
}

func (f *sourceFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.cache, "cache", "", "`DIR` that keeps what was fetched (default: odyssey/sources in the user's cache directory)")
	flags.BoolVar(&f.shell, "allow-shell-commands", false, "run the shell_command_after of destinations; refused otherwise")
	f.git.Register(cmd, 8, "destinations fetched at once")
}

func (a *app) materialize() *cobra.Command {
	var o sourceFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "materialize REPOS_LOCK [SRC_DIR]",
		Short: "Fetch, merge and write the locked sources",
		Long: `Fetch the locked commits, merge them as git-aggregator would, and write the
files of each destination below SRC_DIR ($ODOO_SRC, /opt/odoo/src). No .git is
made. What is in place already is left alone; destinations that an earlier lock
had put there are removed.`,
		Example: `  odoo-build-image materialize repos.lock.yaml src
  odoo-build-image materialize --cache /var/cache/odyssey --json repos.lock.yaml src`,
		Args:    cli.Args(cobra.RangeArgs(1, 2)),
		Version: cli.Version(),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readReposLock(args[0], o.git.Policy())
			if err != nil {
				return err
			}
			dir, err := a.sourceDir(args, 1)
			if err != nil {
				return err
			}
			status := cli.NewStatus(a.stderr, a.log.Quiet)
			report, err := a.sources(cmd.Context(), status, &o, file, dir)
			status.Finish()
			if err != nil {
				return err
			}
			if asJSON {
				return cli.PrintJSON(a.stdout, report)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a report as JSON")
	o.register(cmd)
	return cmd
}

// sources materialises a lock and says so.
func (a *app) sources(ctx context.Context, status *cli.Status, o *sourceFlags, file *lock.File, dir string) (*source.Report, error) {
	return a.someSources(ctx, status, o, file, dir, nil)
}

// someSources materialises some destinations of a lock; nil: all.
func (a *app) someSources(ctx context.Context, status *cli.Status, o *sourceFlags, file *lock.File, dir string, only []string) (*source.Report, error) {
	client, err := o.git.Client(a.environ)
	if err != nil {
		return nil, err
	}
	store, err := gitflags.OpenStore(client, o.cache)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	report, err := source.Materialize(ctx, file, source.Options{
		Store: store, Source: dir, Jobs: o.git.Jobs, Only: only, AllowShellCommands: o.shell, Environ: a.environ,
		Progress: func(e source.Event) { tell(status, e) },
	})
	if errors.Is(err, fs.ErrPermission) {
		err = &cli.NoteError{Err: err, Note: "name another directory as the last argument or by ODOO_SRC, and another cache by --cache"}
	}
	if err := errors.Join(err, store.Close()); err != nil { //nolint:contextcheck // it tidies though the run was ended
		return nil, err
	}
	status.Done("%-8s %-24s %s files, %s written, %s fetched  %s", "source", plural(len(report.Destinations), "repository", "repositories"),
		thousands(report.Files), source.Size(report.Bytes), source.Size(report.Fetched), duration(time.Since(start).Seconds()))
	return report, nil
}

// tell prints an event: what is over and was work stays.
func tell(status *cli.Status, e source.Event) {
	if e.Done && e.Worked {
		status.Done("%-8s %-24s %s  %s", e.Phase, e.Destination, e.Detail, duration(e.Seconds))
		return
	}
	status.Say("%-8s %-24s %s", e.Phase, e.Destination, e.Detail)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// thousands groups the digits of a number.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	var out strings.Builder
	for i, r := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(' ')
		}
		out.WriteRune(r)
	}
	return out.String()
}

func formatFloat(f float64, digits int) string { return strconv.FormatFloat(f, 'f', digits, 64) }
