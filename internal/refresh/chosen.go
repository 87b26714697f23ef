package refresh

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Rehearse merges the destination of a choice at the very commits that are
// proposed for it. It returns nil when they apply, when there is nothing to merge,
// and when it cannot be found out: Settle says that.
func (p *Proposal) Rehearse(ctx context.Context, r Rehearser, c Choice) (*Attempt, error) {
	if d := p.newest.Find(c.Dest); p.Kind != Merges || d == nil || len(d.Merges) < 2 {
		return nil, nil //nolint:nilnil // there is nothing to merge
	}
	bounded, cancel := context.WithTimeout(ctx, rehearsing)
	defer cancel()
	s := p.search(c.Dest)
	attempt, err := s.attempt(bounded, r)
	if err != nil {
		return nil, ctx.Err()
	}
	return attempt, nil
}

// attempt is what came of the commits that are chosen, nil when they apply.
func (s *search) attempt(ctx context.Context, r Rehearser) (attempt *Attempt, err error) {
	if s.r, err = r.Rehearse(ctx, s.tips(s.chosen), s.tips(s.locked)); err != nil {
		return nil, err
	}
	defer s.r.Close() //nolint:contextcheck // a directory for temporary files
	trial, err := s.try(ctx, s.chosen)
	if err != nil || trial.Clash == nil {
		return nil, err
	}
	attempt = &Attempt{Dest: s.dest, Sides: s.sides}
	attempt.Conflict, err = s.describe(ctx, trial.Clash)
	return attempt, err
}

// Markdown says what does not apply, and the commands that show it.
func (a *Attempt) Markdown(d Discretion) string {
	return a.Conflict.sentence(d) + " To see it in git:\n\n```sh\n" + strings.Join(a.commands(), "\n") + "\n```"
}

// commands merge up to the conflict, in a shell.
func (a *Attempt) commands() []string {
	lines := []string{"git init conflict && cd conflict"}
	last := slices.Index(a.Sides, a.Conflict.Merge)
	for i, side := range a.Sides[:last+1] {
		then := "git merge --no-edit FETCH_HEAD"
		if i == 0 {
			then = "git reset --hard FETCH_HEAD"
		}
		lines = append(lines, fmt.Sprintf("git fetch %s %s && %s", shellWord(side.URL), side.Commit, then))
	}
	return lines
}
