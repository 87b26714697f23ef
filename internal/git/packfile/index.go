package packfile

import (
	"bufio"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// WriteIndex writes the pack's index, as git index-pack writes it.
func (p *Pack) WriteIndex(w io.Writer) error {
	made := &idxfile.Writer{}
	for _, e := range p.entries {
		made.Add(plumbing.Hash(e.id), uint64(e.offset), e.crc) //nolint:gosec // an offset is not negative
	}
	if err := made.OnFooter(plumbing.Hash(p.sum)); err != nil {
		return err
	}
	index, err := made.Index()
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(w)
	if _, err := idxfile.NewEncoder(buffered).Encode(index); err != nil {
		return err
	}
	return buffered.Flush()
}
