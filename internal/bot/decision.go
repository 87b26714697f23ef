package bot

import (
	"cmp"
	"slices"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
)

// decide says of each source why it was, or was not, refreshed.
func (r *reconciler) decide(held holds) []refresh.Decision {
	var all []refresh.Decision
	for _, s := range r.state.Standings() {
		d := refresh.Decision{Standing: s, Behind: -1}
		if s.Locked == s.Newest {
			d.Behind = 0
		} else if n, known := r.ahead[merge{s.Dest, s.Remote, s.Ref, s.Locked, s.Newest}]; known {
			d.Behind = n
		}
		r.judge(&d, held)
		all = append(all, d)
	}
	return all
}

// notAsked is why nothing came of a source that a command was not about.
const notAsked = "nobody asked for it this time"

// judge fills in the verdict of a decision. The first that applies says most.
func (r *reconciler) judge(d *refresh.Decision, held holds) {
	hold, isHeld := held.find(d.Dest)
	branch := r.state.Branch(d.Dest, d.Remote, d.Ref)
	pr, isOpen := r.open[branch]
	outcome, told := r.outcomeOf(d.Dest, d.Remote, d.Ref)
	why := r.reason(d.Dest, d.Remote, d.Ref)
	switch {
	case r.lost(d.Dest, d.Remote, d.Ref):
		d.Verdict, d.Why, d.Behind = refresh.Lost, why, -1
		return
	case d.Locked == "":
		d.Verdict, d.Why = refresh.Unlocked, "the lock lacks it"
		pr, isOpen = r.open[refresh.SyncBranch]
	case gitname.IsObjectID(d.Ref):
		d.Verdict, d.Why = refresh.Pinned, "a commit in "+refresh.ReposFile+"; it moves by an edit of that file"
		return
	case d.Locked == d.Newest:
		d.Verdict, d.Why = refresh.Current, "nothing is newer"
		return
	case isHeld:
		d.Verdict, d.Why = refresh.OnHold, hold.String()
	case slices.Contains(r.plan.Held, d.Dest):
		d.Verdict, d.Why = refresh.Waiting, refresh.ReposFile+" and the lock disagree; it moves once they agree"
		pr, isOpen = r.open[refresh.SyncBranch]
	case why != "" && !isOpen:
		d.Verdict, d.Why = refresh.Waiting, why
	case told && outcome.Action == Held:
		d.Verdict, d.Why = refresh.Waiting, outcome.Reason
		d.Pull = refresh.Pull{URL: outcome.URL, Title: outcome.Title}
	case isOpen || told && outcome.Action.Changed():
		d.Verdict, d.Why = refresh.Proposed, cmp.Or(why, outcome.Reason)
		d.Pull = refresh.Pull{URL: outcome.URL, Title: outcome.Title}
	default:
		d.Verdict, d.Why = refresh.Waiting, notAsked
	}
	if isOpen {
		d.Pull = refresh.Pull{URL: pr.URL, Title: pr.Title}
	}
}

// lost reports whether a merge's ref could not be resolved.
func (r *reconciler) lost(dest, remote, ref string) bool {
	return slices.ContainsFunc(r.state.Lost, func(l lock.Lost) bool {
		return l.Dest == dest && l.Remote == remote && l.Ref == ref
	})
}

// reason is why a merge stays behind its ref, as far as it was tried.
func (r *reconciler) reason(dest, remote, ref string) string {
	i := slices.IndexFunc(r.plan.Reasons, func(one refresh.Reason) bool {
		return one.Dest == dest && one.Remote == remote && one.Ref == ref
	})
	if i < 0 {
		return ""
	}
	return r.plan.Reasons[i].Why
}

// outcomeOf finds what became of a merge's group.
func (r *reconciler) outcomeOf(dest, remote, ref string) (Outcome, bool) {
	group := r.state.Group(dest, remote, ref)
	i := slices.IndexFunc(r.outcomes, func(o Outcome) bool { return o.Group == group })
	if i < 0 {
		return Outcome{}, false
	}
	return r.outcomes[i], true
}
