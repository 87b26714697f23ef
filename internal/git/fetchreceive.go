package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/nuobit/odyssey/internal/git/packfile"
)

// Sink is given the files of a commit while it is being fetched, so that they
// can be written before all has come. It is for speed alone: files that are large, or come in an
// unusual order, and all files of unusual servers, are not given to it.
type Sink interface {
	// Begin is called ahead of the first file, and again when a fetch that failed
	// is tried again: what was given before does not count then.
	Begin() error
	// Put is given a file or link and its content, which it must neither change nor
	// keep. It is called concurrently, and not any more after an error.
	//
	// Nothing has been verified then but that the content has the id, and that the commit
	// leads to it by the path.
	Put(e Entry, content []byte) error
}

// receive reads the pack that follows in packets, which begins with commits whose parents
// are cut off.
func (q *quarantine) receive(ctx context.Context, packets *packetReader, cut []string, w wanted) error {
	if err := os.WriteFile(filepath.Join(q.dir, "shallow"), []byte(strings.Join(cut, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Join(q.dir, "objects", "pack"), "tmp_pack_")
	if err != nil {
		return err
	}
	in := &sideBand{packets: packets, progress: w.progress}
	pack, err := packfile.Receive(ctx, in, file, q.receiving(cut, w))
	if err == nil {
		err = q.store(file, pack)
	} else if errors.Is(err, packfile.ErrOdd) {
		err = q.judged(ctx, in, file)
	}
	if err != nil || q.pack == nil {
		_ = file.Close()
	}
	return err
}

// receiving are the options for receiving what is wanted.
func (q *quarantine) receiving(cut []string, w wanted) packfile.Options {
	o := packfile.Options{Memory: q.memory}
	for _, id := range cut {
		if id, err := packfile.ParseID(id); err == nil {
			o.Shallow = append(o.Shallow, id)
		}
	}
	if w.sink == nil || len(w.ids) != 1 || w.sink.Begin() != nil {
		return o
	}
	root, err := packfile.ParseID(w.ids[0])
	if err != nil {
		return o
	}
	o.Root, o.File = root, func(f packfile.File, data []byte) error { return w.sink.Put(entryOf(f), data) }
	return o
}

// store gives the pack its name and its index.
func (q *quarantine) store(file *os.File, pack *packfile.Pack) error {
	base := filepath.Join(q.dir, "objects", "pack", "pack-"+pack.Name())
	index, err := os.OpenFile(base+".idx", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return err
	}
	err = errors.Join(pack.WriteIndex(index), index.Sync(), index.Close(), file.Chmod(0o444), file.Sync())
	if err == nil {
		err = os.Rename(file.Name(), base+".pack")
	}
	if err == nil {
		q.pack = pack
	}
	return err
}

// judged has git index-pack read a pack of which a part is in a file already.
func (q *quarantine) judged(ctx context.Context, in *sideBand, file *os.File) error {
	if _, err := io.Copy(file, in); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	cmd := q.command(ctx, target{}, "index-pack", "--stdin", "--check-self-contained-and-connected")
	cmd.Stdin = file
	return errors.Join(cmd.run(), os.Remove(file.Name()))
}

// sideBand is the pack that comes in packets. It tells how much has come.
type sideBand struct {
	packets        *packetReader
	progress       func(string)
	rest           []byte // of the last packet
	ended          error
	received, told int64
}

func (s *sideBand) Read(p []byte) (int, error) {
	for len(s.rest) == 0 && s.ended == nil {
		s.next()
	}
	if len(s.rest) == 0 {
		return 0, s.ended
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *sideBand) next() {
	line, kind, err := s.packets.next()
	switch {
	case err != nil:
		s.ended = err
	case kind == flushPacket:
		s.ended = io.EOF
	case len(line) == 0:
	case line[0] == 1:
		s.rest = line[1:]
		if s.received += int64(len(s.rest)); s.received-s.told > 1<<20 {
			s.told = s.received
			s.progress(fmt.Sprintf("%d MB", s.received/1_000_000))
		}
	case line[0] == 3:
		s.ended = serverError(string(line[1:min(len(line), maxStderr)]))
	}
}
