package packfile

import (
	"hash"
	"strconv"

	"github.com/pjbgf/sha1cd"
)

// namer computes names of objects.
type namer struct {
	hash hash.Hash
	head [32]byte
	out  [20]byte
}

// begin begins with an object of so many bytes, which are to be written.
func (n *namer) begin(kind Kind, size int64) {
	if n.hash == nil {
		n.hash = sha1cd.New()
	}
	n.hash.Reset()
	head := append(n.head[:0], kind.String()...)
	head = strconv.AppendInt(append(head, ' '), size, 10)
	_, _ = n.hash.Write(append(head, 0))
}

func (n *namer) Write(p []byte) (int, error) { return n.hash.Write(p) }

// end returns the name, and whether the object was made to have that of another.
func (n *namer) end() (id ID, collision bool) {
	if h, ok := n.hash.(sha1cd.CollisionResistantHash); ok {
		sum, collision := h.CollisionResistantSum(n.out[:0])
		copy(id[:], sum)
		return id, collision
	}
	copy(id[:], n.hash.Sum(n.out[:0]))
	return id, true
}

// name names an entry whose content was written to a namer.
func (rc *receiver) name(e *entry, n *namer) error {
	id, collision := n.end()
	if e.id = id; collision {
		rc.collision.Store(true)
		return ErrCollision
	}
	return nil
}

// hand passes an object on: what the structure is made of is looked at here,
// blobs go to the workers.
func (rc *receiver) hand(e *entry, data []byte) error {
	if e.kind == Blob && rc.pack.byName == nil {
		rc.pass(job{e, data})
		return nil
	}
	rc.namer.begin(e.kind, int64(len(data)))
	_, _ = rc.namer.Write(data)
	err := rc.name(e, &rc.namer)
	if rc.pack.byName != nil {
		rc.pack.byName[e.id] = len(rc.pack.entries) - 1
	}
	if e.kind == Blob && err == nil {
		rc.pass(job{e, data}) // named, and still to be written
		return nil
	}
	rc.Memory.give(int64(len(data)))
	if err != nil {
		return err
	}
	return rc.structure(e, data)
}

// pass has a worker treat a blob.
func (rc *receiver) pass(j job) {
	rc.busy.Add(1)
	rc.jobs <- j
}

// structure looks at a commit or a tree.
func (rc *receiver) structure(e *entry, data []byte) error {
	if e.kind == Commit {
		c, err := parseCommit(data)
		if rc.pack.commits[e.id] = c; err == nil && rc.File != nil && e.id == rc.Root && rc.paths.Load() == nil {
			p := newPaths(c.tree, rc.Memory)
			for id, tree := range rc.pack.trees { // that came before it
				p.tree(id, tree)
			}
			rc.paths.Store(p)
		}
		return err
	}
	if err := eachEntry(data, func(treeEntry) bool { return true }); err != nil {
		return err
	}
	if err := rc.know(int64(len(data)) + treeCost); err != nil {
		return err
	}
	rc.pack.trees[e.id] = data
	if p := rc.paths.Load(); p != nil {
		p.tree(e.id, data)
	}
	return nil
}

// What is known of an object costs, in bytes, beside a tree's content.
const (
	entryCost = 40
	treeCost  = 100 // to find it by its name
	nameCost  = 80  // to find any by its name
)

// know makes sure that there is room to know so much more, in bytes.
func (rc *receiver) know(n int64) error {
	if !rc.Memory.known.TryAcquire(n) {
		return oddf("more trees, or more objects, than there is room for")
	}
	rc.known += n
	return nil
}

// work names blobs and hands them on.
func (rc *receiver) work() {
	var n namer
	for j := range rc.jobs {
		rc.blob(&n, j)
		rc.Memory.give(int64(len(j.data)))
		rc.busy.Done()
	}
}

func (rc *receiver) blob(n *namer, j job) {
	if rc.collision.Load() {
		return
	}
	if j.entry.id == (ID{}) {
		n.begin(Blob, int64(len(j.data)))
		_, _ = n.Write(j.data)
		if rc.name(j.entry, n) != nil {
			return
		}
	}
	p := rc.paths.Load()
	if p == nil || rc.enough.Load() {
		return
	}
	for _, f := range p.take(j.entry.id) {
		if f.Mode == modeTree {
			continue // the tree's fault: check says so
		}
		if err := rc.File(f, j.data); err != nil {
			rc.enough.Store(true)
			return
		}
	}
}

// nameAtOnce waits until all that came has its name. What comes from now on is
// named when it comes: the pack has deltas of objects by their names.
func (rc *receiver) nameAtOnce() error {
	if err := rc.know(int64(cap(rc.pack.entries)) * nameCost); err != nil {
		return err
	}
	rc.busy.Wait()
	rc.pack.byName = map[ID]int{}
	for i, e := range rc.pack.entries[:len(rc.pack.entries)-1] {
		rc.pack.byName[e.id] = i
	}
	return nil
}
