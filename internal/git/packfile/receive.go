package packfile

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
)

// Options say how a pack is received.
type Options struct {
	Memory *Memory
	// Shallow are the commits whose parents do not come.
	Shallow []ID
	// Root is the commit whose files are handed on, if File is not nil.
	Root ID
	// File is given files of Root as they come: those that are not large, and
	// come after the trees that name them. It is called concurrently, must not change
	// data, and must not keep it. When it fails, it is not called again.
	File func(f File, data []byte) error
}

// Receive reads a pack, stores it in a file that is empty, and finds out what
// is in it. The pack must be complete: all that its commits and trees name is in
// it, but for submodules and the parents of shallow commits.
//
// An error in reading from in or in writing to the file is returned as it is. If
// the error is an ErrOdd, the file has a part of the pack, up to the last byte that was
// read from in.
func Receive(ctx context.Context, in io.Reader, file *os.File, o Options) (*Pack, error) {
	rc := &receiver{Options: o, source: newSource(in, file), jobs: make(chan job, 32)}
	rc.pack = &Pack{file: file, memory: o.Memory, trees: map[ID][]byte{}, commits: map[ID]commit{}}
	defer o.Memory.forget(rc.pack)
	for range runtime.GOMAXPROCS(0) {
		rc.workers.Go(rc.work)
	}
	err := rc.read(ctx)
	close(rc.jobs)
	rc.workers.Wait()
	if p := rc.paths.Load(); p != nil {
		p.end()
	}
	defer func() { o.Memory.known.Release(rc.known) }()
	switch {
	case rc.collision.Load():
		return nil, ErrCollision
	case err != nil:
		return nil, err
	}
	rc.pack.sort()
	if err := rc.pack.check(o.Shallow); err != nil {
		return nil, err
	}
	return rc.pack, nil
}

// receiver reads a pack. One goroutine inflates; the others name what it hands
// them, and write.
type receiver struct {
	Options
	*source
	pack      *Pack
	paths     atomic.Pointer[paths] // of Root's files, once it has come
	jobs      chan job
	workers   sync.WaitGroup
	busy      sync.WaitGroup // jobs that are not done
	namer     namer
	scratch   []byte      // of the last delta
	known     int64       // that Memory was asked for
	enough    atomic.Bool // File has failed
	collision atomic.Bool
}

// job is a blob to name.
type job struct {
	entry *entry
	data  []byte
}

func (rc *receiver) read(ctx context.Context) error {
	var head [12]byte
	if _, err := io.ReadFull(rc, head[:]); err != nil {
		return rc.fault(err)
	}
	version, count := binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:])
	if string(head[:4]) != "PACK" || version != 2 || count > maxObjects {
		return oddf("version %d with %d objects", version, count)
	}
	if err := rc.know(int64(count) * entryCost); err != nil {
		return err
	}
	rc.pack.entries = make([]entry, 0, count) // never moved: workers write to it
	for range count {
		if err := rc.object(ctx); err != nil {
			return cmp.Or(ctx.Err(), rc.fault(err))
		}
		if rc.collision.Load() {
			return ErrCollision
		}
	}
	rc.digest(rc.r)
	copy(rc.pack.sum[:], rc.sum.Sum(nil))
	var trailer ID
	if _, err := io.ReadFull(rc, trailer[:]); err != nil {
		return rc.fault(err)
	}
	if trailer != rc.pack.sum {
		return oddf("its checksum is wrong")
	}
	if _, err := rc.ReadByte(); !errors.Is(err, io.EOF) {
		return rc.fault(oddf("something comes after it"))
	}
	return nil
}

