package packfile

import "slices"

// check makes sure that all that commits and trees name is in the pack, and is
// of the kind that they say, and that nothing is in it twice.
func (p *Pack) check(shallow []ID) error {
	for i := range p.entries[min(1, len(p.entries)):] {
		if p.entries[i].id == p.entries[i+1].id {
			return oddf("%v is in it twice", p.entries[i].id)
		}
	}
	for id, c := range p.commits {
		if p.Kind(c.tree) != Tree {
			return oddf("the tree of commit %v is not in it", id)
		}
		if slices.Contains(shallow, id) {
			continue
		}
		for _, parent := range c.parents {
			if p.Kind(parent) != Commit {
				return oddf("a parent of commit %v is not in it", id)
			}
		}
	}
	for id, tree := range p.trees {
		absent := ID{}
		_ = eachEntry(tree, func(e treeEntry) bool { // was read before
			if kind := e.wants(); kind != 0 && p.Kind(e.id) != kind {
				absent = e.id
			}
			return absent == ID{}
		})
		if absent != (ID{}) {
			return oddf("%v of tree %v is not in it", absent, id)
		}
	}
	return nil
}
