package packfile

import (
	"encoding/binary"
	"hash/adler32"
	"math/bits"
)

// inflater inflates a zlib stream, RFC 1950 and 1951, into memory of the size
// that the pack tells. It knows where the stream ends, takes what it copies from the result
// itself, and so does it in less than half the time of the libraries, which is a fifth of
// the time that a pack takes. What it makes has a checksum.
type inflater struct {
	*window
	bits    uint64
	count   uint // of bits
	lengths [320]byte
	codes   table // of the lengths of the other codes
	symbols table
	offsets table
}

// table finds the symbol that the next bits stand for: by the first of them, and
// where these are not enough, by more of them in a second table, which follows.
type table struct {
	first   uint // bits
	entries []entryBits
}

// entryBits is an entry of a table:
//
//	bits 0-3   how long the code is
//	bits 4-7   how many bits follow; of a second table, how many tell its entries apart
//	bits 8-9   its kind
//	bits 16-31 the literal, or what the bits that follow are added to, or where the second table is
type entryBits uint32

const (
	literal entryBits = iota << 8
	copying
	special // the end of the block; no code, if it has no length
	second
	kindMask entryBits = 3 << 8
)

const (
	symbolBits = 10
	offsetBits = 8
	longest    = 15
	// lookAhead is how many bytes must be in the window where 16 may be read, of
	// which 8 may have been taken before. So 23 bytes must follow on what is inflated; a
	// pack has 24 there, a checksum of the object and one of the pack.
	lookAhead = 16
)

var errInflate = oddf("an object that cannot be inflated")

// inflate inflates what comes next in the window.
func (z *inflater) inflate(data []byte) error {
	if err := z.ensure(lookAhead); err != nil {
		return err
	}
	head := binary.BigEndian.Uint16(z.buf[z.r:])
	if head&0x0f00 != 0x0800 || head>>12 > 7 || head%31 != 0 || head&0x20 != 0 {
		return errInflate
	}
	z.r, z.bits, z.count = z.r+2, 0, 0
	at := 0
	for final := false; !final; {
		if err := z.need(3); err != nil {
			return err
		}
		final = z.take(1) == 1
		var err error
		switch z.take(2) {
		case 0:
			at, err = z.stored(data, at)
		case 1:
			if err = z.fixed(); err == nil {
				at, err = z.block(data, at)
			}
		case 2:
			if err = z.dynamic(); err == nil {
				at, err = z.block(data, at)
			}
		default:
			err = errInflate
		}
		if err != nil {
			return err
		}
	}
	z.align()
	if err := z.ensure(4); err != nil {
		return err
	}
	sum := binary.BigEndian.Uint32(z.buf[z.r:])
	z.r += 4
	if at != len(data) || sum != adler32.Checksum(data) {
		return errInflate
	}
	return nil
}

// need makes sure that there are some bits, at most 32.
func (z *inflater) need(n uint) error {
	for z.count < n {
		b, err := z.ReadByte()
		if err != nil {
			return err
		}
		z.bits |= uint64(b) << z.count
		z.count += 8
	}
	return nil
}

func (z *inflater) take(n uint) int {
	v := z.bits & (1<<n - 1)
	z.bits, z.count = z.bits>>n, z.count-n
	return int(v) //nolint:gosec // 14 bits at most
}

// align gives back the whole bytes that were not used, and drops the rest of the
// one that was begun.
func (z *inflater) align() {
	z.r -= int(z.count / 8)
	z.bits, z.count = 0, 0
}

// stored copies a block that is not compressed.
func (z *inflater) stored(data []byte, at int) (int, error) {
	z.align()
	if err := z.ensure(4); err != nil {
		return at, err
	}
	n := int(binary.LittleEndian.Uint16(z.buf[z.r:]))
	if n^0xffff != int(binary.LittleEndian.Uint16(z.buf[z.r+2:])) || n > len(data)-at {
		return at, errInflate
	}
	z.r += 4
	for n > 0 {
		got, err := z.Read(data[at : at+n])
		if err != nil {
			return at, err
		}
		at, n = at+got, n-got
	}
	return at, nil
}

// fixed makes the tables of blocks that bring none.
func (z *inflater) fixed() error {
	for i := range z.lengths {
		switch {
		case i < 144, i >= 280 && i < 288:
			z.lengths[i] = 8
		case i < 256:
			z.lengths[i] = 9
		case i < 280:
			z.lengths[i] = 7
		default:
			z.lengths[i] = 5
		}
	}
	return firstError(z.symbols.build(z.lengths[:288], symbolBits, symbolEntry), z.offsets.build(z.lengths[288:], offsetBits, offsetEntry))
}

