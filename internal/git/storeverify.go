package git

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nuobit/odyssey/internal/git/packfile"
	"github.com/nuobit/odyssey/internal/gitname"
)

// errIncomplete: a server names objects that it does not send.
var errIncomplete = errors.New("the server does not send all that it should")

// verify makes sure that what was wanted are commits, and that the server has
// sent what they consist of, apart from what the haves consist of: it could name
// what it does not have, and the pool would fill it in.
func (s *Store) verify(ctx context.Context, q *quarantine, w wanted, byRef bool) error {
	for _, id := range w.ids {
		kind, err := q.kind(ctx, id)
		switch failed := (*Error)(nil); {
		case errors.As(err, &failed):
			return fmt.Errorf("%s: %w: the server does not send %s", gitname.Redact(w.url), ErrNoCommit, id)
		case err != nil:
			return err
		case kind != "commit":
			return fmt.Errorf("%s: %w: %s is a %s", gitname.Redact(w.url), ErrNoCommit, id, kind)
		}
	}
	if len(q.haves) == 0 && !byRef {
		return nil // who read the pack has looked, and the pool was not at hand
	}
	got, err := q.received(ctx)
	if err != nil {
		return err
	}
	// With the "aggressive" edge git leaves out all that the haves consist of.
	args := []string{"rev-list", "--objects", "--no-object-names", "--objects-edge-aggressive"}
	for _, id := range q.haves {
		args = append(args, "^"+id)
	}
	absent, doubtful := false, []string{}
	err = q.each(ctx, '\n', func(id string) {
		switch sent, listed := got[id]; {
		case strings.HasPrefix(id, "-"):
		case !listed:
			absent = true
		case !sent:
			doubtful = append(doubtful, id)
		}
	}, append(args, w.ids...)...)
	if failed := (*Error)(nil); errors.As(err, &failed) {
		absent = true
	} else if err != nil {
		return err
	}
	if !absent {
		absent, err = s.hasAny(ctx, doubtful)
	}
	if absent {
		return fmt.Errorf("%s: %w: a part of %s", gitname.Redact(w.url), errIncomplete, strings.Join(w.ids, ", "))
	}
	return err
}

// kind is what an object of the quarantine is.
func (q *quarantine) kind(ctx context.Context, id string) (string, error) {
	if q.pack != nil {
		if name, err := packfile.ParseID(id); err == nil && q.pack.Kind(name) != 0 {
			return q.pack.Kind(name).String(), nil
		}
	}
	return q.line(ctx, "cat-file", "-t", id)
}

// hasAny reports whether the pool has one of the objects.
func (s *Store) hasAny(ctx context.Context, ids []string) (has bool, err error) {
	if len(ids) == 0 {
		return false, nil
	}
	cmd := s.command(ctx, target{}, "cat-file", "--batch-check=%(objectname)")
	cmd.Stdin = strings.NewReader(strings.Join(ids, "\n") + "\n")
	cmd.Stdout = &splitter{end: '\n', most: 200, yield: func(line string) {
		has = has || !strings.HasSuffix(line, " missing")
	}}
	return has, cmd.run()
}

// received returns the objects in the quarantine's packs. One is false when
// another builds on it by its name: git may have taken it from the pool then, to
// complete the pack.
func (q *quarantine) received(ctx context.Context) (map[string]bool, error) {
	indexes, err := filepath.Glob(filepath.Join(q.dir, "objects", "pack", "pack-*.idx"))
	got := map[string]bool{}
	for _, index := range indexes {
		if err := q.readPack(ctx, index, got); err != nil {
			return nil, err
		}
	}
	return got, err
}

func (q *quarantine) readPack(ctx context.Context, index string, got map[string]bool) error {
	pack, err := os.Open(strings.TrimSuffix(index, ".idx") + ".pack")
	if err != nil {
		return err
	}
	defer pack.Close()
	list, err := os.Open(index)
	if err != nil {
		return err
	}
	defer list.Close()
	cmd := q.command(ctx, target{}, "show-index")
	cmd.Stdin = list
	var broken error
	cmd.Stdout = &splitter{end: '\n', most: 200, yield: func(line string) {
		words := strings.Fields(line) // offset, id, checksum
		if len(words) < 2 {
			return
		}
		if _, known := got[words[1]]; !known {
			got[words[1]] = true
		}
		offset, err := strconv.ParseInt(words[0], 10, 64)
		if err == nil {
			var base string
			if base, err = deltaBase(pack, offset, len(words[1])/2); base != "" {
				got[base] = false
			}
		}
		if broken == nil {
			broken = err
		}
	}}
	return errors.Join(cmd.run(), broken)
}

// refDelta is the type of an object that is the difference to one named by its
// id. See gitformat-pack(5).
const refDelta = 7

// deltaBase returns the id of the object that the one at an offset of a pack
// builds on, if that is named by its id, of so many bytes.
func deltaBase(pack io.ReaderAt, offset int64, size int) (string, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(pack, offset, 64), 64)
	first, err := r.ReadByte()
	if err != nil || first>>4&7 != refDelta {
		return "", err
	}
	for b := first; b&0x80 != 0; { // the length
		if b, err = r.ReadByte(); err != nil {
			return "", err
		}
	}
	id := make([]byte, size)
	_, err = io.ReadFull(r, id)
	return hex.EncodeToString(id), err
}
