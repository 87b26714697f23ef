package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/source"
)

// destination is a repository of the lock, and what is known of it.
type destination struct {
	*lock.Destination
	commits  string   // with spaces between
	commands []string // that change the tree
	tree     string   // "" until it is known
	roots    []root
}

// plan reads the lock and finds what the previous image has of it.
func (p *packer) plan() error {
	for i := range p.Lock.Destinations {
		d := destination{Destination: &p.Lock.Destinations[i]}
		var commits []string
		for _, m := range d.Merges {
			commits = append(commits, m.Commit)
		}
		d.commits = strings.Join(commits, " ")
		var err error
		if d.commands, err = source.ShellCommands(d.Destination); err != nil {
			return err
		}
		p.destinations = append(p.destinations, d)
	}
	held := p.held()
	for i := range p.destinations {
		p.recall(&p.destinations[i], held)
	}
	p.shares = arrange(p.destinations, p.room)
	for _, s := range p.shares {
		s.previous = p.had(s.name)
		s.same = !slices.ContainsFunc(s.members, func(d *destination) bool { return d.tree == "" }) && p.isThere(s)
	}
	return nil
}

// had is the previous image's layer of a name; nil when it has none that was written in the same
// way.
func (p *packer) had(name string) *oci.Layer {
	if !p.isComparable() {
		return nil
	}
	for i := range p.Previous.Layers {
		if l := &p.Previous.Layers[i]; l.Annotations[annotationLayer] == name {
			return l
		}
	}
	return nil
}

// isComparable reports whether there is a previous image whose layers are written in the same way.
func (p *packer) isComparable() bool {
	return p.Previous != nil && p.Previous.Annotations[annotationFormat] == format && p.Previous.Annotations[annotationCompression] == string(p.Compression)
}

// held is what a layer says of a repository that is in it.
type held struct {
	Path    string `json:"path"`    // as the lock spells it
	Key     string `json:"key"`     // digest of all that its content comes from
	Commits string `json:"commits"` // that were merged, with spaces between
	Tree    string `json:"tree"`    // that they gave
	Roots   []root `json:"addons,omitempty"`
}

// maxHeld is how long what is known of a layer's repositories may be, in bytes: a manifest has room for
// 4 MiB in all.
const maxHeld = 1 << 20

// heldIn reads what a layer says of its repositories, in an image that anybody may have made.
func heldIn(l oci.Layer) ([]held, error) {
	text := l.Annotations[annotationSources]
	if text == "" {
		return nil, nil
	}
	if len(text) > maxHeld {
		return nil, invalid("too long")
	}
	var all []held
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, err
	}
	for _, h := range all {
		if err := checkRoots(h.Roots); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// held is what the previous image says of repositories, by their paths.
func (p *packer) held() map[string]held {
	all := map[string]held{}
	if !p.isComparable() {
		return all
	}
	for _, l := range p.Previous.Layers {
		sources, err := heldIn(l)
		if err != nil {
			continue // what is made anew needs nothing of it
		}
		for _, h := range sources {
			all[h.Path] = h
		}
	}
	return all
}

// recall takes from the previous image what it proves: a commit has one tree for ever, and so have
// several when the lock says which. Where it does not, the tree depends on how they are merged, and
// is computed.
func (p *packer) recall(d *destination, all map[string]held) {
	h, found := all[d.Path]
	if !found || len(d.commands) > 0 || h.Commits != d.commits || !gitname.IsObjectID(h.Tree) {
		return
	}
	if len(d.Merges) > 1 && d.Tree == "" || d.Tree != "" && d.Tree != h.Tree || h.Key != p.key(d, h.Tree) {
		return
	}
	d.tree, d.roots = h.Tree, h.Roots
}

// key is the digest of all that the content of a destination comes from.
func (p *packer) key(d *destination, tree string) string {
	return digest(append([]string{"source", format, p.Compression.Version(), p.imageDir(d), tree, strings.Join(p.Languages, ",")}, d.commands...)...)
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s,", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// imageDir is where a destination is in the image, without a slash in front.
func (p *packer) imageDir(d *destination) string {
	return strings.TrimPrefix(path.Join(p.ImageSource, d.Clean()), "/")
}
