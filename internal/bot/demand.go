package bot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/refresh"
)

// Demand is what a person asks of a run. It is done whether or not it was
// closed or taken back before; what is not demanded is left as it is. The zero
// value asks for nothing: the run does what is due.
type Demand struct {
	Kinds        []refresh.Kind   // keep to these; none: all that there are
	Scheduled    bool             // it is time for the kinds, or a person names them: what is done now and then is done now
	All          bool             // everything that there is of the kinds
	Destinations []string         // all merges of these, whatever was chosen of them before
	Choices      []refresh.Choice // these merges; Remote may be empty for the destination's first
	Branch       string           // what the bot's open pull request from this branch is about
	Rebase       bool             // with Branch: make it anew on the default branch
	Foreign      bool             // asked for in another repository, so that nobody of this one is overruled
	Bundle       string           // SHA-256 of the bundle of Enterprise that somebody has looked at
}

// none reports whether nobody asks for anything: what is due is done.
func (d Demand) none() bool { return !d.All && !d.named() && d.Branch == "" }

// named reports whether the demand names merges.
func (d Demand) named() bool { return len(d.Destinations) > 0 || len(d.Choices) > 0 }

// aboutMerges reports whether the plan of the merges is to be looked at.
func (d Demand) aboutMerges() bool {
	if d.Branch != "" {
		return refresh.IsMerges(d.Branch)
	}
	return d.named() || d.takes(refresh.Merges)
}

// about reports whether a source is to be asked.
func (d Demand) about(s refresh.Source) bool {
	if d.Branch != "" {
		return s.Mine(d.Branch)
	}
	return !d.named() && d.takes(s.Kind())
}

// aboutEnterprise reports whether a mirror of Enterprise is to be looked at.
func (d Demand) aboutEnterprise() bool {
	return d.Branch == "" && !d.named() && d.takes(refresh.Enterprise)
}

func (d Demand) takes(kind refresh.Kind) bool {
	return len(d.Kinds) == 0 || slices.Contains(d.Kinds, kind)
}

// RefusedError is a demand that cannot be met. Its text is Markdown in which
// whatever others wrote is escaped.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// wanted is what a run is to treat. The zero value is everything that is due.
type wanted struct {
	demand   Demand
	branches map[string]bool // nil: all
	inDemand []string        // destinations that the demand names
	anew     bool
}

// want finds the branches that a demand, whose names exist, is about.
func want(d Demand, state *refresh.State) wanted {
	w := wanted{demand: d, anew: d.Rebase}
	if d.none() || d.All {
		return w
	}
	w.branches = map[string]bool{}
	for _, dest := range d.Destinations {
		w.inDemand = append(w.inDemand, dest)
		for _, b := range state.BranchesOf(dest) {
			w.branches[b] = true
		}
	}
	for _, c := range d.Choices {
		w.inDemand = append(w.inDemand, c.Dest)
		w.branches[state.Branch(c.Dest, c.Remote, c.Ref)] = true
	}
	if d.Branch != "" {
		w.branches[d.Branch] = true
		for _, s := range state.Standings() {
			if state.Branch(s.Dest, s.Remote, s.Ref) == d.Branch {
				w.inDemand = append(w.inDemand, s.Dest)
			}
		}
	}
	return w
}

func (w wanted) demanded() bool { return !w.demand.none() }

func (w wanted) branch(name string) bool { return w.branches == nil || w.branches[name] }

// destination reports whether what holds a destination up is to be told.
func (w wanted) destination(dest string) bool { return w.branches == nil || w.named(dest) }

func (w wanted) anyOf(dests []string) bool { return slices.ContainsFunc(dests, w.destination) }

// named reports whether the demand is about this destination and not about
// all.
func (w wanted) named(dest string) bool {
	return slices.ContainsFunc(w.inDemand, func(d string) bool { return path.Clean(d) == path.Clean(dest) })
}

