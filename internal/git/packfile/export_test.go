package packfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Held says what of a memory is still taken, "" if nothing is.
func Held(m *Memory) string {
	var held string
	for _, part := range []struct {
		name string
		most int64
		take func(int64) bool
		give func(int64)
	}{
		{"on the way", maxInFlight, m.inFlight.TryAcquire, m.inFlight.Release},
		{"known", maxKnown, m.known.TryAcquire, m.known.Release},
		{"places", maxPlaces, m.places.TryAcquire, m.places.Release},
	} {
		if !part.take(part.most) {
			held += part.name + " "
			continue
		}
		part.give(part.most)
	}
	if m.size != 0 || len(m.recent) != 0 || m.order.Len() != 0 {
		held += fmt.Sprintf("%d bytes of %d recent objects", m.size, len(m.recent))
	}
	return held
}

// Collides names a text that is no object, and reports whether it was made to
// have the name of another.
func Collides(text []byte) bool {
	var n namer
	n.begin(Blob, 0)
	n.hash.Reset()
	_, _ = n.Write(text)
	_, collision := n.end()
	return collision
}

// Inflate inflates a stream into memory, and returns what follows it.
func Inflate(compressed, data []byte) (rest []byte, err error) {
	in := bytes.NewReader(append(bytes.Clone(compressed), make([]byte, 2*lookAhead)...))
	z := &inflater{window: &window{buf: make([]byte, 64)}}
	z.reset(in)
	if err := z.inflate(data); err != nil {
		return nil, err
	}
	rest, err = io.ReadAll(io.MultiReader(bytes.NewReader(z.buf[z.r:z.w]), in))
	return rest[:max(0, len(rest)-2*lookAhead)], err
}

// Inflater inflates one stream after another.
type Inflater struct {
	z  inflater
	in bytes.Reader
}

// NewInflater returns one with the buffer that packs are read with.
func NewInflater() *Inflater {
	return &Inflater{z: inflater{window: &window{buf: make([]byte, windowSize)}}}
}

// Inflate inflates a stream.
func (i *Inflater) Inflate(stream, data []byte) error {
	i.in.Reset(stream)
	i.z.reset(&i.in)
	return i.z.inflate(data)
}

// Stream is an object of a pack as it is compressed there.
type Stream struct {
	Data []byte
	Size int64
}

// Streams returns the objects of a pack, and the sum of their sizes.
func Streams(pack []byte) (all []Stream, sum int64) {
	in := bytes.NewReader(pack[12:])
	z := &inflater{window: &window{buf: make([]byte, pieceSize)}}
	z.reset(in)
	at := func() int { return len(pack) - in.Len() - (z.w - z.r) }
	for range binary.BigEndian.Uint32(pack[8:]) {
		first, _ := z.ReadByte()
		size, _ := sizeOf(first, z.ReadByte)
		if Kind(first>>4&7) == ofsDelta {
			_, _ = distanceOf(z.ReadByte)
		}
		begin := at()
		if z.inflate(make([]byte, size)) != nil {
			return nil, 0
		}
		// What follows is what an inflater looks ahead.
		all, sum = append(all, Stream{pack[begin:min(len(pack), at()+2*lookAhead)], size}), sum+size
	}
	return all, sum
}
