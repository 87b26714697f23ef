package packfile

import (
	"container/list"
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

const (
	maxRecent   = 32 << 20 // bytes of recent objects
	maxInFlight = 32 << 20 // bytes of what is being named and written; at least maxHeld
	maxKnown    = 56 << 20 // bytes of trees, and of what is known of each object
	maxPlaces   = 32 << 20 // bytes of the places of files that did not come yet
)

// Memory is what all readers of a process may have in memory.
type Memory struct {
	inFlight *semaphore.Weighted // of objects on their way
	known    *semaphore.Weighted // of packs that are coming in
	places   *semaphore.Weighted // of their files
	rebuild  sync.Mutex          // held while a large object is made of another

	mu     sync.Mutex
	recent map[place]*list.Element // of *object: deltas build on what came shortly before
	order  *list.List              // the newest first
	size   int
}

// place is where an object begins in a pack.
type place struct {
	pack   any // whatever tells packs apart
	offset int64
}

type object struct {
	place
	kind Kind
	data []byte // shared: nobody changes it
}

// NewMemory returns a memory for all packs of a process.
func NewMemory() *Memory {
	return &Memory{
		inFlight: semaphore.NewWeighted(maxInFlight), known: semaphore.NewWeighted(maxKnown), places: semaphore.NewWeighted(maxPlaces),
		recent: map[place]*list.Element{}, order: list.New(),
	}
}

// find returns a recent object.
func (m *Memory) find(at place) (*object, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.recent[at]
	if !ok {
		return nil, false
	}
	m.order.MoveToFront(e)
	o, ok := e.Value.(*object)
	return o, ok
}

// keep keeps an object for as long as there is room.
func (m *Memory) keep(o *object) {
	if len(o.data) > maxRecent/4 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.recent[o.place]; known {
		return
	}
	m.recent[o.place] = m.order.PushFront(o)
	m.size += len(o.data) + overhead
	for m.size > maxRecent {
		m.remove(m.order.Back())
	}
}

// overhead is what is kept with an object, in bytes.
const overhead = 200

func (m *Memory) remove(e *list.Element) {
	if o, ok := m.order.Remove(e).(*object); ok {
		delete(m.recent, o.place)
		m.size -= len(o.data) + overhead
	}
}

// forget drops what is kept of a pack.
func (m *Memory) forget(pack any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for e := m.order.Front(); e != nil; {
		next := e.Next()
		if o, ok := e.Value.(*object); ok && o.pack == pack {
			m.remove(e)
		}
		e = next
	}
}

// room is what one who makes large objects of others has to be in: there is one
// at a time. Who is in it may wait for room on the way; those on the way never wait for it.
type room struct {
	memory  *Memory
	in, own bool
}

func (m *Memory) room() *room { return &room{memory: m, own: true} }

// enter is to be called before an object of so many bytes is held.
func (r *room) enter(size int64) {
	if r.own && !r.in && size > maxPiece {
		r.memory.rebuild.Lock()
		r.in = true
	}
}

func (r *room) leave() {
	if r.own && r.in {
		r.memory.rebuild.Unlock()
		r.in = false
	}
}

// inner is the same room for somebody who is called from it, and does not leave it.
func (r *room) inner() *room { return &room{memory: r.memory, own: !r.in} }

// take waits until there is room for an object of so many bytes on its way.
func (m *Memory) take(ctx context.Context, size int64) error { return m.inFlight.Acquire(ctx, size) }

func (m *Memory) give(size int64) { m.inFlight.Release(size) }
