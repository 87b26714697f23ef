package refresh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/python/requirements"
)

// resultBranches begins the names of the branches by which workflows hand in
// Python locks. The rest is a digest of what the lock is made of.
const resultBranches = BranchPrefix + string(Python) + "-lock/"

// resultBranch is what the workflow of the scaffold takes.
var resultBranch = regexp.MustCompile("^" + resultBranches + "[0-9a-f]{32}$")

// IsResult reports whether a branch is one by which a workflow hands in what it
// made.
func IsResult(branch string) bool { return resultBranch.MatchString(branch) }

const (
	// unlisted is how long a run may be missing from a forge's list after it was
	// started.
	unlisted = 10 * time.Minute
	// unsure is how long it is waited for a run of which it is not known whether it
	// was started.
	unsure = 2 * time.Minute
	// longWait and longRun are after which a run is told to wait, or run, for long.
	longWait, longRun = time.Hour, 3 * time.Hour
	// settled is how old a run is that a schedule has repeated.
	settled = time.Hour
)

// RunBucket is where it is kept, by the name of the repository, which run of a
// workflow was started last, and that the repository is to be looked at again:
// nothing when nothing is under way. It may be forgotten.
const RunBucket = "pythonrun"

// workflowFiles are where a workflow may be.
func workflowFiles(name string) []string {
	return []string{".github/workflows/" + name, ".gitea/workflows/" + name, ".forgejo/workflows/" + name}
}

// anew is when a lock is made once more though nothing changed.
const anew = "it is started again when what the lock is made of changes, when it is time, and by /refresh python"

// executor decides what resolves the lock. Without one it says why.
func (p *PythonLock) executor(ctx context.Context, r Repository) (executor config.Executor, why string, err error) {
	want, name := r.Policy.Python.Executor, r.Policy.Python.Workflow
	switch {
	case p.Resolver != nil && (want != config.ExecutorWorkflow || r.Workflows == nil): // of a checkout, whatever the policy says
		return config.ExecutorLocal, "", nil
	case want == config.ExecutorLocal:
		return "", "the operator of this bot has no Python locks resolved (python.local in odyssey.yaml); executor: workflow has a workflow of the repository do it", nil
	case r.Workflows == nil:
		return "", "the forge has no workflows that could resolve it, and the operator of this bot does not let it do so itself: python.local in odyssey.yaml", nil
	}
	paths := workflowFiles(name)
	files, err := r.Tree.Files(ctx, paths)
	if err != nil {
		return "", "", err
	}
	why = "there is no workflow " + name
	for _, path := range paths {
		if data, exists := files[path]; exists && takesBranch(data) {
			return config.ExecutorWorkflow, "", nil
		} else if exists {
			why = path + " takes no input branch, or does not have it in its run-name"
		}
	}
	why += "; that of `odyssey-bot scaffold derived-image` will do"
	if want == config.ExecutorAuto {
		why += ". Nor has the operator of this bot locks resolved by itself: python.local in odyssey.yaml"
	}
	return "", why, nil
}

// sources is a digest of what a lock is made of, without the lock: it is the same
// once the new one was merged.
func (in LockInput) sources() string {
	in.Lock = nil
	return in.digest()
}

// byWorkflow offers what a workflow has made of the input, or has one run.
func (p *PythonLock) byWorkflow(ctx context.Context, r Repository, in LockInput) (Offer, error) {
	l := &lockRun{PythonLock: p, repo: r, in: in, workflow: r.Policy.Python.Workflow, branch: resultBranches + in.sources()[:32]}
	runs, err := r.Workflows.Runs(ctx, l.workflow)
	if why := unable(l.workflow, err); why != "" {
		return unresolved(why), nil
	}
	if err != nil {
		return Offer{}, err
	}
	run := runFor(runs, l.branch)
	if run == nil {
		return l.start(ctx, runs)
	}
	if !run.State.Ended() {
		l.note(ctx, "") // it is listed, which says more
		return l.wait(underWay(string(Python), l.workflow, *run).late(*run, p.now())), nil
	}
	if l.follows(ctx, *run) {
		return l.wait(Held{Group: string(Python), Reason: "the workflow " + l.workflow + " was asked for, and resolves it", UnderWay: true}), nil
	}
	if run.State == forge.RunSucceeded {
		head, err := r.Workflows.Head(ctx, l.branch)
		if err != nil {
			return Offer{}, err
		}
		if head != "" {
			return l.take(ctx, head, *run)
		}
	}
	if r.Demanded || r.Scheduled && p.now().Sub(run.Created) > settled {
		return l.dispatch(runs), nil
	}
	l.forget(ctx)
	if run.State == forge.RunSucceeded {
		return Offer{Idle: "what the Python lock is made of has not changed since " + l.workflow + " resolved it", Waiting: map[string]string{pythonBranch: ""}}, nil
	}
	return l.ended(*run), nil
}

