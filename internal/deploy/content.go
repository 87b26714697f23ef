package deploy

// Content is what an image says of itself. It is foreign text.
type Content struct {
	Source   string // URL of the repository that it was built from
	Revision string // commit of that
	Parts    []Part // of a packed image, in the order of its layers
}

// Part is a layer that holds one thing.
type Part struct {
	Name string // "./odoo", "venv", "base"
	Key  string // the same if and only if the content is
}

// Differing names the parts of next that last has not, or has with another
// content, and then those that only last has.
func Differing(last, next Content) (names []string) {
	before := map[string]string{}
	for _, p := range last.Parts {
		before[p.Name] = p.Key
	}
	now := map[string]bool{}
	for _, p := range next.Parts {
		now[p.Name] = true
		if before[p.Name] != p.Key {
			names = append(names, p.Name)
		}
	}
	for _, p := range last.Parts {
		if !now[p.Name] {
			names = append(names, p.Name)
		}
	}
	return names
}
