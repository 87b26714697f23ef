package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
)

// The kinds of jobs that a Worker does beside those of refresh.Kinds.
const (
	kindMerges   = string(refresh.Merges)
	kindCommands = "commands"
)

// Worker does the queue's jobs on repositories. Its fields are set once,
// before use; several jobs may run at the same time, but not two on one
// repository: each would open a pull request where it found none.
type Worker struct {
	Bot    *Bot
	Forges map[string]Forge // by their names in the configuration
	// Reports keeps a Report of each job; nil keeps none.
	Reports Reports
	// Learned is told of every valid policy that a job has read; may be nil.
	Learned func(ctx context.Context, subject string, policy config.Repo)
	// Dashboards has an issue in each repository say where its sources stand.
	Dashboards bool
	// Crash is called after each write to a forge with its method's name, for
	// tests that end the process there; may be nil.
	Crash func(point string)
}

// place is the repository that a job is about.
type place struct {
	subject, forgeName string
	name               forge.Name
	forge              guarded // that asks the job's fence before each write
	log                *slog.Logger
}

// place finds a job's repository. A subject that means none is parked: no
// attempt will find it.
func (w *Worker) place(job queue.Job) (place, error) {
	forgeName, repo, _ := strings.Cut(job.Subject, ":")
	driver, known := w.Forges[forgeName]
	if !known {
		return place{}, queue.Park(fmt.Errorf("job %d: the configuration has no forge %q", job.ID, forgeName))
	}
	name, err := forge.ParseName(repo)
	if err != nil {
		return place{}, queue.Park(fmt.Errorf("job %d: %w", job.ID, err))
	}
	log := w.Bot.Log.With("forge", forgeName, "repo", name.String(), "job", job.ID, "attempt", job.Attempt)
	return place{job.Subject, forgeName, name, guard(driver, job.Fence, w.Crash), log}, nil
}

// Work does one job. Its error tells the queue what to do next.
func (w *Worker) Work(ctx context.Context, job queue.Job) error {
	at, err := w.place(job)
	if err != nil {
		return err
	}
	switch {
	case job.Kind == kindMerges:
		err = w.merges(ctx, at)
	case refresh.IsKind(job.Kind):
		err = w.refresh(ctx, at, refresh.Kind(job.Kind), len(job.Items) > 0)
	case job.Kind == kindCommands:
		err = w.commands(ctx, at, job)
	default:
		return queue.Park(fmt.Errorf("job %d: there is no kind of job %q", job.ID, job.Kind))
	}
	logFailure(at.log, job.Kind, err)
	return verdict(err)
}

// logFailure logs why a job is not done, once.
func logFailure(log *slog.Logger, kind string, err error) {
	switch classify(err) {
	case fine, userFault:
	case stopped:
		log.Info("job stopped", "kind", kind, "err", err)
	case limited, passing:
		log.Warn("job failed and is tried again", "kind", kind, "err", err)
	default:
		log.Error("job failed", "kind", kind, "err", err)
	}
}

// merges does what is due of a repository's merges.
func (w *Worker) merges(ctx context.Context, at place) error {
	started := w.Bot.Now()
	done, err := w.run(ctx, at, Demand{Kinds: []refresh.Kind{refresh.Merges}})
	if _, told := w.tell(ctx, at, &done); told != nil {
		err = errors.Join(err, told)
	}
	check(ctx, at, checkName, done, err, "")
	report := w.report(at, kindMerges, started, done.repo)
	report.Outcomes, report.Idle, report.Error = done.outcomes, done.idle, publicly(err)
	before, _ := w.last(ctx, at.subject)
	report.Destinations = done.destinations(before.Destinations, report.Finished)
	report.Pulls = done.pulls(before.Pulls)
	w.put(ctx, report)
	w.board(ctx, at, done)
	return errors.Join(err, done.passing)
}

// board keeps the dashboard after a run that could read the policy. That it
// cannot is logged: the next run tries again.
func (w *Worker) board(ctx context.Context, at place, done result) {
	if done.policy == nil || done.idle == unasked {
		return
	}
	if err := w.keepDashboard(ctx, at, done.repo, *done.policy, ticked{}); err != nil && ctx.Err() == nil {
		at.log.Warn("dashboard not kept", "err", err)
	}
}

