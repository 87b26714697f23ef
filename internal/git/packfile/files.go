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
	maxFiles  = 1_000_000
	placeCost = 150 // bytes of a place, beside its path
)

// paths knows where the objects of a commit's tree are in it, as far as trees have
// come. Trees come from one goroutine, blobs are asked for by many.
type paths struct {
	memory  *Memory
	mu      sync.Mutex
	waiting map[ID][]File // blobs and trees that did not come yet
	trees   map[ID][]byte // that came
	count   int           // of places that were ever found
	size    int64         // of what waits, in bytes of Memory.places
	off     bool          // no more is looked for
}

func newPaths(root ID, memory *Memory) *paths {
	p := &paths{memory: memory, waiting: map[ID][]File{}, trees: map[ID][]byte{}}
	if f := (File{Mode: modeTree, ID: root}); p.hold(f) {
		p.waiting[root] = []File{f}
	}
	return p
}

// tree says that a tree has come.
func (p *paths) tree(id ID, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return
	}
	p.trees[id] = data
	found := p.waiting[id]
	delete(p.waiting, id)
	p.expand(found)
}

// take returns the places of a blob that has come, and forgets them.
func (p *paths) take(id ID) []File {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.waiting[id]
	delete(p.waiting, id)
	for _, f := range found {
		p.drop(f)
	}
	return found
}

// end gives up what still waits.
func (p *paths) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked()
}

func (p *paths) endLocked() {
	p.memory.places.Release(p.size)
	p.size, p.off, p.waiting = 0, true, nil
}

// hold makes sure that there is room for a place; if there is none, no more is
// looked for. drop is its opposite.
func (p *paths) hold(f File) bool {
	cost := placeCost + int64(len(f.Path))
	if p.count++; p.count > maxFiles || len(f.Path) > maxPath || !p.memory.places.TryAcquire(cost) {
		p.endLocked()
		return false
	}
	p.size += cost
	return true
}

func (p *paths) drop(f File) {
	cost := placeCost + int64(len(f.Path))
	p.memory.places.Release(cost)
	p.size -= cost
}

// expand finds what is in trees that have come. Their places are held.
func (p *paths) expand(trees []File) {
	for len(trees) > 0 && !p.off {
		at := trees[len(trees)-1]
		trees = trees[:len(trees)-1]
		p.drop(at)
		_ = eachEntry(p.trees[at.ID], func(e treeEntry) bool { // was read before
			f := File{Path: join(at.Path, e.name), Mode: e.mode, ID: e.id}
			if e.mode == modeGitlink || !p.hold(f) {
				return !p.off
			}
			if _, here := p.trees[e.id]; here && e.mode == modeTree {
				trees = append(trees, f)
			} else {
				p.waiting[e.id] = append(p.waiting[e.id], f)
			}
			return true
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
