package packfile

import (
	"bytes"
	"io"
	"math"
	"os"
	"slices"
	"sync"
)

// Pack is a pack that was received. It may be read concurrently.
type Pack struct {
	file    *os.File
	memory  *Memory
	sum     ID
	entries []entry    // in the order of their names, once all are there
	byName  map[ID]int // entries before that, if deltas of it name their bases
	trees   map[ID][]byte
	commits map[ID]commit
	readers sync.Pool // of *pieceReader
}

// Name is what git calls it: its checksum.
func (p *Pack) Name() string { return p.sum.String() }

// Close closes its file.
func (p *Pack) Close() error { return p.file.Close() }

// Kind returns what an object is, 0 if the pack has none of that name.
func (p *Pack) Kind(id ID) Kind {
	if i, found := p.find(id); found {
		return p.entries[i].kind
	}
	return 0
}

// TreeOf returns the tree of a commit.
func (p *Pack) TreeOf(commit ID) (tree ID, ok bool) {
	c, ok := p.commits[commit]
	return c.tree, ok
}

// TreeBytes is how much the trees take.
func (p *Pack) TreeBytes() (n int) {
	for _, tree := range p.trees {
		n += len(tree)
	}
	return n
}

// Objects is how many objects there are.
func (p *Pack) Objects() int { return len(p.entries) }

// Files calls yield for each file of a tree and of those below it, in git's order. It
// reports whether that were all: the tree is in the pack and not a strange one,
// and yield has never returned false.
func (p *Pack) Files(tree ID, yield func(File) bool) bool {
	if _, has := p.trees[tree]; !has {
		return false
	}
	seen := 0
	return p.files(File{ID: tree}, 0, &seen, yield)
}

func (p *Pack) files(dir File, depth int, seen *int, yield func(File) bool) bool {
	more := depth < maxTreeDepth
	_ = eachEntry(p.trees[dir.ID], func(e treeEntry) bool { // was read before
		f := File{join(dir.Path, e.name), e.mode, e.id}
		if *seen++; *seen > 2*maxFiles || !more {
			more = false
		} else if e.mode == modeTree {
			more = p.files(f, depth+1, seen, yield)
		} else {
			more = yield(f)
		}
		return more
	})
	return more
}

// maxTreeDepth is deeper than any path that can be written.
const maxTreeDepth = 2000

// Blob calls yield with the size and the content of a blob. What yield returns
// is returned.
func (p *Pack) Blob(id ID, yield func(size int64, content io.Reader) error) error {
	i, found := p.find(id)
	if !found || p.entries[i].kind != Blob {
		return oddf("no blob %v", id)
	}
	r := p.reader()
	defer p.readers.Put(r)
	kind, size, err := r.open(p.file, p.entries[i].offset)
	if err != nil {
		return err
	}
	if kind == Blob && size > maxPiece {
		content, err := r.zip.stream(r)
		if err != nil {
			return err
		}
		return yield(size, io.LimitReader(content, size))
	}
	o, err := p.object(p.entries[i].offset, p.memory.room())
	if err != nil {
		return err
	}
	return yield(int64(len(o.data)), bytes.NewReader(o.data))
}

func (p *Pack) find(id ID) (i int, found bool) {
	if p.byName != nil {
		i, found = p.byName[id]
		return i, found
	}
	return slices.BinarySearchFunc(p.entries, id, func(e entry, id ID) int { return bytes.Compare(e.id[:], id[:]) })
}

// Offset is where an object lies.
func (p *Pack) Offset(id ID) (offset int64, found bool) {
	if i, found := p.find(id); found {
		return p.entries[i].offset, true
	}
	return 0, false
}

// sort brings the entries into the order of their names.
func (p *Pack) sort() {
	slices.SortFunc(p.entries, func(a, b entry) int { return bytes.Compare(a.id[:], b.id[:]) })
	p.byName = nil
}

// object returns the object at an offset, made of its base and deltas.
func (p *Pack) object(offset int64, room *room) (*object, error) {
	defer room.leave()
	type delta struct {
		offset int64
		data   []byte
	}
	var chain []delta
	var o *object
	for held, at := 0, offset; ; {
		if recent, ok := p.memory.find(place{p, at}); ok {
			o = recent
			break
		}
		kind, data, base, err := p.raw(at, room)
		if err != nil {
			return nil, err
		}
		if kind != ofsDelta && kind != refDelta {
			o = &object{place{p, at}, kind, data}
			p.memory.keep(o)
			break
		}
		chain = append(chain, delta{at, data})
		if held += len(data); held > maxHeld || len(chain) > maxDepth || base >= at {
			return nil, oddf("a delta of too many others")
		}
		at = base
	}
	for _, d := range slices.Backward(chain) {
		baseSize, size, commands, err := deltaSizes(d.data)
		if err != nil {
			return nil, err
		}
		if baseSize != int64(len(o.data)) || size > maxHeld {
			return nil, oddf("a delta to %d bytes of an object of %d", size, len(o.data))
		}
		room.enter(size)
		data := make([]byte, size)
		if err := patch(data, o.data, commands); err != nil {
			return nil, err
		}
		o = &object{place{p, d.offset}, o.kind, data}
		p.memory.keep(o)
	}
	return o, nil
}

// maxDepth is how many deltas may build on each other; git makes 50, at most
// 4095.
const maxDepth = 5000

// raw reads what the pack has at an offset: an object, or a delta, which builds
// on the object at base.
func (p *Pack) raw(offset int64, room *room) (kind Kind, data []byte, base int64, err error) {
	r := p.reader()
	defer p.readers.Put(r)
	kind, size, err := r.open(p.file, offset)
	if err == nil && size > maxHeld {
		err = oddf("an object of %d bytes", size)
	}
	if err != nil {
		return 0, nil, 0, err
	}
	switch kind {
	case ofsDelta:
		distance, err := distanceOf(r.ReadByte)
		if err != nil {
			return 0, nil, 0, err
		}
		base = offset - distance
	case refDelta:
		var id ID
		if _, err := io.ReadFull(r, id[:]); err != nil {
			return 0, nil, 0, err
		}
		i, found := p.find(id)
		if !found {
			return 0, nil, 0, oddf("a delta of %v, which is not there", id)
		}
		base = p.entries[i].offset
	}
	room.enter(size)
	data = make([]byte, size)
	return kind, data, base, r.inflate(data)
}

// pieceReader reads objects at their places.
type pieceReader struct {
	inflater
	zip zipped
}

func (p *Pack) reader() *pieceReader {
	if r, ok := p.readers.Get().(*pieceReader); ok {
		return r
	}
	return &pieceReader{inflater: inflater{window: &window{buf: make([]byte, pieceSize)}}}
}

// open reads the header of an object.
func (r *pieceReader) open(file io.ReaderAt, offset int64) (kind Kind, size int64, err error) {
	// While a pack comes in, an object's neighbour may not be in the file yet.
	r.reset(io.MultiReader(io.NewSectionReader(file, offset, math.MaxInt64-offset), bytes.NewReader(make([]byte, 2*lookAhead))))
	first, err := r.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	size, err = sizeOf(first, r.ReadByte)
	return Kind(first >> 4 & 7), size, err
}
