package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/odoo/launch"
	"github.com/nuobit/odyssey/internal/odoo/upkeep"
)

func (a *app) init() *cobra.Command {
	return &cobra.Command{
		Use:   "odoo-init DB [MODULES] [ODOO_WORD...]",
		Short: "Make an empty database one of Odoo",
		Long: `Install MODULES (base), separated by commas, into a database that is empty or
not there, without demonstration data. Words that begin with a dash, and all
after the modules, are Odoo's. The configuration is that of odoo-run.

Exit code 3: it is a database of Odoo already. 4: it has tables of something else. In
both cases nothing was done. Of two that run at once the second one waits for the
first, and ends with 3.`,
		Example: `  odoo-init production
  odoo-init production base,sale_management --load-language=ca_ES`,
		Args: databaseArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			modules, rest := []string{"base"}, args[1:]
			if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
				modules, rest = strings.Split(rest[0], ","), rest[1:]
			}
			return a.keep(cmd.Context(), func(ctx context.Context, u *upkeep.Upkeep) error {
				if a.check {
					argv, err := u.Launch.Argv(append([]string{"-d", args[0], "-i", strings.Join(modules, ","), "--stop-after-init", "--without-demo=all"}, rest...)...)
					if err != nil {
						return err
					}
					return a.say(u.Launch, argv)
				}
				return u.Init(ctx, args[0], modules, rest)
			})
		},
	}
}

func (a *app) update() *cobra.Command {
	var o upkeep.Update
	var detailed bool
	cmd := &cobra.Command{
		Use:   "odoo-update DB MODULES|all [ODOO_WORD...] | odoo-update DB --changed [ODOO_WORD...]",
		Short: "Update the modules of a database",
		Long: `Have Odoo update MODULES, separated by commas, or all, and what depends on them.
With --changed these are the installed modules whose files are not what they were at
the last update. What they were is kept in the database, where click-odoo-update
has it, too. Their names are printed. The configuration is that of odoo-run.

An update that waits for longer than --lock-timeout for a lock that another
session holds is ended, and the session is named.`,
		Example: `  odoo-update production sale,stock
  odoo-update production --changed --detailed-exitcode
  odoo-update staging --changed --neutralize`,
		Args: databaseArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Database, o.Args = args[0], args[1:]
			named := len(o.Args) > 0 && !strings.HasPrefix(o.Args[0], "-")
			switch {
			case named == o.Changed:
				return cli.Usagef("name the modules to update, or all, or give --changed instead\n  see: %s --help", cmd.Name())
			case named:
				o.Modules, o.Args = strings.Split(o.Args[0], ","), o.Args[1:]
			case o.LockTimeout < 0:
				return cli.Usagef("--lock-timeout is %s; it must not be negative", o.LockTimeout)
			}
			return a.keep(cmd.Context(), func(ctx context.Context, u *upkeep.Upkeep) error {
				if a.check {
					return a.plan(ctx, u, o)
				}
				updated, err := u.Update(ctx, o)
				for _, name := range updated {
					fmt.Fprintln(a.stdout, name)
				}
				if err == nil && detailed && len(updated) > 0 {
					return &cli.ExitError{Code: exitUpdated}
				}
				return err
			})
		},
	}
	const defaultTimeout = 5 * time.Minute
	flags := cmd.Flags()
	flags.BoolVar(&o.Changed, "changed", false, "update the modules whose files have changed")
	flags.BoolVar(&o.Neutralize, "neutralize", false, "neutralize the database afterwards, also when nothing was to be updated")
	flags.BoolVar(&detailed, "detailed-exitcode", false, "exit with 5 when something was updated, with 0 when nothing was")
	flags.DurationVar(&o.LockTimeout, "lock-timeout", defaultTimeout, "how long the update may wait for another session's lock; 0 for ever")
	return cmd
}

// plan says what an update would run.
func (a *app) plan(ctx context.Context, u *upkeep.Upkeep, o upkeep.Update) error {
	modules, err := u.Plan(ctx, o)
	if err != nil {
		return err
	}
	var commands [][]string
	add := func(words []string) {
		argv, failed := u.Launch.Argv(words...)
		commands, err = append(commands, argv), errors.Join(err, failed)
	}
	if len(modules) > 0 {
		add(o.Words(modules))
	}
	if o.Neutralize {
		add(o.NeutralizeWords())
	}
	if err != nil {
		return err
	}
	return a.say(u.Launch, commands...)
}

// keep does work on a database. Signals end it, and reach Odoo while that runs.
func (a *app) keep(ctx context.Context, work func(context.Context, *upkeep.Upkeep) error) error {
	l, err := a.launch()
	if err != nil {
		return err
	}
	if l.Config == "" && !a.quiet {
		fmt.Fprintln(a.stderr, "warning: no configuration says where the database is; it is looked for as psql would")
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, append(ends, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)...)
	defer signal.Stop(signals)
	ctx, stop := signal.NotifyContext(ctx, ends...)
	defer stop()
	err = work(ctx, &upkeep.Upkeep{
		Launch: l, Environ: l.Environ(), Signals: signals, Streams: [3]*os.File{null, os.Stderr, os.Stderr},
		Say: func(format string, args ...any) {
			if !a.quiet {
				fmt.Fprintf(a.stderr, format+"\n", args...)
			}
		},
	})
	return upkeepError(err)
}

// upkeepError gives errors their exit codes.
func upkeepError(err error) error {
	ended, module := (*launch.EndError)(nil), (*upkeep.ModuleError)(nil)
	switch {
	case errors.Is(err, upkeep.ErrIsOdoo):
		return &cli.ExitError{Code: exitIsOdoo, Err: err}
	case errors.Is(err, upkeep.ErrNotEmpty):
		return &cli.ExitError{Code: exitNotEmpty, Err: err}
	case errors.Is(err, upkeep.ErrReserved), errors.As(err, &module):
		return &cli.ExitError{Code: cli.ExitInvalid, Err: err}
	case errors.As(err, &ended) && ended.Signal != 0 && !errors.Is(err, context.Canceled):
		return &cli.ExitError{Code: ended.Code, Err: err}
	}
	return coded(err)
}