// refresh does what is due of another kind in a repository.
func (w *Worker) refresh(ctx context.Context, at place, kind refresh.Kind, scheduled bool) error {
	started := w.Bot.Now()
	done, err := w.run(ctx, at, Demand{Kinds: []refresh.Kind{kind}, Scheduled: scheduled})
	if _, told := w.tell(ctx, at, &done); told != nil {
		err = errors.Join(err, told)
	}
	if done.idle == "" {
		check(ctx, at, checkName+" "+string(kind), done, err, "")
	}
	report := w.report(at, string(kind), started, done.repo)
	report.Outcomes, report.Idle, report.Error = done.outcomes, done.idle, publicly(err)
	if one, is := readHolds(done.issues).kind(kind); is {
		report.Held = one.String()
	}
	w.put(ctx, report)
	if of, known := w.last(ctx, at.subject); known && done.open != nil {
		of.Pulls = done.open
		w.put(ctx, of)
	}
	w.board(ctx, at, done)
	return err
}

// run is one run for a job: what may pass is left to the queue.
func (w *Worker) run(ctx context.Context, at place, d Demand) (result, error) {
	done, err := w.Bot.attempt(ctx, at.forge, at.name, d, retryLost)
	if done.policy != nil && w.Learned != nil {
		w.Learned(ctx, at.subject, *done.policy)
	}
	if done.repo.Name == (forge.Name{}) && errors.Is(err, forge.ErrNotFound) {
		err = fmt.Errorf("%w: %w", errGone, err)
	}
	logRun(ctx, at.log, done.outcomes, err)
	return done, err
}

// logRun logs what a run did, and which faults kept it from doing more.
func logRun(ctx context.Context, log *slog.Logger, outcomes []Outcome, err error) {
	for _, o := range outcomes {
		level := slog.LevelDebug
		if o.Action.Changed() {
			level = slog.LevelInfo
		}
		log.Log(ctx, level, "refresh looked at", "group", o.Group, "action", o.Action, "pr", o.URL, "reason", o.Reason)
	}
	if faults, _ := faultsOf(err); len(faults) > 0 {
		log.Warn("repository has faults", "count", len(faults), "err", errors.Join(faults...))
	}
}

// tell keeps the issues about the repository's faults, one for each kind of
// refresh that was looked at. A kind that failed for another reason says nothing
// about the files. It returns the address of one that is open, if there is one.
func (w *Worker) tell(ctx context.Context, at place, done *result) (url string, err error) {
	for _, kind := range slices.Sorted(maps.Keys(done.judged)) {
		faults, others := faultsOf(done.judged[kind])
		stray := done.strays(kind)
		if others || done.passing != nil && len(stray) == 0 {
			continue
		}
		if done.issues == nil {
			if done.issues, err = ownIssues(ctx, at.forge, done.repo); err != nil {
				return "", err
			}
		}
		tale := faultsTale{kind: kind, faults: append(faults, stray...), partial: len(stray) > 0}
		open, err := tellFaults(ctx, at.forge, done.repo, tale, done.issues)
		if err != nil {
			return "", err
		}
		url = cmp.Or(url, open)
	}
	return url, nil
}

// strays are the faults that keep merges from being found, whoever asked for what.
func (done *result) strays(kind refresh.Kind) (faults []error) {
	if kind != refresh.Merges || done.state == nil {
		return nil
	}
	lasting := slices.DeleteFunc(slices.Clone(done.state.Lost), func(l lock.Lost) bool { return refresh.Passes(&l) })
	return refresh.LostErrors(lasting)
}

func (w *Worker) report(at place, kind string, started time.Time, repo forge.Repo) Report {
	return Report{
		Subject: at.subject, Forge: at.forgeName, Repo: at.name.String(), WebURL: repo.WebURL,
		Kind: kind, Started: started, Finished: w.Bot.Now(),
	}
}
