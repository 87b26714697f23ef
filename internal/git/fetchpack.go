package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// fetchPack fetches commits at depth 1 into a repository that has nothing yet,
// and checks that what they consist of is all there. It does what git fetch
// does, with one process or none in the place of five, and reads the pack while it comes
// in. errNoV2 says that git fetch has to do it.
func (q *quarantine) fetchPack(ctx context.Context, w wanted) error {
	t, err := q.c.target(ctx, w.url)
	if err != nil {
		return err
	}
	if err := q.clear(); err != nil {
		return err
	}
	if err := q.fetchDirect(ctx, t, w); !errors.Is(err, errIndirect) {
		return err
	}
	v, err := q.c.dial(ctx, t, math.MaxInt)
	if err != nil {
		return err
	}
	return v.end(v.fetch(ctx, q, t.Scheme, w))
}

// fetch is the fetch command of gitprotocol-v2(5).
func (v *conversation) fetch(ctx context.Context, q *quarantine, scheme string, w wanted) error {
	if strings.HasPrefix(scheme, "http") {
		if err := v.connect(); err != nil {
			return err
		}
	}
	packets := &packetReader{r: v.out}
	if err := packets.greeting(); err != nil {
		return err
	}
	if _, err := io.WriteString(v.in, fetchRequest(w.ids)); err != nil {
		return err
	}
	cut, _, err := packets.untilPack(len(w.ids))
	if err != nil {
		return err
	}
	return q.receive(ctx, packets, cut, w)
}

// fetchRequest asks for commits without their parents.
func fetchRequest(ids []string) string {
	request := packet("command=fetch\n") + packet("agent=odyssey\n") + packet("object-format=sha1\n") + delimiter + packet("no-progress\n") + packet("ofs-delta\n") + packet("deepen 1\n")
	for _, id := range ids {
		request += packet("want " + id + "\n")
	}
	return request + packet("done\n") + flush
}

// maxLines is how many lines are read before a pack, beside one for each commit.
const maxLines = 1000

// Kinds of packets; see gitprotocol-common(5).
type packetKind int

const (
	dataPacket packetKind = iota
	flushPacket
	delimiterPacket
)

// Packets without content.
const (
	flush     = "0000"
	delimiter = "0001"
)

// packet is the packet of a line.
func packet(line string) string { return fmt.Sprintf("%04x%s", len(line)+4, line) }

// packetReader reads packets.
type packetReader struct {
	r    *bufio.Reader
	data [65520]byte
}

// next returns a packet's content, which is good until the next call.
func (p *packetReader) next() ([]byte, packetKind, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return nil, 0, cutShort(unexpected(err))
	}
	size, err := strconv.ParseUint(string(head[:]), 16, 16)
	switch {
	case err != nil || size == 3 || size > uint64(len(p.data)):
		return nil, 0, fmt.Errorf("the server sends %q where a packet should start", head)
	case size == 0:
		return nil, flushPacket, nil
	case size == 2: // the http helper's word for an answer that is over
		return nil, 0, cutShort(io.ErrUnexpectedEOF)
	case size == 1:
		return nil, delimiterPacket, nil
	}
	line := p.data[:size-4]
	if _, err := io.ReadFull(p.r, line); err != nil {
		return nil, 0, cutShort(unexpected(err))
	}
	if said, is := strings.CutPrefix(string(line[:min(len(line), maxStderr)]), "ERR "); is {
		return nil, 0, serverError(said)
	}
	return line, dataPacket, nil
}

// untilPack reads up to the pack, and returns the commits whose parents do not
// come, and those whose parents do that did not before; wants is how many commits
// were asked for.
func (p *packetReader) untilPack(wants int) (cut, uncut []string, err error) {
	for range maxLines + wants {
		line, kind, err := p.next()
		if err != nil {
			return nil, nil, err
		}
		switch text := strings.TrimSuffix(string(line), "\n"); {
		case kind == flushPacket:
			return nil, nil, errors.New("the server sends no pack")
		case strings.HasPrefix(text, "shallow "):
			cut = append(cut, strings.TrimPrefix(text, "shallow "))
		case strings.HasPrefix(text, "unshallow "):
			uncut = append(uncut, strings.TrimPrefix(text, "unshallow "))
		case text == "packfile":
			return cut, uncut, nil
		}
	}
	return nil, nil, errors.New("the server sends no end of lines where a pack should start")
}

// unexpected makes an end of input one that comes too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// serverError is what a server says is wrong.
func serverError(said string) error {
	text := clean("fatal: remote error: " + said)
	return &Error{Args: []string{"fetch"}, ExitCode: -1, Stderr: text, class: classify(text)}
}

// greeting reads what the server can do. It must be version 2 with SHA-1.
func (p *packetReader) greeting() error {
	for first := true; ; first = false {
		line, kind, err := p.next()
		if err != nil {
			return err
		}
		text := strings.TrimSuffix(string(line), "\n")
		switch {
		case first && text != "version 2", strings.HasPrefix(text, "object-format=") && text != "object-format=sha1":
			return errNoV2
		case kind == flushPacket:
			return nil
		}
	}
}