// resolve gives the names of a demand their declared spelling, and looks at
// the commits that it asks for.
func (r *reconciler) resolve(ctx context.Context, d Demand) (Demand, error) {
	d.Destinations, d.Choices = slices.Clone(d.Destinations), slices.Clone(d.Choices)
	for i, dest := range d.Destinations {
		declared, err := r.state.Destination(dest)
		if err != nil {
			return d, err
		}
		d.Destinations[i] = declared
	}
	for i, c := range d.Choices {
		known, err := r.state.Choose(c)
		if errors.Is(err, refresh.ErrPinned) {
			return d, &RefusedError{refresh.Code(known.Remote+" "+known.Ref) + " is a commit in `" + refresh.ReposFile + "`; it moves by an edit of that file."}
		}
		if err != nil {
			return d, err
		}
		if known.Outside, err = r.outside(ctx, known); err != nil {
			return d, err
		}
		d.Choices[i] = known
	}
	return d, nil
}

// outside asks the remote for the commit that a choice is to be at. It reports
// whether the merge's ref is known not to lead to it.
func (r *reconciler) outside(ctx context.Context, c refresh.Choice) (bool, error) {
	all := r.state.Standings()
	at := slices.IndexFunc(all, func(s refresh.Standing) bool {
		return c.Same(refresh.Choice{Dest: s.Dest, Remote: s.Remote, Ref: s.Ref})
	})
	if at < 0 || c.To == "" || c.To == all[at].Newest || c.To == all[at].Locked {
		return false, nil
	}
	merge := all[at]
	found, err := r.Git.Histories(ctx, merge.URL, []git.Range{{Old: c.To, New: merge.Newest}})
	failed := (*git.Error)(nil)
	switch {
	case errors.As(err, &failed) && !errors.Is(err, git.ErrTransient):
		return false, &RefusedError{fmt.Sprintf("the server of %s does not give me the commit %s: %s.", refresh.Code(c.Remote), refresh.Code(c.To), refresh.Inline(failed.Error()))}
	case err != nil:
		return false, fmt.Errorf("look for %s on %s: %w", c.To, merge.URL, err)
	case found[0].OldGone:
		return false, &RefusedError{"the server of " + refresh.Code(c.Remote) + " does not have the commit `" + c.To + "`."}
	}
	return found[0].Behind > 0 && !found[0].AtLeast, nil
}

// choices are those of the open pull requests, but for what the demand says
// anew.
func (r *reconciler) choices(d Demand) []refresh.Choice {
	if d.All {
		return nil
	}
	var all []refresh.Choice
	add := func(c refresh.Choice) {
		all = append(slices.DeleteFunc(all, c.Same), c)
	}
	for _, p := range slices.Sorted(maps.Keys(r.open)) {
		for _, c := range r.readChoices(r.open[p].Body) {
			anew := slices.ContainsFunc(d.Destinations, func(dest string) bool { return path.Clean(dest) == path.Clean(c.Dest) })
			if !anew && r.state.Branch(c.Dest, c.Remote, c.Ref) == p {
				add(c)
			}
		}
	}
	for _, c := range d.Choices {
		add(c)
	}
	return all
}

// rememberable refuses what would not fit into a pull request's text.
func (r *reconciler) rememberable(d Demand, choices []refresh.Choice) error {
	for _, asked := range d.Choices {
		branch := r.state.Branch(asked.Dest, asked.Remote, asked.Ref)
		together := slices.DeleteFunc(slices.Clone(choices), func(c refresh.Choice) bool { return r.state.Branch(c.Dest, c.Remote, c.Ref) != branch })
		if markChoices(together) == "" {
			return &RefusedError{"too many merges of this pull request are chosen one by one; name the destination alone."}
		}
	}
	return nil
}

// ownIssues lists the bot's issues; a repository may have none at all.
func ownIssues(ctx context.Context, f Forge, repo forge.Repo) ([]forge.Issue, error) {
	own, err := f.OwnIssues(ctx, repo)
	if errors.Is(err, forge.ErrNotFound) {
		err = nil
	}
	if own == nil {
		own = []forge.Issue{}
	}
	return own, err
}
