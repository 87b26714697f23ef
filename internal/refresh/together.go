package refresh

import (
	"cmp"
	"path"
	"slices"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
)

// grouping names the groups of merges: those of a policy, of which those are one
// that merge the same ref of the same repository, since an image in which it is at
// two commits is what nobody means. Such a one is called as its first is in
// repos.yaml.
type grouping struct {
	policy config.Grouping
	first  map[string]string   // by the policy's name
	dests  map[string][]string // that merge a ref, by what is shared
}

// shared is the same for merges of the same ref of the same repository, "" of
// those that move by an edit of repos.yaml alone.
func shared(url, ref string) string {
	if gitname.IsObjectID(ref) {
		return ""
	}
	return cmp.Or(RemoteID(url), url) + " " + ref
}

func groupsOf(policy config.Grouping, declared *lock.File) grouping {
	g := grouping{policy, map[string]string{}, map[string][]string{}}
	owner := map[string]string{} // of what is shared
	for i := range declared.Destinations {
		d := &declared.Destinations[i]
		for _, m := range d.Merges {
			key := shared(d.Remote(m.Remote).URL, m.Ref)
			if key == "" {
				continue
			}
			if !slices.Contains(g.dests[key], d.Path) {
				g.dests[key] = append(g.dests[key], d.Path)
			}
			name := g.Name(d.Path, m.Remote, m.Ref)
			was, known := owner[key]
			if !known {
				owner[key] = name
				continue
			}
			if root := g.root(was); root != g.root(name) {
				g.first[g.root(name)] = root
			}
		}
	}
	return g
}

func (g grouping) root(name string) string {
	for {
		above, is := g.first[name]
		if !is {
			return name
		}
		name = above
	}
}

// Name returns the name of a merge's group.
func (g grouping) Name(dest, remote, ref string) string {
	return g.root(g.policy.Name(dest, remote, ref))
}

// others lists the other destinations that merge the same as one of a
// destination's merges.
func (g grouping) others(dest, url, ref string) (others []string) {
	for _, other := range g.dests[shared(url, ref)] {
		if path.Clean(other) != path.Clean(dest) {
			others = append(others, other)
		}
	}
	return others
}

// heldTogether returns a held destination that merges the same as another one's
// merge, "" when there is none.
func (s *State) heldTogether(w Wishes, dest, url, ref string) string {
	for _, other := range s.groups.others(dest, url, ref) {
		if w.holds(other) {
			return other
		}
	}
	return ""
}

// Group returns the name of a merge's group by today's policy.
func (s *State) Group(dest, remote, ref string) string { return s.groups.Name(dest, remote, ref) }

// jointly says which destinations of a proposal move together because they merge
// the same, in Markdown.
func (p *Proposal) jointly() (said []string) {
	told := map[string]bool{}
	for _, c := range p.Changes {
		key := shared(c.URL, c.Ref)
		if others := p.groups.others(c.Dest, c.URL, c.Ref); len(others) > 0 && c.Moved() && !told[key] {
			names := []string{Code(c.Dest)}
			for _, other := range others {
				names = append(names, Code(other))
			}
			said = append(said, "**Together:** "+listing(names)+" merge the same, "+Code(c.Remote+" "+c.Ref)+".\n\n")
		}
		told[key] = true
	}
	return said
}
