package refresh

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
)

// Rehearser opens a place to try merges in, which the caller closes.
type Rehearser interface {
	// Rehearse fetches what leads to tips, and to may where that is still there.
	Rehearse(ctx context.Context, tips, may []git.Tip) (*git.Rehearsal, error)
}

// Reason says why a merge stays behind its ref.
type Reason struct {
	Dest, Remote, Ref string
	Why               string // a sentence without Markdown, no full stop
}

// rehearsing bounds the time in which one destination's merges are tried.
const rehearsing = 4 * time.Minute

// maxTries bounds how often merges are tried to find how far they apply: a
// bisection of 10,000 commits takes 14.
const maxTries = 40

// Prediction is what merging a destination's commits gives.
type Prediction struct {
	Dest   string
	Merges int    // that the destination has
	Tree   string // of the result; "" when it is not known
	// Unknown says why the merges could not be tried, or not far enough.
	Unknown string
	// Conflict is what keeps merges from the newest commits; nil: nothing.
	Conflict *Conflict

	bases []string
	// before and after are the addons of what is locked and of what is proposed,
	// merged; nil when that is not known of both.
	before, after *merged
}

// Conflict is two states that do not merge, and what is proposed instead.
type Conflict struct {
	Merge, Against Side
	Files          []ConflictFile
	Unrelated      bool // there is no history in common
	Instead        []Instead
	// Stuck says that not even what is locked applies.
	Stuck bool
}

// Side is a merge at a commit.
type Side struct{ Remote, Ref, Commit, URL string }

func (s Side) name() string { return s.Remote + " " + s.Ref }

// ConflictFile is a file that both sides changed.
type ConflictFile struct{ Path, Addon string }

// Instead is how far a merge moves that cannot move to its newest commit.
type Instead struct {
	Side
	Ahead, Of int    // commits from what is locked, on the way that the ref took
	Next      string // the first commit on that way that does not apply; "" when it was rewritten
}

// Settle merges what is proposed, in memory. What no longer applies is taken
// back to the furthest commit that does; a proposal that nothing is left of
// has no Changes then. What cannot be tried stays as it is proposed, and is
// said.
func (p *Proposal) Settle(ctx context.Context, r Rehearser) error {
	if p.Kind != Merges || p.Settled {
		return nil
	}
	p.Settled = true
	p.aim = &lock.File{Path: p.aim.Path, Destinations: slices.Clone(p.aim.Destinations)}
	for _, dest := range p.destinations() {
		if len(p.newest.Find(dest).Merges) < 2 {
			continue
		}
		s := p.search(dest)
		found, err := s.predict(ctx, r)
		if err != nil {
			return err
		}
		p.Predictions = append(p.Predictions, found)
		if found.Conflict != nil {
			p.cap(s)
		}
	}
	data, err := lock.Patch(p.Old, p.locked, p.Changes, p.urls)
	if err != nil {
		return err
	}
	for _, found := range p.Predictions {
		if found.Tree != "" && p.whole[found.Dest] {
			data = lock.Record(data, lock.Replayed{Dest: found.Dest, Tree: found.Tree, Bases: found.bases}, p.urls)
		}
	}
	p.New, p.Target = data, target(p.Kind, p.Group, p.Changes)
	return nil
}

// search looks for how far the merges of a destination apply.
type search struct {
	dest           string
	sides          []Side // as proposed
	locked, chosen []string
	moving         []int
	tries          int
	r              *git.Rehearsal
	instead        []Instead
	before, after  *merged
}

func (p *Proposal) search(dest string) *search {
	locked, newest := lock.Keep(p.locked, p.newest).Find(dest), p.newest.Find(dest)
	s := &search{dest: dest}
	for i, m := range newest.Merges {
		side := Side{m.Remote, m.Ref, locked.Merges[i].Commit, newest.Remote(m.Remote).URL}
		s.locked = append(s.locked, side.Commit)
		at := slices.IndexFunc(p.Changes, func(c lock.Change) bool {
			return path.Clean(c.Dest) == path.Clean(dest) && c.Remote == m.Remote && c.Ref == m.Ref && c.Old == side.Commit
		})
		if at >= 0 {
			side.Commit = p.Changes[at].New
			s.moving = append(s.moving, i)
		}
		s.sides, s.chosen = append(s.sides, side), append(s.chosen, side.Commit)
	}
	return s
}

