package refresh

import (
	"cmp"
	"errors"
	"path"
	"slices"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/near"
)

// Wishes is what people want of a plan beside the policy.
type Wishes struct {
	Held    []string // destinations that nothing is proposed for
	Choices []Choice // what the groups of these merges are restricted to
	Limits  []Limit  // how far merges may move that nobody has chosen
}

// Limit is how far a merge may move for now.
type Limit struct {
	Reason
	To string // full object id; "" when it may not move
	// Over are commits that To was taken for, as far as was looked, the newest
	// first.
	Over []PassedOver
}

// PassedOver is a commit that is not proposed, and why, in words for people.
type PassedOver struct{ Commit, Why string }

// Choice restricts the proposal of a merge's group to this merge, and to the
// others of the group that are chosen. The proposal stays as chosen while its
// pull request is open.
type Choice struct {
	Dest   string `json:"dest"`
	Remote string `json:"remote"`
	Ref    string `json:"ref"`
	To     string `json:"to,omitempty"` // full object id; empty: the newest commit of Ref
	// Outside says that To is known to be no part of Ref.
	Outside bool `json:"outside,omitempty"`

	By  string `json:"by,omitempty"`  // login of who chose
	URL string `json:"url,omitempty"` // of the comment
}

// Same reports whether two choices are about the same merge.
func (c Choice) Same(other Choice) bool { return c.is(other.Dest, other.Remote, other.Ref) }

func (c Choice) is(dest, remote, ref string) bool {
	return path.Clean(c.Dest) == path.Clean(dest) && c.Remote == remote && c.Ref == ref
}

// ErrPinned says that repos.yaml names a commit for the merge, which only an
// edit of that file moves.
var ErrPinned = errors.New("is a commit in " + ReposFile)

// Destination returns the declared spelling of a destination, or a
// *lock.NameError.
func (s *State) Destination(name string) (string, error) {
	d := s.newest.Find(name)
	if d == nil {
		for _, l := range s.Lost {
			if path.Clean(l.Dest) == path.Clean(name) {
				return "", l.Err
			}
		}
		return "", s.unknown("destination", name, s.newest.Paths())
	}
	return d.Path, nil
}

// Destinations lists the declared destinations.
func (s *State) Destinations() []string { return s.newest.Paths() }

// Choose checks a choice and returns it with the declared names. Without Remote
// it is about the destination's first merge, its base. Names that do not exist
// are a *lock.NameError; of a merge that is lost the error says why.
func (s *State) Choose(c Choice) (Choice, error) {
	if l := lostMerge(s.Lost, c.Dest, c.Remote, c.Ref); l != nil && (c.To == "" || l.Locked == "") {
		return c, l.Err
	}
	d := s.newest.Find(c.Dest)
	if d == nil {
		return c, s.unknown("destination", c.Dest, s.newest.Paths())
	}
	c.Dest = d.Path
	if c.Remote == "" {
		c.Remote, c.Ref = d.Merges[0].Remote, d.Merges[0].Ref
		if l := lostMerge(s.Lost, c.Dest, c.Remote, c.Ref); l != nil && (c.To == "" || l.Locked == "") {
			return c, l.Err
		}
	}
	var all []string
	for _, m := range d.Merges {
		if c.is(d.Path, m.Remote, m.Ref) {
			if gitname.IsObjectID(m.Ref) {
				return c, ErrPinned
			}
			return c, nil
		}
		all = append(all, lock.MergeName{Dest: d.Path, Remote: m.Remote, Ref: m.Ref}.String())
	}
	return c, s.unknown("merge", c.Dest+" "+c.Remote+" "+c.Ref, all)
}

func (s *State) unknown(kind, name string, all []string) error {
	return &lock.NameError{Kind: kind, Name: name, Near: near.Names(name, all), All: all}
}

// Branch names the branch on which today's policy proposes to move a merge.
func (s *State) Branch(dest, remote, ref string) string {
	return branch(Merges, s.Group(dest, remote, ref))
}

// BranchesOf lists the branches on which today's policy proposes to move
// merges of a destination.
func (s *State) BranchesOf(dest string) []string {
	return s.groups.branches(s.newest.Find(dest))
}

// BranchesOf lists the branches on which a policy proposes to move merges of a
// destination.
func BranchesOf(group config.Grouping, declared *lock.File, dest string) []string {
	return groupsOf(group, declared).branches(declared.Find(dest))
}

