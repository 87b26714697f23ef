package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/nuobit/odyssey/internal/cli"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/queue"
)

func (a *app) jobs() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "Look at the jobs of a server, and try dead ones again",
		Example: `  odyssey-bot jobs list --state dead
  odyssey-bot jobs retry 41`,
	}
	cmd.PersistentFlags().StringVar(&file, "config", config.ServerFile, "configuration of the bot")
	cmd.AddCommand(a.jobsList(&file),
		a.jobsEach(&file, "retry", "Run dead jobs again, with all that they had to do", retryJob),
		a.jobsEach(&file, "cancel", "End jobs that wait, and ask those that run to stop", cancelJob))
	return cli.Parent(cmd)
}

// openQueue opens the store of a configuration beside a server that may be at
// work on it.
func (a *app) openQueue(ctx context.Context, file string) (*queue.Queue, error) {
	log, err := a.log.Logger(a.stderr)
	if err != nil {
		return nil, err
	}
	server, err := config.LoadServer(file)
	if err != nil {
		return nil, &cli.ExitError{Code: cli.ExitInvalid, Err: err}
	}
	o := queueOptions(&server, log)
	o.Attach = true
	return queue.Open(ctx, o)
}

func (a *app) jobsList(file *string) *cobra.Command {
	var states []string
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List jobs that wait, run, or are dead",
		Example: `  odyssey-bot jobs list
  odyssey-bot jobs list --state dead --json`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkStates(states); err != nil {
				return err
			}
			q, err := a.openQueue(cmd.Context(), *file)
			if err != nil {
				return err
			}
			jobs, err := q.Jobs(cmd.Context(), queue.Filter{States: states, Limit: limit})
			if err := errors.Join(err, q.Close()); err != nil {
				return err
			}
			return a.printJobs(jobs, asJSON)
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", []string{queue.Waiting, queue.Retrying, queue.Running, queue.Dead}, "only those in the `STATE` "+strings.Join(jobStates(), ", ")+" (repeatable)")
	cmd.Flags().IntVar(&limit, "limit", 1000, "the newest so many")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	return cmd
}

func jobStates() []string {
	return []string{queue.Waiting, queue.Retrying, queue.Running, queue.Dead, queue.Cancelled, queue.Done}
}

func checkStates(states []string) error {
	for _, state := range states {
		if !slices.Contains(jobStates(), state) {
			return cli.Usagef("--state: there is no state %q; there are %s", state, strings.Join(jobStates(), ", "))
		}
	}
	return nil
}

func (a *app) printJobs(jobs []queue.Info, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(a.stdout, jobs)
	}
	if len(jobs) == 0 {
		a.say("there are no such jobs")
		return nil
	}
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "job\trepository\tkind\tstate\tattempt\tnext\tlast error")
	for _, j := range jobs {
		next := "-"
		if j.State == queue.Waiting || j.State == queue.Retrying {
			next = j.Scheduled.Local().Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%d\t%s\t%s\n", j.ID, j.Subject, j.Kind, j.State, j.Attempt, next, strings.SplitN(j.Error, "\n", 2)[0])
	}
	return table.Flush()
}

func retryJob(ctx context.Context, q *queue.Queue, id int64) (did string, err error) {
	by, err := q.Retry(ctx, id)
	if by != id {
		return fmt.Sprintf("job %d is to run again as job %d", id, by), err
	}
	return fmt.Sprintf("job %d is to run at once", id), err
}

func cancelJob(ctx context.Context, q *queue.Queue, id int64) (did string, err error) {
	return fmt.Sprintf("job %d is cancelled", id), q.Cancel(ctx, id)
}

// jobsEach is a command that does something to each job it is given.
func (a *app) jobsEach(file *string, name, short string, do func(context.Context, *queue.Queue, int64) (did string, err error)) *cobra.Command {
	return &cobra.Command{
		Use:     name + " JOB...",
		Short:   short,
		Example: "  odyssey-bot jobs " + name + " 41 42",
		Args:    cli.Args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var ids []int64
			for _, arg := range args {
				id, err := strconv.ParseInt(arg, 10, 64)
				if err != nil || id < 1 {
					return cli.Usagef("%q is no number of a job; odyssey-bot jobs list shows them", arg)
				}
				ids = append(ids, id)
			}
			q, err := a.openQueue(cmd.Context(), *file)
			if err != nil {
				return err
			}
			var failures []error
			for _, id := range ids {
				did, err := do(cmd.Context(), q, id)
				if err != nil {
					failures = append(failures, err)
					continue
				}
				a.say("%s", did)
			}
			return errors.Join(append(failures, q.Close())...)
		},
	}
}
