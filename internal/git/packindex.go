package git

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

// errIndex is of an index that only git can read.
var errIndex = errors.New("not an index of version 2")

// unpacked returns those of ids that are in no pack of an objects directory,
// without git.
func unpacked(objects string, ids []string) ([]string, error) {
	packs, err := filepath.Glob(filepath.Join(objects, "pack", "pack-*.idx"))
	if err != nil {
		return nil, err
	}
	for _, path := range packs {
		if len(ids) == 0 {
			break
		}
		if ids, err = outside(path, ids); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return ids, nil
}

// outside returns those of ids that an index does not have; see
// gitformat-pack(5).
func outside(path string, ids []string) (rest []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const names = 8 + 4*256 // where they begin: a head, and how many there are up to each first byte
	head := make([]byte, names)
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, err
	}
	if string(head[:8]) != "\xfftOc\x00\x00\x00\x02" {
		return nil, errIndex
	}
	upTo := func(first int) int {
		if first < 0 {
			return 0
		}
		return int(binary.BigEndian.Uint32(head[8+4*first:]))
	}
	for _, id := range ids {
		wanted, err := hex.DecodeString(id)
		if err != nil || len(wanted) != 20 {
			return nil, errIndex
		}
		first := int(wanted[0])
		low, high := upTo(first-1), upTo(first)
		if high < low {
			return nil, errIndex
		}
		name, failed := make([]byte, 20), error(nil)
		at := func(i int) string {
			if _, err := f.ReadAt(name, names+20*int64(low+i)); err != nil {
				failed = err
			}
			return string(name)
		}
		i := sort.Search(high-low, func(i int) bool { return at(i) >= string(wanted) })
		if i == high-low || at(i) != string(wanted) {
			rest = append(rest, id)
		}
		if failed != nil {
			return nil, failed
		}
	}
	return rest, nil
}
