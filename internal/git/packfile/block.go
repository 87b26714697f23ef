package packfile

import "encoding/binary"

// block inflates the symbols of a block. At its top there are 56 bits or more in
// b: enough for three literals, of 15 each; 48 are enough for a copy.
func (z *inflater) block(data []byte, at int) (int, error) {
	b, n := z.bits, z.count
	symbols, offsets := z.symbols.entries[:1<<symbolBits], z.offsets.entries[:1<<offsetBits]
	for {
		if z.w-z.r < lookAhead {
			if err := z.ensure(lookAhead); err != nil {
				return at, err
			}
		}
		b |= binary.LittleEndian.Uint64(z.buf[z.r:]) << n
		z.r += int(63-n) >> 3
		n |= 56
		e := symbols[b&(1<<symbolBits-1)]
		for i := 0; ; i++ {
			if e&kindMask == second {
				e = z.symbols.find(b)
			}
			b, n = b>>(e&15), n-uint(e&15)
			if e&kindMask != literal {
				break
			}
			if at >= len(data) {
				return at, errInflate
			}
			data[at] = byte(e >> 16) //nolint:gosec // a literal is a byte
			at++
			if i == 2 {
				break
			}
			e = symbols[b&(1<<symbolBits-1)]
		}
		switch e & kindMask {
		case literal:
			continue
		case special:
			if e&15 == 0 || e>>16 != 256 {
				return at, errInflate
			}
			z.bits, z.count = b&(1<<n-1), n
			return at, nil
		}
		if n < 48 {
			b |= binary.LittleEndian.Uint64(z.buf[z.r:]) << n
			z.r += int(63-n) >> 3
			n |= 56
		}
		length := int(e>>16) + int(b&(1<<(e>>4&15)-1)) //nolint:gosec // 13 bits at most
		b, n = b>>(e>>4&15), n-uint(e>>4&15)
		o := offsets[b&(1<<offsetBits-1)]
		if o&kindMask == second {
			o = z.offsets.find(b)
		}
		b, n = b>>(o&15), n-uint(o&15)
		offset := int(o>>16) + int(b&(1<<(o>>4&15)-1)) //nolint:gosec // 13 bits at most
		b, n = b>>(o>>4&15), n-uint(o>>4&15)
		if o&kindMask != copying || offset > at || length > len(data)-at {
			return at, errInflate
		}
		repeat(data, at, offset, length)
		at += length
	}
}

// repeat writes again what was written so far in front. Both may overlap: what
// has just been written is then written again.
func repeat(data []byte, at, offset, length int) {
	if offset >= 8 && length <= 32 && len(data)-at >= 40 {
		to, from := data[at:at+40], data[at-offset:at-offset+40]
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(from[i:]))
		}
		return
	}
	for to := data[at : at+length]; len(to) > 0; {
		n := copy(to, data[at-offset:at])
		to, at, offset = to[n:], at+n, offset+n
	}
}