// errTries: the search takes too long.
var errTries = errors.New("the search for a state that applies took too many tries")

// predict tries the merges. Only what ends the whole run is an error.
func (s *search) predict(ctx context.Context, r Rehearser) (Prediction, error) {
	bounded, cancel := context.WithTimeout(ctx, rehearsing)
	defer cancel()
	found := Prediction{Dest: s.dest, Merges: len(s.sides)}
	trial, conflict, err := s.run(bounded, r)
	found.before, found.after = s.before, s.after
	switch {
	case ctx.Err() != nil:
		return found, ctx.Err()
	case err != nil && bounded.Err() != nil:
		found.Unknown = fmt.Sprintf("it took longer than %v", rehearsing)
	case err != nil:
		found.Unknown = firstLine(err.Error())
	}
	found.Conflict = conflict
	if err == nil && trial.Clash == nil {
		found.Tree, found.bases = trial.Tree, trial.Bases
	}
	return found, nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func (s *search) run(ctx context.Context, r Rehearser) (trial git.Trial, conflict *Conflict, err error) {
	if s.r, err = r.Rehearse(ctx, s.tips(s.chosen), s.tips(s.locked)); err != nil {
		return trial, nil, err
	}
	defer s.r.Close() //nolint:contextcheck // a directory for temporary files
	if trial, err = s.try(ctx, s.chosen); err != nil || trial.Clash == nil {
		if err == nil {
			s.compare(ctx, trial)
		}
		return trial, nil, err
	}
	if conflict, err = s.describe(ctx, trial.Clash); err != nil {
		return trial, nil, err
	}
	clash := trial.Clash
	trial, err = s.furthest(ctx, clash)
	if err != nil || trial.Clash != nil {
		// Nothing is known to apply, so nothing is proposed.
		s.chosen, s.instead = s.locked, nil
		conflict.Stuck = err == nil || errors.Is(err, git.ErrNoCommit)
	}
	if errors.Is(err, git.ErrNoCommit) {
		err = nil // the locked state is gone from its server
	}
	conflict.Instead = s.instead
	if err == nil && trial.Clash == nil {
		s.compare(ctx, trial)
	}
	return trial, conflict, err
}

// tips are the merges at these commits.
func (s *search) tips(commits []string) []git.Tip {
	tips := make([]git.Tip, len(commits))
	for i, id := range commits {
		tips[i] = git.Tip{URL: s.sides[i].URL, Want: git.Want{Commit: id, Ref: s.sides[i].Ref}}
	}
	return tips
}

func (s *search) try(ctx context.Context, commits []string) (git.Trial, error) {
	if s.tries++; s.tries > maxTries {
		return git.Trial{}, errTries
	}
	return s.r.Try(ctx, s.tips(commits))
}

// furthest looks for the newest commits that apply, and leaves them in chosen.
// Where it is enough to hold one merge back, the others move; that is the later
// one of the two that conflict, if either would do.
func (s *search) furthest(ctx context.Context, clash *git.Clash) (git.Trial, error) {
	if err := s.r.Add(ctx, s.tips(s.locked)); err != nil {
		return git.Trial{}, err
	}
	trial, err := s.try(ctx, s.locked)
	if err != nil || trial.Clash != nil {
		return trial, err
	}
	order := slices.Clone(s.moving)
	rank := func(i int) int { return slices.Index([]int{clash.Against, clash.Number}, i) }
	slices.SortStableFunc(order, func(a, b int) int { return rank(b) - rank(a) })
	newest := slices.Clone(s.chosen)
	if len(order) > 1 {
		for _, i := range order {
			without := slices.Clone(newest)
			without[i] = s.locked[i]
			held, err := s.try(ctx, without)
			if err != nil {
				return held, err
			}
			if held.Clash == nil {
				s.chosen = without
				return s.bisect(ctx, i, newest[i], held)
			}
		}
	}
	s.chosen = slices.Clone(s.locked)
	for _, i := range s.moving {
		with := slices.Clone(s.chosen)
		with[i] = newest[i]
		moved, err := s.try(ctx, with)
		switch {
		case err != nil:
			return moved, err
		case moved.Clash == nil:
			s.chosen, trial = with, moved
		default:
			if trial, err = s.bisect(ctx, i, newest[i], trial); err != nil {
				return trial, err
			}
		}
	}
	return trial, nil
}

// bisect moves a merge as far towards newest as it applies, along the way that
// its ref took. trial is of the state that is chosen without.
func (s *search) bisect(ctx context.Context, i int, newest string, trial git.Trial) (git.Trial, error) {
	line, rewritten, err := s.r.Line(ctx, s.locked[i], newest)
	if err != nil {
		return trial, err
	}
	instead := Instead{Side: s.sides[i], Of: len(line)}
	bad, good := 0, len(line)
	for !rewritten && good-bad > 1 {
		middle := (bad + good) / 2
		with := slices.Clone(s.chosen)
		with[i] = line[middle]
		moved, err := s.try(ctx, with)
		switch {
		case err != nil:
			return trial, err
		case moved.Clash != nil:
			bad = middle
		default:
			good, trial = middle, moved
			s.chosen = with
		}
	}
	if !rewritten {
		instead.Next = line[bad]
	}
	instead.Commit, instead.Ahead = s.chosen[i], len(line)-good
	s.instead = append(s.instead, instead)
	return trial, nil
}

// describe says what does not merge.
func (s *search) describe(ctx context.Context, clash *git.Clash) (*Conflict, error) {
	c := &Conflict{Merge: s.sides[clash.Number], Unrelated: clash.Unrelated}
	if clash.Against >= 0 {
		c.Against = s.sides[clash.Against]
	}
	if c.Unrelated {
		return c, nil
	}
	addons := map[string]bool{}
	for _, side := range s.sides[:clash.Number+1] {
		entries, err := s.r.List(ctx, side.Commit)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if base := path.Base(e.Path); base == "__manifest__.py" || base == "__openerp__.py" {
				addons[path.Dir(e.Path)] = true
			}
		}
	}
	for _, f := range clash.Files {
		file := ConflictFile{f.Path, addonOf(f.Path, addons)}
		if !slices.Contains(c.Files, file) {
			c.Files = append(c.Files, file)
		}
	}
	return c, nil
}

