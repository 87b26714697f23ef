package packfile

import (
	"bytes"
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
func Inflate(compressed []byte, data []byte) (rest []byte, err error) {
	in := bytes.NewReader(append(bytes.Clone(compressed), make([]byte, lookAhead)...))
	z := &inflater{window: &window{buf: make([]byte, 64)}}
	z.reset(in)
	if err := z.inflate(data); err != nil {
		return nil, err
	}
	rest, err = io.ReadAll(io.MultiReader(bytes.NewReader(z.buf[z.r:z.w]), in))
	return rest[:max(0, len(rest)-lookAhead)], err
}
