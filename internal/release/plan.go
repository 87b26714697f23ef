package release

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/source"
)

// destination is a repository of the lock, and what is known of its layer.
type destination struct {
	*lock.Destination
	commits  string   // with spaces between
	commands []string // that change the tree
	tree     string   // "" until it is known
	previous *oci.Layer
	same     bool // previous has the same content
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
		d.previous = p.had(d.Path)
		p.recall(&d)
		p.destinations = append(p.destinations, d)
	}
	return nil
}

// had is the previous image's layer of a name; nil when it has none that was written in the same
// way.
func (p *packer) had(name string) *oci.Layer {
	if p.Previous == nil || p.Previous.Annotations[annotationFormat] != format || p.Previous.Annotations[annotationCompression] != string(p.Compression) {
		return nil
	}
	for i := range p.Previous.Layers {
		if l := &p.Previous.Layers[i]; l.Annotations[annotationLayer] == name {
			return l
		}
	}
	return nil
}

// recall takes from the previous layer what it proves: a commit has one tree for ever, and so have
// several when the lock says which. Where it does not, the tree depends on how they are merged, and
// is computed.
func (p *packer) recall(d *destination) {
	l := d.previous
	if l == nil || len(d.commands) > 0 || l.Annotations[annotationCommits] != d.commits || !gitname.IsObjectID(l.Annotations[annotationTree]) {
		return
	}
	tree := l.Annotations[annotationTree]
	if len(d.Merges) > 1 && d.Tree == "" || d.Tree != "" && d.Tree != tree {
		return
	}
	roots, err := parseRoots(l.Annotations[annotationAddons])
	if err != nil || l.Annotations[annotationKey] != p.key(d, tree) {
		return
	}
	d.tree, d.roots, d.same = tree, roots, true
}

// key is the digest of all that a layer's content comes from.
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

// order sorts the destinations from rarely to often changing, as far as the lock alone tells:
// Odoo, then what is locked by a commit or a tag, which nothing but a human moves, then the
// others in the order of the lock, in which people put what is their own last. It
// must not depend on anything else, such as dates or the previous image: the order
// is part of the digest.
func order(all []destination) []*destination {
	var sorted []*destination
	for i := range all {
		sorted = append(sorted, &all[i])
	}
	slices.SortStableFunc(sorted, func(a, b *destination) int { return rank(a) - rank(b) })
	return sorted
}

func rank(d *destination) int {
	switch {
	case d.Clean() == "odoo":
		return 0
	case !slices.ContainsFunc(d.Merges, moves):
		return 1
	}
	return 2
}

// moves reports whether a ref can come to stand for another commit.
func moves(m lock.Merge) bool {
	return !gitname.IsObjectID(m.Ref) && !strings.HasPrefix(m.Ref, "refs/tags/")
}
