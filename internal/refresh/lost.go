package refresh

import (
	"context"
	"errors"
	"slices"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// Passes reports whether a merge may well be found again at the next run: its
// remote does not answer, or not as it should.
func Passes(l *lock.Lost) bool {
	return errors.Is(l.Err, git.ErrTransient) || errors.Is(l.Err, context.DeadlineExceeded)
}

// lose notes what is not proposed for merges whose refs could not be resolved, and
// which pull requests stay as they are for that.
func (p *planner) lose() {
	p.silent = map[string]bool{}
	for i := range p.Lost {
		l := &p.Lost[i]
		p.plan.Reasons = append(p.plan.Reasons, Reason{l.Dest, l.Remote, l.Ref, WhyLost(l)})
		p.plan.Waiting[p.Branch(l.Dest, l.Remote, l.Ref)] = true
		for _, b := range p.BranchesOf(l.Dest) {
			p.plan.Waiting[b] = p.plan.Waiting[b] || l.Locked == ""
		}
		if Passes(l) {
			p.silent[p.Branch(l.Dest, l.Remote, l.Ref)] = true
			p.plan.Waiting[SyncBranch] = p.plan.Waiting[SyncBranch] || l.Locked == ""
		}
	}
}

// LostErrors are the errors of merges, each once.
func LostErrors(lost []lock.Lost) (all []error) {
	for i := range lost {
		if !slices.Contains(all, lost[i].Err) {
			all = append(all, lost[i].Err)
		}
	}
	return all
}

// WhyLost says why a merge could not be resolved: one sentence without Markdown and
// without its full stop.
func WhyLost(l *lock.Lost) string {
	var missing *yamldoc.Error
	switch {
	case errors.As(l.Err, &missing) && l.Locked == "":
		return "its server has no such ref; mend or drop the line in " + ReposFile
	case errors.As(l.Err, &missing):
		return "its server has no such ref any more; mend or drop the line in " + ReposFile + " before the server forgets the locked commit, too"
	case Passes(l):
		return "its server does not answer as it should; it is asked again"
	case errors.Is(l.Err, git.ErrMoved):
		return firstLine(remoteErr(l.Err).Error()) + "; write its new URL in " + ReposFile + ", once you have seen that it is the same repository"
	case errors.Is(l.Err, git.ErrRefused), errors.Is(l.Err, git.ErrNoRepository):
		return firstLine(remoteErr(l.Err).Error()) + "; mend the URL of " + l.Remote + " in " + ReposFile + ", or let the bot read it"
	}
	return firstLine(remoteErr(l.Err).Error())
}

// remoteErr is what is wrong with a remote, without the place that names it.
func remoteErr(err error) error {
	if remote := (*lock.RemoteError)(nil); errors.As(err, &remote) {
		return remote.Err
	}
	return err
}

// hintOf is what a merge that is not found may have been meant to be, "" when
// there is nothing to say.
func hintOf(l *lock.Lost) string {
	var missing *yamldoc.Error
	if errors.As(l.Err, &missing) {
		return missing.Hint
	}
	return ""
}

// lostMerge finds a merge among the lost ones; nil when it is none.
func lostMerge(all []lock.Lost, dest, remote, ref string) *lock.Lost {
	i := slices.IndexFunc(all, func(l lock.Lost) bool {
		return Choice{Dest: l.Dest, Remote: l.Remote, Ref: l.Ref}.is(dest, remote, ref)
	})
	if i < 0 {
		return nil
	}
	return &all[i]
}