// unable says what keeps workflows from being started or followed; "" when it is
// none of what people can mend.
func unable(workflow string, err error) string {
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return "the bot cannot start workflows on this forge; executor: local resolves the lock on its own machine"
	case errors.Is(err, forge.ErrNotFound):
		return "the forge knows no workflow " + workflow + " or no such request: Actions must be switched on in the repository, and Gitea must be 1.26 or newer"
	case errors.Is(err, forge.ErrUnauthorized):
		return "the bot's account may not start workflows here: Actions must be switched on in the repository, and a GitHub App needs the permission actions: write, an account write access"
	case errors.Is(err, forge.ErrConflict):
		return "the forge refuses to start the workflow " + workflow + ": it is switched off, or its file has faults"
	}
	return ""
}

// Unable says of a dispatch that failed what people can do; false when it is none
// of that.
func (d *Dispatch) Unable(err error) (Held, bool) {
	why := unable(d.Workflow, err)
	return Held{Group: d.Group, Reason: why}, why != ""
}

// underWay says that a run has not ended.
func underWay(group, workflow string, run forge.WorkflowRun) Held {
	doing := "is resolving it"
	if run.State == forge.RunWaiting {
		doing = "is to resolve it, and waits for a runner"
	}
	return Held{Group: group, Reason: "the workflow " + workflow + " " + doing, At: pageOf(run), UnderWay: true}
}

func pageOf(run forge.WorkflowRun) Pull {
	return Pull{URL: run.URL, Title: fmt.Sprintf("run %d", run.Number)}
}

// late adds what to do about a run that is not as far as it should be.
func (h Held) late(run forge.WorkflowRun, now time.Time) Held {
	age := now.Sub(run.Created)
	switch {
	case run.Created.IsZero():
	case run.State == forge.RunWaiting && age > longWait:
		h.Reason += fmt.Sprintf(" for more than %s: is there one with the label that its runs-on names?", hours(longWait))
	case run.State == forge.RunRunning && age > longRun:
		h.Reason += fmt.Sprintf(" for more than %s: look at its page, and cancel it if it hangs", hours(longRun))
	}
	return h
}

func hours(d time.Duration) string { return count(int(d/time.Hour), "hour") }

// lockRun is a Python lock that a workflow is to make.
type lockRun struct {
	*PythonLock
	repo             Repository
	in               LockInput
	workflow, branch string
}

func (p *PythonLock) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// follows reports whether one was started after a run for the same, that is not
// listed yet.
func (l *lockRun) follows(ctx context.Context, run forge.WorkflowRun) bool {
	branch, at, sure := l.noted(ctx)
	age := l.now().Sub(at).Abs()
	return branch == l.branch && run.Number > 0 && l.notedAfter(ctx) == run.Number && (age <= unsure || sure && age <= unlisted)
}

// start has a run started of which there is none, unless one was that is not
// listed.
func (l *lockRun) start(ctx context.Context, runs []forge.WorkflowRun) (Offer, error) {
	branch, at, sure := l.noted(ctx)
	age := l.now().Sub(at).Abs()
	switch {
	case branch != l.branch, !sure && age > unsure:
	case age <= unlisted:
		return l.wait(Held{Group: string(Python), Reason: "the workflow " + l.workflow + " was asked for, and resolves it", UnderWay: true}), nil
	case !l.repo.Demanded && !l.repo.Scheduled:
		return unresolved("the run of " + l.workflow + " that was started is not there any more; " + anew), nil
	}
	return l.dispatch(runs), nil
}

// dispatch asks for a run.
func (l *lockRun) dispatch(runs []forge.WorkflowRun) Offer {
	stale := []string{l.branch} // of a run that was not taken up
	after := int64(0)
	if last := runFor(runs, l.branch); last != nil {
		after = last.Number
	}
	for _, run := range runs {
		for _, word := range strings.Fields(run.Title) {
			if IsResult(word) && !slices.Contains(stale, word) && len(stale) < mostCleared {
				stale = append(stale, word)
			}
		}
	}
	return Offer{
		Waiting: map[string]string{pythonBranch: ""},
		Dispatch: &Dispatch{Group: string(Python), Workflow: l.workflow, Branch: l.branch, Clear: stale, Tell: func(ctx context.Context, progress Progress) {
			if progress == RunRefused {
				l.forget(ctx)
				return
			}
			l.note(ctx, fmt.Sprintf("%s %d %s %d", l.branch, l.now().Unix(), progress, after))
		}},
	}
}

// mostCleared is how many branches of earlier runs are looked for.
const mostCleared = 5

// wait is the offer while a run is under way.
func (l *lockRun) wait(held Held) Offer {
	return Offer{Waiting: map[string]string{pythonBranch: ""}, Held: []Held{held}}
}