func (g grouping) branches(d *lock.Destination) (all []string) {
	if d == nil {
		return nil
	}
	for _, m := range d.Merges {
		if b := branch(Merges, g.Name(d.Path, m.Remote, m.Ref)); !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	return all
}

// Standing is where a merge is.
type Standing struct {
	Dest, Remote, Ref string
	Locked            string // "" when the lock lacks it
	Newest            string
	URL               string // of the remote
}

// Standings lists all declared merges.
func (s *State) Standings() []Standing {
	type key struct{ dest, remote, ref string }
	fresh := map[key]bool{}
	for _, c := range lock.Changes(s.locked, s.newest) {
		fresh[key{c.Dest, c.Remote, c.Ref}] = c.Old == ""
	}
	declared := lock.Keep(s.locked, s.newest)
	var all []Standing
	for i := range s.newest.Destinations {
		d := &s.newest.Destinations[i]
		for j, m := range d.Merges {
			at := Standing{d.Path, m.Remote, m.Ref, declared.Destinations[i].Merges[j].Commit, m.Commit, d.Remote(m.Remote).URL}
			if fresh[key{d.Path, m.Remote, m.Ref}] {
				at.Locked = ""
			}
			all = append(all, at)
		}
		all = append(all, s.unlocked(d.Path)...)
	}
	for _, l := range s.Lost {
		if l.Locked == "" && s.newest.Find(l.Dest) == nil {
			all = append(all, Standing{Dest: l.Dest, Remote: l.Remote, Ref: l.Ref, URL: l.URL})
		}
	}
	return all
}

// unlocked lists the merges of a destination that are lost and were never locked.
func (s *State) unlocked(dest string) (all []Standing) {
	for _, l := range s.Lost {
		if l.Dest == dest && l.Locked == "" {
			all = append(all, Standing{Dest: l.Dest, Remote: l.Remote, Ref: l.Ref, URL: l.URL})
		}
	}
	return all
}

// limit is how far a merge may move, if there is a limit.
func (w Wishes) limit(dest, remote, ref string) (Limit, bool) {
	i := slices.IndexFunc(w.Limits, func(l Limit) bool { return l.Dest == dest && l.Remote == remote && l.Ref == ref })
	if i < 0 {
		return Limit{}, false
	}
	return w.Limits[i], true
}

func (w Wishes) holds(dest string) bool {
	return slices.ContainsFunc(w.Held, func(held string) bool { return path.Clean(held) == path.Clean(dest) })
}

// aim returns newest with what wishes make of it: merges that stay have the
// commit that is locked. Choices of what is not declared any more count for
// nothing.
func (s *State) aim(w Wishes) *lock.File {
	restricted := map[string]bool{} // branches
	var choices []Choice
	for _, c := range w.Choices {
		if known, err := s.Choose(c); err == nil && c.Remote != "" {
			choices = append(choices, known)
			restricted[s.Branch(known.Dest, known.Remote, known.Ref)] = true
		}
	}
	declared := lock.Keep(s.locked, s.newest)
	aim := &lock.File{Path: s.newest.Path}
	for i := range s.newest.Destinations {
		d := s.newest.Destinations[i]
		d.Merges = slices.Clone(d.Merges)
		for j := range d.Merges {
			m := &d.Merges[j]
			at := slices.IndexFunc(choices, func(c Choice) bool { return c.is(d.Path, m.Remote, m.Ref) })
			switch {
			case w.holds(d.Path), at < 0 && s.heldTogether(w, d.Path, d.Remote(m.Remote).URL, m.Ref) != "", at < 0 && restricted[s.Branch(d.Path, m.Remote, m.Ref)]:
				m.Commit = declared.Destinations[i].Merges[j].Commit
			case at >= 0 && choices[at].To != "":
				m.Commit = choices[at].To
			case at < 0:
				if limit, is := w.limit(d.Path, m.Remote, m.Ref); is {
					m.Commit = cmp.Or(limit.To, declared.Destinations[i].Merges[j].Commit)
				}
			}
		}
		aim.Destinations = append(aim.Destinations, d)
	}
	return aim
}

// chosen lists the choices that a proposal of these changes goes back to.
func (p *planner) chosen(kind Kind, changes []lock.Change) (choices []Choice) {
	if kind != Merges {
		return nil
	}
	for _, c := range p.wishes.Choices {
		if slices.ContainsFunc(changes, func(change lock.Change) bool { return c.is(change.Dest, change.Remote, change.Ref) }) {
			choices = append(choices, c)
		}
	}
	return choices
}
