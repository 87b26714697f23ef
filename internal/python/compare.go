package python

import "github.com/nuobit/odyssey/internal/python/requirements"

// compare warns of what the files ask for and what is installed from the lock
// does not give: an existing lock is installed as it is.
func (b *builder) compare(installed []requirements.Entry) {
	versions := map[string]requirements.Entry{}
	for _, e := range installed {
		versions[e.Name] = e
	}
	for _, line := range b.asked.Lines {
		locked, ok := versions[line.Name]
		switch {
		case line.Name == "":
		case !ok:
			b.warn("%s: %s is not in the lock; refresh the lock", line.Origin, line.Name)
		default:
			b.compareVersion(line, locked)
		}
	}
	for _, line := range b.asked.Constraints {
		if locked, ok := versions[line.Name]; ok {
			b.compareVersion(line, locked)
		}
	}
}

func (b *builder) compareVersion(line requirements.Line, locked requirements.Entry) {
	if locked.Version != "" && !line.Requirement.Specifier.Contains(locked.Version) {
		b.warn("%s: asks for %s, and the lock has %s; refresh the lock", line.Origin, line.Text, locked.Version)
	}
}
