package refresh_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// runs are refresh.Workflows made of data, in a scene whose bot resolves nothing
// by itself.
type runs struct {
	*pythonScene
	list  []forge.WorkflowRun
	err   error
	heads map[string]string
	files map[string]string // by "commit path"
	now   time.Time
}

func (r *runs) Runs(context.Context, string) ([]forge.WorkflowRun, error) { return r.list, r.err }

func (r *runs) Head(_ context.Context, branch string) (string, error) { return r.heads[branch], nil }

func (r *runs) File(_ context.Context, commit, path string) ([]byte, error) {
	if data, exists := r.files[commit+" "+path]; exists {
		return []byte(data), nil
	}
	return nil, forge.ErrNotFound
}

const lockWorkflow = "run-name: Python lock ${{ inputs.branch }}\non:\n  workflow_dispatch:\n    inputs:\n      branch: {type: string}\n"

func newRuns(t *testing.T) *runs {
	t.Helper()
	r := &runs{pythonScene: newPythonScene(t), heads: map[string]string{}, files: map[string]string{}, now: time.Unix(1_800_000_000, 0)}
	r.source.Resolver, r.source.Now = nil, func() time.Time { return r.now }
	r.tree[".gitea/workflows/python-lock.yml"] = lockWorkflow
	return r
}

