package refresh

import "slices"

// doubts says why somebody has to look at a proposal before it is merged.
func (p *Proposal) doubts(moves []move) (all []string) {
	add := func(is bool, doubt string) {
		if is && !slices.Contains(all, doubt) {
			all = append(all, doubt)
		}
	}
	add(p.Kind == Sync, "it locks what was not locked before")
	for _, found := range p.Predictions {
		add(found.Conflict != nil, "not all merges apply to each other")
		add(found.Unknown != "", "whether the merges apply could not be found out")
	}
	for _, m := range moves {
		add(p.isTag(m.Change), "a tag was moved")
		if h := m.history; h != nil {
			add(h.OldGone || h.Behind > 0, "history was rewritten, or moves too far to tell")
		}
	}
	for _, c := range p.Choices {
		add(c.Outside, "a commit is not part of its ref")
	}
	return all
}
