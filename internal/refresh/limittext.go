package refresh

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/lock"
)

// maxPassedOver is how many commits of a merge are listed that are passed over.
const maxPassedOver = 5

// limited lists the limits of merges that people have not chosen, of the
// destinations of changes.
func (p *planner) limited(kind Kind, changes []lock.Change) (limits []Limit) {
	if kind != Merges {
		return nil
	}
	for _, l := range p.wishes.Limits {
		about := slices.ContainsFunc(changes, func(c lock.Change) bool { return c.Dest == l.Dest })
		if about && !p.chose(lock.Change{Dest: l.Dest, Remote: l.Remote, Ref: l.Ref}) {
			limits = append(limits, l)
		}
	}
	return limits
}

// limit is the limit of a merge, if it has one.
func (p *Proposal) limit(dest, remote, ref string) (Limit, bool) {
	return Wishes{Limits: p.Limits}.limit(dest, remote, ref)
}

// passedOver says of each merge that moves, and not to its newest commit for the
// policy's sake, why, in Markdown.
func (p *Proposal) passedOver() (said []string) {
	for _, c := range p.Changes {
		l, is := p.limit(c.Dest, c.Remote, c.Ref)
		if !is || len(l.Over) == 0 || !c.Moved() {
			continue
		}
		web := newUpstream(c.URL)
		shown, more := head(l.Over, maxPassedOver)
		var over []string
		for _, o := range shown {
			over = append(over, web.commit(o.Commit)+" ("+inline(o.Why)+")")
		}
		if more > 0 {
			over = append(over, count(more, "more commit"))
		}
		said = append(said, fmt.Sprintf("**Not the newest:** %s moves to %s. Passed over for the sake of %s: %s.\n\n", Code(c.Remote+" "+c.Ref), web.commit(c.New), Code(ConfigFile), strings.Join(over, ", ")))
	}
	return said
}