// object reads the next object.
func (rc *receiver) object(ctx context.Context) error {
	offset := rc.offset()
	rc.begin()
	first, err := rc.ReadByte()
	if err != nil {
		return err
	}
	size, err := sizeOf(first, rc.ReadByte)
	if err != nil {
		return err
	}
	kind := Kind(first >> 4 & 7)
	rc.pack.entries = append(rc.pack.entries, entry{kind: kind, offset: offset})
	e := &rc.pack.entries[len(rc.pack.entries)-1]
	var data []byte
	switch kind {
	case ofsDelta, refDelta:
		data, err = rc.delta(ctx, e, size)
	case Commit, Tree, Blob:
		if kind == Blob && size > maxPiece {
			return rc.large(e, size)
		}
		data, err = rc.whole(ctx, e, size)
	default:
		return oddf("an object of kind %d", kind)
	}
	if err != nil {
		return err
	}
	e.crc = rc.end()
	rc.Memory.keep(&object{place{rc.pack, offset}, e.kind, data})
	return rc.hand(e, data)
}

// maxPiece is how large a file may be that comes as a whole and is not read in
// pieces.
const maxPiece = 4 << 20

func (rc *receiver) whole(ctx context.Context, e *entry, size int64) ([]byte, error) {
	if size > maxHeld {
		return nil, oddf("a %v of %d bytes", e.kind, size)
	}
	if err := rc.Memory.take(ctx, size); err != nil {
		return nil, err
	}
	data := make([]byte, size)
	return rc.held(data, rc.inflate(data))
}

// held gives back what was taken for data that failed.
func (rc *receiver) held(data []byte, err error) ([]byte, error) {
	if err != nil {
		rc.Memory.give(int64(len(data)))
		return nil, err
	}
	return data, nil
}

// large names a file without holding it.
func (rc *receiver) large(e *entry, size int64) error {
	if size > maxStreamed {
		return oddf("a blob of %d bytes", size)
	}
	r, err := rc.zip.stream(rc)
	if err != nil {
		return err
	}
	rc.namer.begin(e.kind, size)
	n, err := io.CopyN(&rc.namer, r, size)
	if err == nil {
		err = ended(r)
	} else if n < size && errors.Is(err, io.EOF) {
		err = oddf("an object is shorter than it says")
	}
	if err != nil {
		return err
	}
	e.crc = rc.end()
	return rc.name(e, &rc.namer)
}

// delta reads an object that is told as changes of another.
func (rc *receiver) delta(ctx context.Context, e *entry, size int64) ([]byte, error) {
	from, err := rc.base(e)
	if err != nil {
		return nil, err
	}
	if size > maxDelta {
		return nil, oddf("a delta of %d bytes", size)
	}
	rc.scratch = slices.Grow(rc.scratch[:0], int(size))[:size]
	if err := rc.inflate(rc.scratch); err != nil {
		return nil, err
	}
	baseSize, resultSize, commands, err := deltaSizes(rc.scratch)
	if err != nil {
		return nil, err
	}
	room := rc.Memory.room()
	room.enter(max(baseSize, resultSize))
	defer room.leave()
	base, err := rc.pack.object(from, room.inner())
	if err != nil {
		return nil, err
	}
	e.kind = base.kind
	if baseSize != int64(len(base.data)) || resultSize > maxHeld {
		return nil, oddf("a delta to %d bytes of an object of %d", resultSize, len(base.data))
	}
	if err := rc.Memory.take(ctx, resultSize); err != nil {
		return nil, err
	}
	data := make([]byte, resultSize)
	return rc.held(data, patch(data, base.data, commands))
}

// base reads where an object's base is.
func (rc *receiver) base(e *entry) (offset int64, err error) {
	entries := rc.pack.entries
	if e.kind == ofsDelta {
		distance, err := distanceOf(rc.ReadByte)
		if err != nil {
			return 0, err
		}
		// By the offsets alone: workers are writing the names.
		at := e.offset - distance
		i := sort.Search(len(entries), func(i int) bool { return entries[i].offset >= at })
		if distance == 0 || i == len(entries) || entries[i].offset != at {
			return 0, oddf("a delta of nothing")
		}
		return entries[i].offset, nil
	}
	var id ID
	if _, err := io.ReadFull(rc, id[:]); err != nil {
		return 0, err
	}
	if rc.pack.byName == nil {
		if err := rc.nameAtOnce(); err != nil {
			return 0, err
		}
	}
	i, found := rc.pack.byName[id]
	if !found {
		return 0, oddf("a delta of %v, which did not come before it", id)
	}
	return entries[i].offset, nil
}
