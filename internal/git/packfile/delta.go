package packfile

import "encoding/binary"

// deltaSizes reads the sizes of base and result that a delta begins with.
func deltaSizes(delta []byte) (base, result int64, rest []byte, err error) {
	sizes := [2]int64{}
	for i := range sizes {
		size, n := binary.Uvarint(delta)
		if n <= 0 || size > maxStreamed {
			return 0, 0, nil, oddf("a delta without sizes")
		}
		sizes[i], delta = int64(size), delta[n:]
	}
	return sizes[0], sizes[1], delta, nil
}

// patch makes of a base what the commands of a delta say.
func patch(result, base, commands []byte) error {
	bad := oddf("a delta that does not fit its base")
	for len(commands) > 0 {
		op := commands[0]
		commands = commands[1:]
		var piece []byte
		switch {
		case op == 0:
			return bad
		case op < 0x80:
			if int(op) > len(commands) {
				return bad
			}
			piece, commands = commands[:op], commands[op:]
		default:
			at, size := 0, 0
			for i := range 7 {
				if op>>i&1 == 0 {
					continue
				}
				if len(commands) == 0 {
					return bad
				}
				if i < 4 {
					at |= int(commands[0]) << (8 * i)
				} else {
					size |= int(commands[0]) << (8 * (i - 4))
				}
				commands = commands[1:]
			}
			if size == 0 {
				size = 0x10000
			}
			if at > len(base) || size > len(base)-at {
				return bad
			}
			piece = base[at : at+size]
		}
		if len(piece) > len(result) {
			return bad
		}
		copy(result, piece)
		result = result[len(piece):]
	}
	if len(result) > 0 {
		return bad
	}
	return nil
}