func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// dynamic reads the tables of a block.
func (z *inflater) dynamic() error {
	if err := z.need(14); err != nil {
		return err
	}
	symbols, offsets, codes := z.take(5)+257, z.take(5)+1, z.take(4)+4
	order := [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	if symbols > 286 || offsets > 30 {
		return errInflate
	}
	var lengths [19]byte
	for _, i := range order[:codes] {
		if err := z.need(3); err != nil {
			return err
		}
		lengths[i] = byte(z.take(3)) //nolint:gosec // 3 bits
	}
	if err := z.codes.build(lengths[:], 7, plainEntry); err != nil {
		return err
	}
	for i := 0; i < symbols+offsets; {
		if err := z.need(7 + 7); err != nil {
			return err
		}
		e := z.codes.entries[z.bits&127]
		if e&15 == 0 {
			return errInflate
		}
		z.take(uint(e & 15))
		length, times := byte(e>>16), 1 //nolint:gosec // one of 19 symbols
		switch {
		case length == 16 && i == 0:
			return errInflate
		case length == 16:
			length, times = z.lengths[i-1], 3+z.take(2)
		case length == 17:
			length, times = 0, 3+z.take(3)
		case length == 18:
			length, times = 0, 11+z.take(7)
		}
		if times > symbols+offsets-i {
			return errInflate
		}
		for range times {
			z.lengths[i] = length
			i++
		}
	}
	if z.lengths[256] == 0 {
		return errInflate
	}
	return firstError(z.symbols.build(z.lengths[:symbols], symbolBits, symbolEntry), z.offsets.build(z.lengths[symbols:symbols+offsets], offsetBits, offsetEntry))
}

func plainEntry(symbol entryBits) entryBits { return literal | symbol<<16 }

func symbolEntry(symbol entryBits) entryBits {
	switch {
	case symbol < 256:
		return literal | symbol<<16
	case symbol == 256 || symbol > 285:
		return special | symbol<<16
	case symbol == 285:
		return copying | 258<<16
	case symbol < 265:
		return copying | (symbol-257+3)<<16
	}
	extra := (symbol - 261) / 4
	return copying | extra<<4 | (3+(4+(symbol-265)%4)<<extra)<<16
}

func offsetEntry(symbol entryBits) entryBits {
	switch {
	case symbol > 29:
		return special | symbol<<16
	case symbol < 4:
		return copying | (symbol+1)<<16
	}
	extra := (symbol - 2) / 2
	return copying | extra<<4 | (1+(2+symbol%2)<<extra)<<16
}

// build makes the table of the canonical code whose symbols have these lengths.
func (t *table) build(lengths []byte, first uint, entryOf func(symbol entryBits) entryBits) error {
	var count, next [longest + 2]uint16
	most := 0
	for _, n := range lengths {
		count[n]++
		most = max(most, int(n))
	}
	count[0] = 0
	code := 0
	for n := 1; n <= longest; n++ {
		next[n] = uint16(code)
		code = (code + int(count[n])) << 1
		if code > 2<<n {
			return errInflate
		}
	}
	// A code in which some bits stand for nothing is one of a single symbol, or
	// of none.
	if full := code == 2<<longest; !full && !(most == 0 || most == 1 && count[1] == 1) {
		return errInflate
	}
	t.first = first
	size := 1 << first
	t.entries = append(t.entries[:0], make([]entryBits, size)...)
	for i := range t.entries {
		t.entries[i] = special
	}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		code := int(bits.Reverse16(next[n]) >> (16 - n))
		next[n]++
		e := entryOf(entryBits(symbol)) | entryBits(n)
		if uint(n) <= first {
			for i := code; i < size; i += 1 << n {
				t.entries[i] = e
			}
			continue
		}
		t.long(code, uint(n), uint(most), e)
	}
	return nil
}

// long enters a code that the first bits do not tell.
func (t *table) long(code int, n, most uint, e entryBits) {
	width := most - t.first
	low := code & (1<<t.first - 1)
	if t.entries[low]&kindMask != second {
		at := len(t.entries)
		for range 1 << width {
			t.entries = append(t.entries, special)
		}
		t.entries[low] = second | entryBits(width)<<4 | entryBits(at)<<16 //nolint:gosec // fewer than 1<<16 entries
	}
	at := int(t.entries[low] >> 16)
	for i := code >> t.first; i < 1<<width; i += 1 << (n - t.first) {
		t.entries[at+i] = e
	}
}

// find is the entry of the next bits.
func (t *table) find(b uint64) entryBits {
	e := t.entries[b&(1<<t.first-1)]
	if e&kindMask == second {
		e = t.entries[uint64(e>>16)+b>>t.first&(1<<(e>>4&15)-1)]
	}
	return e
}