// addonOf is the name of the addon that a file is in, "" when it is in none.
func addonOf(file string, addons map[string]bool) string {
	for dir := path.Dir(file); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if addons[dir] {
			return path.Base(dir)
		}
	}
	return ""
}

// cap takes the changes of a destination back to what a search chose.
func (p *Proposal) cap(s *search) {
	changes := p.Changes[:0:0]
	at := slices.IndexFunc(p.aim.Destinations, func(d lock.Destination) bool { return d.Path == s.dest })
	d := p.aim.Destinations[at]
	d.Merges = slices.Clone(d.Merges)
	for _, c := range p.Changes {
		i := -1
		if c.Dest == s.dest {
			i = slices.IndexFunc(s.moving, func(i int) bool {
				return s.sides[i].Remote == c.Remote && s.sides[i].Ref == c.Ref && s.locked[i] == c.Old
			})
		}
		if i < 0 {
			changes = append(changes, c)
			continue
		}
		number := s.moving[i]
		d.Merges[number].Commit = s.chosen[number]
		if s.chosen[number] != s.sides[number].Commit {
			p.Reasons = append(p.Reasons, Reason{c.Dest, c.Remote, c.Ref, p.Predictions[len(p.Predictions)-1].Conflict.why(p.Discretion)})
		}
		if c.New = s.chosen[number]; c.New != c.Old {
			changes = append(changes, c)
		}
	}
	p.Changes, p.aim.Destinations[at] = changes, d
}
