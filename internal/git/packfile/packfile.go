// Package packfile reads a pack of git while it comes in: it stores it, inflates
// each object once, names it, checks that nothing is missing, and hands the files of
// a tree on, so that a commit's files can be written before its pack has ended.
//
// It reads what git sends nowadays. Of anything else it says ErrOdd, and git
// itself is to be asked about the stored pack: neither what is accepted nor what is
// refused depends on this package alone. See gitformat-pack(5).
package packfile

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrOdd is of a pack that is broken, or that only git can read.
var ErrOdd = errors.New("a pack that only git can judge")

// ErrCollision is of an object that was made to have the name of another.
var ErrCollision = errors.New("an object is part of a SHA-1 collision attack")

func oddf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrOdd, fmt.Sprintf(format, args...))
}

// ID is the name of an object.
type ID [20]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads 40 hexadecimal digits.
func ParseID(text string) (id ID, err error) {
	if len(text) != 2*len(id) {
		return id, fmt.Errorf("%q is no object id", text)
	}
	_, err = hex.Decode(id[:], []byte(text))
	return id, err
}

// Kind is what an object is.
type Kind byte

// Kinds of objects, as in packs.
const (
	Commit Kind = 1
	Tree   Kind = 2
	Blob   Kind = 3

	tag      Kind = 4
	ofsDelta Kind = 6
	refDelta Kind = 7
)

func (k Kind) String() string {
	switch k {
	case Commit:
		return "commit"
	case Tree:
		return "tree"
	case Blob:
		return "blob"
	case tag:
		return "tag"
	}
	return fmt.Sprintf("kind %d", byte(k))
}

const (
	// maxObjects is how many objects a pack may have; Odoo has 85,000 without
	// its history.
	maxObjects = 1_000_000
	// maxHeld is how large an object may be that is held in memory, in bytes.
	maxHeld = 16 << 20
	// maxDelta is how many bytes may tell the changes of one object to another.
	maxDelta = 4 << 20
	// maxStreamed is how large one may be that is read in pieces.
	maxStreamed = 2 << 30
)

// entry is what is known of an object.
type entry struct {
	id     ID
	kind   Kind
	crc    uint32 // of what the pack has
	offset int64
}

// sizeOf reads the size of an object's header, of which first is the first
// byte.
func sizeOf(first byte, next func() (byte, error)) (size int64, err error) {
	size = int64(first & 15)
	for b, shift := first, 4; b&0x80 != 0; shift += 7 {
		if b, err = next(); err != nil {
			return 0, err
		}
		if shift > 53 {
			return 0, oddf("an object of impossible size")
		}
		size |= int64(b&0x7f) << shift
	}
	return size, nil
}

// distanceOf reads how far in front of a delta its base begins.
func distanceOf(next func() (byte, error)) (int64, error) {
	b, err := next()
	if err != nil {
		return 0, err
	}
	distance := int64(b & 0x7f)
	for b&0x80 != 0 {
		if b, err = next(); err != nil {
			return 0, err
		}
		if distance > 1<<47 {
			return 0, oddf("a delta of impossible distance")
		}
		distance = (distance+1)<<7 | int64(b&0x7f)
	}
	return distance, nil
}
