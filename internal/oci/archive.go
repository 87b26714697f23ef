package oci

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// archive writes a tar archive that holds the OCI image layout. A blob's name and size
// are known when it is written, so its header is put in front of it afterwards:
// nothing is written twice.
type archive struct {
	c     *Client
	path  string
	f     *os.File
	mu    sync.Mutex
	end   int64           // where the next entry begins
	has   map[string]bool // blobs, by digest
	index []v1.Descriptor
}

func newArchive(c *Client, path string) (*archive, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".odyssey-archive-")
	if err != nil {
		return nil, err
	}
	a := &archive{c: c, path: path, f: f, has: map[string]bool{}}
	err = a.small("oci-layout", []byte(layoutMark))
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		err = errors.Join(err, a.entry(tarEntry{name: dir, mode: 0o755, time: epoch, kind: tarDir}, nil))
	}
	return a, err
}

func (a *archive) reuse(ctx context.Context, from *Image, l Layer) error {
	a.mu.Lock()
	there := a.has[l.Digest]
	a.mu.Unlock()
	if there {
		return nil
	}
	got, err := a.write(ctx, l.Digest, a.c.blob(from, l))
	if err == nil {
		err = checkResult(l, got)
	}
	return err
}

func (a *archive) write(ctx context.Context, _ string, layer producer) (produced, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.f.Seek(a.end+tarBlock, io.SeekStart); err != nil {
		return produced{}, err
	}
	hash := &countingHash{hash: newSHA256()}
	w := bufio.NewWriterSize(a.f, 1<<20)
	err := layer(ctx, io.MultiWriter(w, hash))
	if err := errors.Join(err, w.Flush()); err != nil {
		return produced{}, err
	}
	got := produced{hash.digest(), hash.size}
	if a.has[got.digest] {
		return got, nil // the next entry is written over it
	}
	if got.size > tarMaxSize {
		return got, errors.New("a layer of more than 8 GiB does not fit into an archive; write to a registry or a directory")
	}
	a.has[got.digest] = true
	return got, a.seal(blobName(got.digest), got.size)
}

// seal puts a header in front of an entry whose content has been written.
func (a *archive) seal(name string, size int64) error {
	if _, err := a.f.Seek(a.end, io.SeekStart); err != nil {
		return err
	}
	w := &tarWriter{w: a.f}
	if err := w.header(tarEntry{name: name, mode: 0o644, size: size, time: epoch, kind: tarFile}); err != nil {
		return err
	}
	if _, err := a.f.Seek(size, io.SeekCurrent); err != nil {
		return err
	}
	w.left = 0
	w.zeros(w.pad)
	a.end += tarBlock + size + w.pad
	return w.err
}

func blobName(digest string) string { return "blobs/sha256/" + strings.TrimPrefix(digest, "sha256:") }

// entry writes a small entry.
func (a *archive) entry(e tarEntry, data []byte) error {
	if _, err := a.f.Seek(a.end, io.SeekStart); err != nil {
		return err
	}
	w := &tarWriter{w: a.f}
	err := w.header(e)
	if err == nil && len(data) > 0 {
		_, err = w.Write(data)
	}
	a.end += tarBlock + int64(len(data)) + -int64(len(data))&(tarBlock-1)
	return err
}

func (a *archive) small(name string, data []byte) error {
	return a.entry(tarEntry{name: name, mode: 0o644, size: int64(len(data)), time: epoch, kind: tarFile}, data)
}

func (a *archive) put(ctx context.Context, d document) error {
	_, err := a.write(ctx, "", d.writeTo)
	return err
}

func (a *archive) manifest(ctx context.Context, d document) error { return a.put(ctx, d) }

func (a *archive) tag(_ context.Context, d document, tag string) error {
	entry, err := named(d, tag)
	a.index = append(a.index, entry)
	return err
}

func (a *archive) holder(context.Context, string) (string, error) { return "", nil }

func (a *archive) close(keep bool) error {
	var err error
	if keep {
		err = a.finish()
		keep = err == nil
	}
	err = errors.Join(err, a.f.Close())
	if !keep || err != nil {
		return errors.Join(err, os.Remove(a.f.Name()))
	}
	return os.Rename(a.f.Name(), a.path)
}

// finish writes the list of images and the archive's end.
func (a *archive) finish() error {
	data, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: a.index})
	if err != nil {
		return err
	}
	if err := a.small("index.json", data); err != nil {
		return err
	}
	if err := a.f.Truncate(a.end); err != nil {
		return err
	}
	if _, err := a.f.Seek(a.end, io.SeekStart); err != nil {
		return err
	}
	return errors.Join((&tarWriter{w: a.f}).close(), a.f.Chmod(0o644))
}
