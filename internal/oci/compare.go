package oci

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Difference is a file of a layer that is not what it should be.
type Difference struct {
	Name string `json:"name"`
	What string `json:"what"` // for people
}

// maxDifferences bounds how many are told.
const maxDifferences = 100

// Compare tells how a layer that was published differs from a tree: "only published", "only
// here", or what of a file is another.
func (c *Client) Compare(ctx context.Context, image *Image, l Layer, tree *Tree) ([]Difference, error) {
	theirs := map[string]string{}
	err := c.eachEntry(ctx, image, l, func(h *tar.Header, content io.Reader) error { return summarize(theirs, h, content) })
	if err != nil {
		return nil, err
	}
	ours, err := tree.summary(ctx)
	if err != nil {
		return nil, err
	}
	var all []Difference
	names := maps.Clone(theirs)
	maps.Copy(names, ours)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		their, published := theirs[name]
		our, here := ours[name]
		switch {
		case !here:
			all = append(all, Difference{name, "only published"})
		case !published:
			all = append(all, Difference{name, "only rebuilt"})
		case their != our:
			all = append(all, Difference{name, differing(their, our)})
		}
		if len(all) == maxDifferences {
			break
		}
	}
	return all, nil
}

// summary is what a tree's archive has, by name.
func (t *Tree) summary(ctx context.Context) (map[string]string, error) {
	pr, pw := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		w := bufio.NewWriterSize(pw, tarBuffer)
		err := t.write(ctx, w)
		_ = pw.CloseWithError(errors.Join(err, w.Flush())) // always nil
	}()
	all := map[string]string{}
	archive := tar.NewReader(pr)
	var err error
	for {
		var h *tar.Header
		if h, err = archive.Next(); err != nil {
			break
		}
		if err = summarize(all, h, archive); err != nil {
			break
		}
	}
	_ = pr.Close() // always nil
	<-written
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return all, err
}

// summarize notes all that a layer says of a file, as key=value words.
func summarize(all map[string]string, h *tar.Header, content io.Reader) error {
	hash := &countingHash{hash: newSHA256()}
	if _, err := io.Copy(hash, content); err != nil {
		return err
	}
	all[strings.TrimSuffix(h.Name, "/")] = fmt.Sprintf("kind=%c mode=%04o owner=%d:%d size=%d content=%.19s time=%d link=%q", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Size, hash.digest(), h.ModTime.Unix(), h.Linkname)
	return nil
}

// differing are the words in which two summaries differ.
func differing(published, rebuilt string) string {
	var out []string
	a, b := strings.Split(published, " "), strings.Split(rebuilt, " ")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			_, value, _ := strings.Cut(b[i], "=")
			out = append(out, a[i]+" published, "+value+" rebuilt")
		}
	}
	return strings.Join(out, "; ")
}