// ended is the offer after a run that made no lock.
func (l *lockRun) ended(run forge.WorkflowRun) Offer {
	how := "failed; its page says why"
	if run.State == forge.RunCancelled {
		how = "was cancelled"
	}
	offer := unresolved("the workflow " + l.workflow + " " + how + "; " + anew)
	offer.Held[0].At = pageOf(run)
	return offer
}

// take offers the lock that a workflow has made. Whoever may push to the
// repository may have pushed it: nothing of the branch but the lock is read, and
// that is held to what the bot's own would be.
func (l *lockRun) take(ctx context.Context, head string, run forge.WorkflowRun) (Offer, error) {
	refused := func(why string) (Offer, error) {
		offer := unresolved(RequirementsLock + " of the branch " + l.branch + " " + why + "; it is not proposed, and " + anew)
		offer.Held[0].At = pageOf(run)
		return offer, nil
	}
	l.forget(ctx)
	data, err := l.repo.Workflows.File(ctx, head, RequirementsLock)
	fault := (*forge.FileError)(nil)
	switch {
	case errors.Is(err, forge.ErrNotFound):
		return refused("is missing")
	case errors.As(err, &fault):
		return refused(fault.Reason)
	case err != nil:
		return Offer{}, err
	}
	after, why := l.check(data)
	if why != "" {
		return refused(why)
	}
	spent := map[string]string{l.branch: head}
	if bytes.Equal(data, l.in.Lock) {
		return Offer{Idle: "every Python package is at the newest version that is allowed", Spent: spent}, nil
	}
	draft, err := l.draft(l.repo, l.in, LockResult{Lock: data, Python: after.Python})
	if err != nil {
		return Offer{}, err
	}
	describe := draft.Describe
	draft.Describe = func(ctx context.Context) (Text, error) {
		text, err := describe(ctx)
		if text.Body != "" {
			text.Body = "Handed in by the workflow " + Code(l.workflow) + ": whoever may push to this repository can have made it, so look at all that changes.\n\n" + text.Body
		}
		text.Doubts = append(text.Doubts, "whoever may push to the repository can have made this lock")
		return text, err
	}
	return Offer{Drafts: []Draft{draft}, Spent: spent}, nil
}

// check reads a lock that somebody else has made. It says why it is none that
// odoo-build-image would have made of the input.
func (l *lockRun) check(data []byte) (after *requirements.Lock, why string) {
	after, err := requirements.ParseLock(RequirementsLock, data)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return nil, "is not one: " + first
	}
	before, err := requirements.ParseLock(RequirementsLock, l.in.Lock)
	if err != nil {
		before = &requirements.Lock{}
	}
	known := func(o requirements.Option) bool {
		return slices.ContainsFunc(before.Options, func(b requirements.Option) bool { return b.Text == o.Text })
	}
	switch {
	case after.Empty():
		return nil, "names no package"
	case !after.Hashed():
		return nil, "has no hashes"
	case after.Python == "" || l.in.Python != "" && after.Python != l.in.Python:
		return nil, fmt.Sprintf("is for Python %q and not %q", after.Python, l.in.Python)
	}
	for _, o := range after.Options {
		if !known(o) {
			return nil, "has an option that the present one has not: " + o.Name
		}
	}
	return after, ""
}

// noted returns what note has kept: the branch of a run, when it was asked for,
// and whether the forge has taken it.
func (l *lockRun) noted(ctx context.Context) (branch string, at time.Time, sure bool) {
	if l.Memory == nil {
		return "", at, false
	}
	data, err := l.Memory.Get(ctx, RunBucket, l.repo.Name)
	words := strings.Fields(string(data))
	if err != nil || len(words) < 3 {
		return "", at, false
	}
	seconds, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		return "", at, false
	}
	return words[0], time.Unix(seconds, 0), words[2] == string(RunStarted)
}

// notedAfter returns the number of the newest run for the same when the one that
// note has kept was asked for; 0 when there was none.
func (l *lockRun) notedAfter(ctx context.Context) int64 {
	data, err := l.Memory.Get(ctx, RunBucket, l.repo.Name)
	words := strings.Fields(string(data))
	if err != nil || len(words) != 4 {
		return 0
	}
	number, err := strconv.ParseInt(words[3], 10, 64)
	if err != nil {
		return 0
	}
	return number
}

// note keeps that something is under way.
func (l *lockRun) note(ctx context.Context, what string) {
	if l.Memory == nil {
		return
	}
	if what == "" {
		what = l.branch
	}
	_ = l.Memory.Put(ctx, RunBucket, l.repo.Name, []byte(what)) // it may be forgotten
}

// forget keeps that nothing is.
func (l *lockRun) forget(ctx context.Context) { l.forgetRun(ctx, l.repo.Name) }

func (p *PythonLock) forgetRun(ctx context.Context, repo string) {
	if p.Memory == nil {
		return
	}
	if had, err := p.Memory.Get(ctx, RunBucket, repo); err == nil && len(had) > 0 {
		_ = p.Memory.Put(ctx, RunBucket, repo, nil) // it may be forgotten
	}
}
