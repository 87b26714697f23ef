package release

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/oci"
)

// share is a layer of repositories: of one, or of several where there are more than an image has
// layers for.
type share struct {
	name     string // of the one, or "shared:" and a number
	rank     int
	shared   bool // several may be in it
	members  []*destination
	previous *oci.Layer
	same     bool // previous has the same content
}

const (
	// maxOwn is how many layers repositories have at most, when the base has no more than 27.
	maxOwn = 96
	// othersLayers are the environment and /etc/odoo.
	othersLayers = 2
	// sharedFixed and sharedMoving are over how many layers those are spread that
	// share one: what only a human moves, and the rest.
	sharedFixed  = 8
	sharedMoving = 24
)

// arrange sorts the destinations into layers, from rarely to often changing, as far as the lock alone
// tells: Odoo, then what is locked by a commit or a tag, which nothing but a human moves, then the
// others in the order of the lock, in which people put what is their own last. It
// must not depend on anything else, such as dates, sizes or the previous image: the order
// is part of the digest.
//
// Each has a layer of its own as long as there is room. Beyond that, those share layers that lose least by it: what does
// not move, then what stands last in the lock, which is small and sent often anyway. Into which of
// them a repository goes its path alone decides, so that one that comes or goes moves few others.
func arrange(all []destination, room int) []*share {
	var ranks [3][]*destination
	for i := range all {
		r := rank(&all[i])
		ranks[r] = append(ranks[r], &all[i])
	}
	odoo, fixed, moving := len(ranks[0]), len(ranks[1]), len(ranks[2])
	ownFixed, ownMoving := fixed, moving
	if odoo+fixed+moving > room {
		ownFixed = max(0, min(fixed, room-odoo-moving-sharedFixed))
	}
	left := room - odoo - ownFixed
	if ownFixed < fixed {
		left -= sharedFixed
	}
	if moving > left {
		ownMoving = max(0, left-sharedMoving)
	}
	var sorted []*share
	sorted = append(sorted, split(ranks[0], 0, odoo, 1)...)
	sorted = append(sorted, split(ranks[1], 1, ownFixed, sharedFixed)...)
	return append(sorted, split(ranks[2], 2, ownMoving, sharedMoving)...)
}

// split gives the first own destinations layers of their own, and spreads the others over some more.
func split(all []*destination, rank, own, spread int) []*share {
	var layers []*share
	for _, d := range all[:own] {
		layers = append(layers, &share{name: d.Path, rank: rank, members: []*destination{d}})
	}
	shared := make([]*share, spread)
	for _, d := range all[own:] {
		sum := sha256.Sum256([]byte(d.Clean()))
		at := binary.BigEndian.Uint32(sum[:4]) % uint32(spread) //nolint:gosec // a small constant
		if shared[at] == nil {
			shared[at] = &share{name: fmt.Sprintf("shared:%d.%02d", rank, at), rank: rank, shared: true}
		}
		shared[at].members = append(shared[at].members, d)
	}
	shared = slices.DeleteFunc(shared, func(s *share) bool { return s == nil })
	for _, s := range shared {
		slices.SortFunc(s.members, func(a, b *destination) int { return strings.Compare(a.Clean(), b.Clean()) })
	}
	return append(layers, shared...)
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

// shareKey is the digest of all that a layer's content comes from, when the trees are known.
func (p *packer) shareKey(s *share) string {
	if !s.shared {
		return p.key(s.members[0], s.members[0].tree)
	}
	parts := []string{"shared", format}
	for _, d := range s.members {
		parts = append(parts, p.key(d, d.tree))
	}
	return digest(parts...)
}

// isThere reports whether the previous image has a layer with the same content.
func (p *packer) isThere(s *share) bool {
	return s.previous != nil && !s.hasCommands() && s.previous.Annotations[annotationKey] == p.shareKey(s)
}

func (s *share) hasCommands() bool {
	return slices.ContainsFunc(s.members, func(d *destination) bool { return len(d.commands) > 0 })
}

// layer is the layer of a share.
func (p *packer) layer(s *share) (oci.Source, error) {
	var all []held
	for _, d := range s.members {
		all = append(all, held{Path: d.Path, Key: p.key(d, d.tree), Commits: d.commits, Tree: d.tree, Roots: d.roots})
	}
	sources, err := json.Marshal(all)
	if err == nil && len(sources) > maxHeld {
		err = invalid("%s has so many addons that their names alone take %d bytes, which no manifest can hold", s.title(), len(sources))
	}
	if err != nil {
		return oci.Source{}, err
	}
	l := oci.Source{
		Name: s.title(), From: p.Previous,
		Annotations: map[string]string{annotationLayer: s.name, annotationKey: p.shareKey(s), annotationSources: string(sources)},
	}
	switch {
	case s.same:
		l.Same = s.previous
		return l, nil
	case s.hasCommands():
		l.Maybe = s.previous // what the commands gave only the content tells
	}
	l.Tree = p.tree(s)
	return l, nil
}

// title is what people are told.
func (s *share) title() string {
	if n := len(s.members); n > 1 {
		return fmt.Sprintf("%s and %d more", s.members[0].Path, n-1)
	}
	return s.members[0].Path
}

// tree is what is in the layer of a share.
func (p *packer) tree(s *share) *oci.Tree {
	if !s.shared {
		in, dir := p.imageDir(s.members[0]), filepath.Join(p.Source, s.members[0].Clean())
		return &oci.Tree{Prefix: in, Dirs: strings.Count(in, "/"), Dir: dir, Check: func(name string, e fs.DirEntry) (bool, error) {
			return p.skipSource(dir, name, e)
		}}
	}
	in := strings.TrimPrefix(p.ImageSource, "/")
	return &oci.Tree{Prefix: in, Dirs: strings.Count(in, "/"), Dir: p.Source, Check: func(name string, e fs.DirEntry) (bool, error) {
		for _, d := range s.members {
			inside, below := strings.CutPrefix(name, d.Clean()+"/")
			switch {
			case below:
				return p.skipSource(filepath.Join(p.Source, d.Clean()), inside, e)
			case e.IsDir() && (name == d.Clean() || strings.HasPrefix(d.Clean(), name+"/")):
				return false, nil
			}
		}
		return true, nil
	}}
}
