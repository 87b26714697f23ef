package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// lacked is what a partial lacks.
type lacked struct {
	ids   []string // commits or files
	tips  []string // what they lead to need not come
	depth int      // how many commits come of each, those included that are there; 0: ids are files
}

// options are those of git fetch.
func (l lacked) options() []string {
	options := []string{"--filter=blob:none"}
	if l.depth > 0 {
		options = append(options, "--depth="+strconv.Itoa(l.depth))
	}
	for _, tip := range l.tips {
		options = append(options, "--negotiation-tip="+tip)
	}
	return options
}

// request is the fetch command of gitprotocol-v2(5) for it, of who has the
// commits cut without their parents.
func (l lacked) request(cut []string) string {
	var b strings.Builder
	b.WriteString(packet("command=fetch\n") + packet("agent=odyssey\n") + packet("object-format=sha1\n") + delimiter)
	b.WriteString(packet("thin-pack\n") + packet("no-progress\n") + packet("ofs-delta\n") + packet("filter blob:none\n"))
	if l.depth > 0 {
		for _, id := range cut {
			b.WriteString(packet("shallow " + id + "\n"))
		}
		b.WriteString(packet(fmt.Sprintf("deepen %d\n", l.depth)))
	}
	for _, id := range l.ids {
		b.WriteString(packet("want " + id + "\n"))
	}
	for _, id := range l.tips {
		b.WriteString(packet("have " + id + "\n"))
	}
	return b.String() + packet("done\n") + flush
}

// fetchDirect is what git fetch does in b, with one process in the place of five
// and one request in the place of two or three.
func (r *partial) fetchDirect(ctx context.Context, t target, b *bare, l lacked) error {
	server, ok := r.c.direct.at(t)
	if !ok {
		return errIndirect
	}
	path := filepath.Join(b.dir, "shallow")
	cut, err := keptIDs(path)
	if err != nil {
		return err
	}
	ctx, slow := context.WithCancelCause(context.WithValue(ctx, targetKey{}, t))
	defer slow(nil)
	answer, err := r.c.direct.ask(ctx, slow, server, l.request(cut), r.c.received)
	if err != nil {
		return errIndirect
	}
	defer answer.Close()
	packets := &packetReader{r: bufio.NewReaderSize(answer, packBuffer)}
	more, fewer, err := packets.untilPack(len(l.ids) + maxCut)
	if err != nil || checkIDs(more...) != nil {
		return errIndirect
	}
	if err := writeIDs(path, r.cutBy(cut, more, fewer)); err != nil {
		return err
	}
	return broken(ctx, (&fetcher{bare: b, url: r.url}).index(ctx, packets))
}

// cutBy returns which commits are without their parents after a fetch that cut some
// off and gave others theirs. A server cuts at a depth, also where there is more:
// a commit that is there and was not cut has its parents.
func (r *partial) cutBy(before, more, fewer []string) []string {
	whole := map[string]bool{}
	for _, id := range fewer {
		whole[id] = true
	}
	lacking, err := unpacked(filepath.Join(r.home, "objects"), more)
	if err != nil {
		lacking = more // uncut finds out
	}
	cut := slices.DeleteFunc(before, func(id string) bool { return whole[id] })
	return slices.Concat(cut, lacking)
}

// maxCut is how many commits a server may say to be without their parents: each
// branch that was merged in the time that is fetched has one.
const maxCut = 100_000

// index has git read the pack that follows.
func (f *fetcher) index(ctx context.Context, packets *packetReader) error {
	in := &sideBand{packets: packets, progress: func(string) {}}
	cmd := f.limitedCommand(ctx, target{}, "index-pack", "--stdin", "--fix-thin", "--promisor")
	cmd.Stdin = in
	err := cmd.run()
	if in.ended != nil && !errors.Is(in.ended, io.EOF) {
		return in.ended
	}
	if err == nil {
		_, _ = io.CopyN(io.Discard, packets.r, 1<<10) // to the end, so that the connection can be used again
	}
	return err
}