func (r *runs) offers(how string) refresh.Offer {
	r.t.Helper()
	offer, err := r.source.Offer(r.t.Context(), refresh.Repository{
		Name: "acme/odoo-image", Policy: config.DefaultRepo(), Tree: r.tree, Workflows: r, Commands: true, Scheduled: how == "scheduled", Demanded: how == "demanded",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if _, waits := offer.Waiting["odyssey/python"]; !waits && len(offer.Drafts) == 0 && len(offer.Spent) == 0 {
		r.t.Errorf("a pull request would be closed: %+v", offer)
	}
	return offer
}

// dispatched expects that a run is asked for, or none.
func (r *runs) dispatched(what, how string, want bool) *refresh.Dispatch {
	r.t.Helper()
	offer := r.offers(how)
	if (offer.Dispatch != nil) != want {
		r.t.Fatalf("%s: %+v", what, offer)
	}
	return offer.Dispatch
}

// held expects that it is told why there is nothing to propose.
func (r *runs) held(what, how, words string) refresh.Held {
	r.t.Helper()
	offer := r.offers(how)
	if len(offer.Held) != 1 || len(offer.Drafts) > 0 || offer.Dispatch != nil || !strings.Contains(offer.Held[0].Reason, words) {
		r.t.Fatalf("%s: %+v", what, offer)
	}
	return offer.Held[0]
}

func (r *runs) idle(what, how, words string) {
	r.t.Helper()
	if offer := r.offers(how); !strings.Contains(offer.Idle, words) || offer.Dispatch != nil || len(offer.Drafts)+len(offer.Held) > 0 {
		r.t.Fatalf("%s: %+v", what, offer)
	}
}

// run puts a run of a branch on top of the list.
func (r *runs) run(state forge.RunState, branch string) {
	n := int64(len(r.list) + 1)
	run := forge.WorkflowRun{Number: n, Title: "Python lock " + branch, URL: "https://forge/runs/1", State: state, Created: r.now}
	r.list = append([]forge.WorkflowRun{run}, r.list...)
}

// A run is started once for what the lock is made of, followed, and its lock is
// proposed; the branch that it came by is spent then.
func TestPythonRun_once(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	d := r.dispatched("never looked at", "due", true)
	if d.Workflow != "python-lock.yml" || !refresh.IsResult(d.Branch) || d.Inputs()["branch"] != d.Branch || !slices.Contains(d.Clear, d.Branch) {
		t.Fatalf("%+v", d)
	}
	d.Tell(t.Context(), refresh.RunStarted)
	r.held("not listed yet", "demanded", "was asked for")

	r.run(forge.RunWaiting, d.Branch)
	if h := r.held("waits", "scheduled", "waits for a runner"); h.At.URL != "https://forge/runs/1" || h.At.Title != "run 1" {
		t.Errorf("%+v", h)
	}
	r.held("waits, and somebody asks again", "demanded", "waits for a runner")
	r.now = r.now.Add(90 * time.Minute)
	r.held("waits for long", "due", "label")
	r.list[0].State = forge.RunRunning
	r.held("runs", "due", "is resolving it")
	r.now = r.now.Add(3 * time.Hour)
	r.held("runs for long", "due", "hangs")

	r.heads[d.Branch], r.files["c1 requirements.lock.txt"] = "c1", locked("urllib3 2.0.1")
	r.held("not ended, though the branch is there", "due", "is resolving it")
	r.list[0].State = forge.RunSucceeded
	for range 2 { // a bot that was killed has it once more
		offer := r.offers("due")
		if len(offer.Drafts) != 1 || string(offer.Drafts[0].Files[0].New) != locked("urllib3 2.0.1") || offer.Spent[d.Branch] != "c1" {
			t.Fatalf("%+v", offer)
		}
		if text, err := offer.Drafts[0].Describe(t.Context()); err != nil || len(text.Doubts) != 1 || !strings.HasPrefix(text.Body, "Handed in by the workflow `python-lock.yml`") {
			t.Errorf("nobody has to look at what somebody pushed: %+v, %v", text.Doubts, err)
		}
	}
	delete(r.heads, d.Branch)
	r.idle("proposed", "due", "has not changed")
	r.idle("another process has looked", "due", "has not changed")
	r.tree[refresh.RequirementsLock] = locked("urllib3 2.0.1")
	r.idle("merged", "due", "has not changed")

	r.dispatched("asked for", "demanded", true)
	r.dispatched("time for it", "scheduled", true)
	r.run(forge.RunRunning, d.Branch)
	r.dispatched("asked for twice", "demanded", false)
	r.list[0].State = forge.RunSucceeded
	r.dispatched("a job of the schedule that was done twice", "scheduled", false)

	r.tree["requirements.in"] = "boto3\n"
	next := r.dispatched("something else", "due", true)
	if next.Branch == d.Branch || !slices.Equal(next.Clear, []string{next.Branch, d.Branch}) {
		t.Errorf("%+v after %+v", next, d)
	}
}

// What made no lock is told with its page, and not tried again by itself.
func TestPythonRun_failed(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	d := r.dispatched("never looked at", "due", true)
	d.Tell(t.Context(), refresh.RunStarted)
	r.run(forge.RunFailed, d.Branch)
	if h := r.held("failed", "due", "failed; its page says why"); h.At.URL == "" {
		t.Errorf("%+v", h)
	}
	r.heads[d.Branch], r.files["c1 requirements.lock.txt"] = "c1", locked("urllib3 2.0.1")
	r.held("failed, though the branch is there", "due", "failed; its page says why")
	delete(r.heads, d.Branch)
	r.list[0].State = forge.RunCancelled
	r.held("cancelled", "due", "was cancelled")
	r.dispatched("asked for", "demanded", true).Tell(t.Context(), refresh.RunStarted)
	r.held("asked for twice, and not listed yet", "demanded", "was asked for")
	r.held("looked at, and not listed yet", "due", "was asked for")
	r.run(forge.RunSucceeded, d.Branch)
	r.idle("the lock is the newest", "due", "has not changed")

	for what, bad := range map[string]string{
		"is missing":      "",
		"is not one":      "urllib3\n",
		"has no hashes":   "# Generated by odoo-build-image for Python 3.10.\nurllib3==1.0\n",
		"names no pack":   "# Generated by odoo-build-image for Python 3.10.\n",
		`for Python "3.9`: strings.Replace(locked("urllib3 1.0"), "3.10", "3.9", 1),
		"--index-url":     strings.Replace(locked("urllib3 1.0"), "\n", "\n--index-url https://evil.example\n", 1),
		"includes no":     locked("urllib3 1.0") + "-r /etc/passwd\n",
	} {
		r.heads[d.Branch] = "c2"
		r.files = map[string]string{}
		if bad != "" {
			r.files["c2 requirements.lock.txt"] = bad
		}
		if h := r.held(what, "due", what); len(h.Reason) > 1000 {
			t.Errorf("%s: %q", what, h.Reason)
		}
	}
	r.files["c2 requirements.lock.txt"] = r.tree[refresh.RequirementsLock]
	if offer := r.offers("due"); offer.Idle == "" || offer.Spent[d.Branch] != "c2" {
		t.Errorf("nothing is newer: %+v", offer)
	}
}

// A run that is not listed is started again when nobody knows that it was
// started, and else told.
func TestPythonRun_vanished(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	d := r.dispatched("never looked at", "due", true)
	d.Tell(t.Context(), refresh.RunAsked)
	r.held("killed before the answer", "due", "was asked for")
	r.now = r.now.Add(3 * time.Minute)
	r.dispatched("never came", "due", true).Tell(t.Context(), refresh.RunStarted)
	r.now = r.now.Add(3 * time.Minute)
	r.held("not listed yet", "due", "was asked for")
	r.now = r.now.Add(8 * time.Minute)
	r.held("vanished", "due", "is not there any more")
	r.dispatched("asked for", "demanded", true)
	r.dispatched("asked for", "demanded", true).Tell(t.Context(), refresh.RunAsked)
	r.source.Resolver = r.answer
	if offer, err := r.source.Offer(t.Context(), refresh.Repository{Name: "acme/odoo-image", Policy: config.DefaultRepo(), Tree: r.tree, Workflows: r}); err != nil || offer.Dispatch != nil {
		t.Errorf("%+v, %v", offer, err)
	}
	if kept, err := r.source.Memory.Get(t.Context(), refresh.RunBucket, "acme/odoo-image"); err != nil || len(kept) > 0 {
		t.Errorf("a run is followed that nobody needs: %s, %v", kept, err)
	}
	r.source.Resolver = nil
	r.source.Memory = nil
	r.dispatched("nothing is remembered", "due", true)
	r.run(forge.RunSucceeded, d.Branch)
	r.idle("nothing needs to be remembered", "due", "has not changed")

	r.run(forge.RunWaiting, "odyssey/python-lock/$(touch x)")
	r.run(forge.RunWaiting, "--"+d.Branch)
	r.run(forge.RunSucceeded, "odyssey/python-lock/../../main")
	r.idle("runs of others", "due", "has not changed")
	if d := r.dispatched("runs of others", "demanded", true); !slices.Equal(d.Clear, []string{d.Branch}) {
		t.Errorf("branches of others are removed: %q", d.Clear)
	}
}

// Why nothing can be done is told.
func TestPythonRun_unable(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	for err, words := range map[error]string{
		errors.ErrUnsupported: "executor: local", forge.ErrNotFound: "Gitea must be 1.26", forge.ErrUnauthorized: "actions: write", forge.ErrConflict: "switched off",
	} {
		r.err = err
		r.held(words, "demanded", words)
		if held, known := (&refresh.Dispatch{Group: "python", Workflow: "w.yml"}).Unable(err); !known || !strings.Contains(held.Reason, words) {
			t.Errorf("%v: %+v", err, held)
		}
	}
	r.err = forge.ErrTransient
	if _, err := r.source.Offer(t.Context(), refresh.Repository{Policy: config.DefaultRepo(), Tree: r.tree, Workflows: r}); !errors.Is(err, forge.ErrTransient) {
		t.Errorf("%v", err)
	}
	if _, known := (&refresh.Dispatch{}).Unable(nil); known {
		t.Error("a run that was started could not be")
	}

	r.tree[".gitea/workflows/python-lock.yml"] = "on: workflow_dispatch\n"
	r.idle("an older workflow", "demanded", "takes no input branch")
	delete(r.tree, ".gitea/workflows/python-lock.yml")
	r.idle("no workflow", "demanded", "there is no workflow python-lock.yml")
}

// Who resolves the lock follows from the policy, and from what the operator lets.
func TestPythonRun_executor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		executor     config.Executor
		local, forge bool
		want         string
	}{
		{config.ExecutorAuto, true, true, "local"},
		{config.ExecutorAuto, false, true, "workflow"},
		{config.ExecutorAuto, false, false, "python.local"},
		{config.ExecutorLocal, true, true, "local"},
		{config.ExecutorLocal, false, true, "executor: workflow"},
		{config.ExecutorWorkflow, true, true, "workflow"},
		{config.ExecutorWorkflow, true, false, "local"}, // plan
		{config.ExecutorWorkflow, false, false, "no workflows"},
	} {
		r := newRuns(t)
		if test.local {
			r.source.Resolver = r.answer
		}
		repo := refresh.Repository{Policy: config.DefaultRepo(), Tree: r.tree}
		repo.Policy.Python.Executor = test.executor
		if test.forge {
			repo.Workflows = r
		}
		offer, err := r.source.Offer(t.Context(), repo)
		got := offer.Idle
		switch {
		case len(r.answer.asked) > 0:
			got = "local"
		case offer.Dispatch != nil:
			got = "workflow"
		}
		if err != nil || !strings.Contains(got, test.want) {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
	}
}
