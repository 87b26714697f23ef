package refresh

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
)

// Attempt is what came of merging a destination's commits as somebody named them.
type Attempt struct {
	Dest     string
	Sides    []Side // in the order of the merges
	At       int    // the one that the named commit is of
	Tree     string // "" after a conflict
	Conflict *Conflict
}

var abbreviated = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// ErrCommit is of a commit that no merge of the destination has.
var ErrCommit = errors.New("no merge has this commit")

// At merges a destination's newest commits, but for the merge whose ref has the
// commit, which is at that one. The commit may be the beginning of an id, of
// seven digits or more. Names that do not exist are a *lock.NameError.
func (s *State) At(ctx context.Context, r Rehearser, dest, commit string) (*Attempt, error) {
	name, err := s.Destination(dest)
	if err != nil {
		return nil, err
	}
	if !abbreviated.MatchString(commit) {
		return nil, fmt.Errorf("%w: %q is no commit id, nor the beginning of one with seven digits or more", ErrCommit, commit)
	}
	d := s.newest.Find(name)
	look := &search{dest: name}
	for _, m := range d.Merges {
		look.sides, look.chosen = append(look.sides, Side{m.Remote, m.Ref, m.Commit, d.Remote(m.Remote).URL}), append(look.chosen, m.Commit)
	}
	if look.r, err = r.Rehearse(ctx, look.tips(look.chosen), nil); err != nil {
		return nil, err
	}
	defer look.r.Close() //nolint:contextcheck // a directory for temporary files
	at, id, err := look.find(ctx, commit)
	if err != nil {
		return nil, err
	}
	look.sides[at].Commit, look.chosen[at] = id, id
	trial, err := look.try(ctx, look.chosen)
	if err != nil {
		return nil, err
	}
	attempt := &Attempt{Dest: name, Sides: look.sides, At: at, Tree: trial.Tree}
	if trial.Clash != nil {
		attempt.Conflict, err = look.describe(ctx, trial.Clash)
	}
	return attempt, err
}

// find returns which merge has a commit in its history, and the commit's id. One
// that is the newest of a merge is of that one.
func (s *search) find(ctx context.Context, commit string) (at int, id string, err error) {
	if at = slices.IndexFunc(s.chosen, func(id string) bool { return strings.HasPrefix(id, commit) }); at >= 0 {
		return at, s.chosen[at], nil
	}
	id, err = s.r.Abbreviated(ctx, commit)
	for i := 0; i < len(s.sides) && err != nil && gitname.IsObjectID(commit); i++ {
		tip := git.Tip{URL: s.sides[i].URL, Want: git.Want{Commit: commit, Ref: s.sides[i].Ref}}
		if err = s.r.Add(ctx, []git.Tip{tip}); err == nil {
			return i, commit, nil
		}
	}
	if err != nil {
		return 0, "", fmt.Errorf("%w of %s: %s\n  give the full id when it is further back than what was fetched", ErrCommit, s.dest, commit)
	}
	for i, newest := range s.chosen {
		if relation, err := s.r.Relate(ctx, id, newest); err == nil && relation.FastForward {
			return i, id, nil
		}
	}
	return 0, "", fmt.Errorf("%w of %s: %s", ErrCommit, s.dest, commit)
}

// Lines says what came of an attempt, for a terminal, without markup.
func (a *Attempt) Lines() []string {
	lines := []string{plain(a.Dest)}
	width := 0
	for _, side := range a.Sides {
		width = max(width, len(plain(side.name())))
	}
	for _, side := range a.Sides {
		lines = append(lines, fmt.Sprintf("  %-*s  %s", width, plain(side.name()), side.Commit))
	}
	if a.Conflict == nil {
		return append(lines, "applies: tree "+a.Tree)
	}
	lines = append(lines, "conflict: "+a.Conflict.why(Discretion{}))
	for _, f := range a.Conflict.Files {
		line := "  " + plain(f.Path)
		if f.Addon != "" {
			line += " (addon " + plain(f.Addon) + ")"
		}
		lines = append(lines, line)
	}
	lines = append(lines, "to see it in git:")
	for _, command := range a.commands() {
		lines = append(lines, "  "+command)
	}
	return lines
}
