package packfile

import (
	"strings"
	"sync"
)

// File is a file of a tree, or a symbolic link, or a submodule.
type File struct {
	Path string // from the root, slashes between names
	Mode uint32 // 0o100644, 0o100755, 0o120000 or 0o160000
	ID   ID
}

const (
	maxFiles = 1_000_000
	maxPaths = 64 << 20 // bytes of all paths that wait
)

// paths knows where the objects of a commit's tree are in it, as far as trees have
// come. Trees come from one goroutine, blobs are asked for by many.
type paths struct {
	mu      sync.Mutex
	waiting map[ID][]File // blobs and trees that did not come yet
	trees   map[ID][]byte // that came
	count   int           // of places that were ever found
	size    int           // of the paths in waiting
	off     bool          // no more is looked for
}

func newPaths(root ID) *paths {
	return &paths{waiting: map[ID][]File{root: {{Mode: modeTree, ID: root}}}, trees: map[ID][]byte{}}
}

// tree says that a tree has come.
func (p *paths) tree(id ID, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trees[id] = data
	p.expand(p.takeLocked(id))
}

// take returns the places of a blob that has come, and forgets them.
func (p *paths) take(id ID) []File {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.takeLocked(id)
}

func (p *paths) takeLocked(id ID) []File {
	found := p.waiting[id]
	delete(p.waiting, id)
	for _, f := range found {
		p.size -= len(f.Path)
	}
	return found
}

// expand finds what is in trees that have come.
func (p *paths) expand(trees []File) {
	for len(trees) > 0 && !p.off {
		at := trees[len(trees)-1]
		trees = trees[:len(trees)-1]
		_ = eachEntry(p.trees[at.ID], func(e treeEntry) bool { // was read before
			f := File{Path: join(at.Path, e.name), Mode: e.mode, ID: e.id}
			p.count++
			if _, here := p.trees[e.id]; here && e.mode == modeTree {
				trees = append(trees, f)
			} else if e.mode != modeGitlink {
				p.waiting[e.id] = append(p.waiting[e.id], f)
				p.size += len(f.Path)
			}
			if p.count > maxFiles || p.size > maxPaths || len(f.Path) > maxPath {
				p.off, p.waiting = true, map[ID][]File{}
			}
			return !p.off
		})
	}
}

// maxPath is longer than any path that can be written.
const maxPath = 8 << 10

func join(dir string, name []byte) string {
	if dir == "" {
		return string(name)
	}
	var b strings.Builder
	b.Grow(len(dir) + 1 + len(name))
	b.WriteString(dir)
	b.WriteByte('/')
	b.Write(name)
	return b.String()
}
