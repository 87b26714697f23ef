package oci

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Source is a layer of an image that is to be made.
type Source struct {
	Name        string            // for people: in progress and in the image's history
	Annotations map[string]string // of the layer in the manifest
	Tree        *Tree             // what is in it; nil when Same is set
	// Same is a layer of From that is known to have the same content: it is
	// taken as it is.
	Same *Layer
	// Maybe is a layer of From that may have the same content, compressed in the
	// same way: it is taken if its DiffID is that of the tree. Nil: none.
	Maybe *Layer
	From  *Image
}

// Assembly is an image that is to be made.
type Assembly struct {
	Base        *Image
	Sources     []Source // in their order, above the base's layers
	Labels      map[string]string
	Annotations map[string]string // of manifest and index
	Created     time.Time
	Compression Compression
	// Jobs is how many layers are made at once. Default 3.
	Jobs int
	// Attach makes the documents that hang on the image, from its digest. Nil: none.
	Attach func(*Result) ([]Attachment, error)
	// Done is told of each layer when it is there. It may be called concurrently,
	// and be nil.
	Done func(Made)
}

// Made is a layer of an image that was made.
type Made struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Size   int64  `json:"size"`   // in bytes, compressed
	Reused bool   `json:"reused"` // taken from the previous image
	DiffID string `json:"diffID"`
}

// Result is an image that was made.
type Result struct {
	Digest   string   `json:"digest"`   // of the index
	Manifest string   `json:"manifest"` // digest of the image's manifest
	Platform string   `json:"platform"`
	Layers   []Made   `json:"layers"` // above the base's
	Written  int64    `json:"bytesWritten"`
	Tags     []string `json:"tags"`
	// Attached is what hangs on the image.
	Attached []Referrer `json:"attached,omitempty"`
	index    document
}

// assembler is one run.
type assembler struct {
	*Assembly
	out     output
	layers  []Layer
	made    []Made
	written atomic.Int64
}

// MaxLayers is how many layers an image may have: what overlayfs stacks, less one for
// the container.
const MaxLayers = 125

// Assemble makes an image and writes it to a target, and gives it the tags. A tag that
// another image has is a *TagError; nothing is tagged then.
func (c *Client) Assemble(ctx context.Context, a Assembly, t Target, tags Tags) (*Result, error) {
	if tags.Next != "" && !t.Registry() {
		return nil, invalid("the next tag after %sNNNN is looked up in a registry; name a tag with --tag", tags.Next)
	}
	sources := []string{a.Base.Reference.Repository}
	for _, s := range a.Sources {
		if s.From != nil {
			sources = append(sources, s.From.Reference.Repository)
		}
	}
	out, err := c.openOutput(ctx, t, sources)
	if err != nil {
		return nil, err
	}
	result, err := assemble(ctx, a, out)
	if err == nil {
		err = c.finish(ctx, out, t, result, a.Attach, tags)
	}
	if err := errors.Join(err, out.close(err == nil)); err != nil {
		return nil, err
	}
	return result, nil
}

// finish hangs documents on an index that is there, and gives it its tags: who finds it by a tag finds
// all of it.
func (c *Client) finish(ctx context.Context, out output, t Target, result *Result, attach func(*Result) ([]Attachment, error), tags Tags) error {
	if attach != nil {
		documents, err := attach(result)
		if err != nil {
			return err
		}
		if result.Attached, err = attachAll(ctx, out, result.index, documents); err != nil {
			return fmt.Errorf("hang documents on %s: %w\n  the image is there, without a tag; run this again, or with --attest no", t.Name("", result.Digest), err)
		}
	}
	var err error
	if result.Tags, err = tagAll(ctx, out, t, result.index, tags.Names); err != nil || tags.Next == "" {
		return err
	}
	return c.tagNext(ctx, out, t, result, tags.Next)
}

// Digest makes an image and throws it away, to find out its digest.
func (c *Client) Digest(ctx context.Context, a Assembly) (*Result, error) {
	return assemble(ctx, a, discard{})
}

func assemble(ctx context.Context, a Assembly, out output) (*Result, error) {
	if n := len(a.Base.Layers) + len(a.Sources); n > MaxLayers {
		return nil, invalid("the image would have %d layers, and container engines stack at most %d", n, MaxLayers)
	}
	r := &assembler{Assembly: &a, out: out, layers: make([]Layer, len(a.Base.Layers)+len(a.Sources)), made: make([]Made, len(a.Sources))}
	if r.Jobs <= 0 {
		r.Jobs = 3
	}
	if r.Done == nil {
		r.Done = func(Made) {}
	}
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(r.Jobs)
	for i := range a.Sources {
		group.Go(func() error { return r.source(working, i) })
	}
	for i, l := range a.Base.Layers {
		r.layers[i] = l
		group.Go(func() error { return out.reuse(working, a.Base, l) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return r.finish(ctx)
}

// finish writes what binds the layers together.
func (r *assembler) finish(ctx context.Context) (*Result, error) {
	c := composition{base: r.Base, layers: r.layers, labels: r.Labels, annotations: r.Annotations, created: r.Created}
	for _, s := range r.Sources {
		c.names = append(c.names, s.Name)
	}
	config, manifest, index, err := c.documents()
	if err != nil {
		return nil, err
	}
	if err := r.out.put(ctx, config); err != nil {
		return nil, err
	}
	for _, d := range []document{manifest, index} {
		if err := r.out.manifest(ctx, d); err != nil {
			return nil, err
		}
	}
	return &Result{
		Digest: index.digest, Manifest: manifest.digest, Platform: r.Base.Platform.String(), Layers: r.made, Written: r.written.Load(), index: index,
	}, nil
}

// source brings one layer.
func (r *assembler) source(ctx context.Context, i int) error {
	s := &r.Sources[i]
	l, reused, err := r.layer(ctx, s)
	if err != nil {
		return err
	}
	l.Annotations = s.Annotations
	r.layers[len(r.Base.Layers)+i] = l
	r.made[i] = Made{Name: s.Name, Digest: l.Digest, Size: l.Size, Reused: reused, DiffID: l.DiffID}
	r.Done(r.made[i])
	return nil
}

func (r *assembler) layer(ctx context.Context, s *Source) (l Layer, reused bool, err error) {
	if s.Same == nil && s.Maybe != nil {
		id, err := s.Tree.diffID(ctx)
		if err != nil {
			return Layer{}, false, err
		}
		if id == s.Maybe.DiffID {
			s.Same = s.Maybe
		}
	}
	if s.Same != nil {
		return *s.Same, true, r.out.reuse(ctx, s.From, *s.Same)
	}
	var id string
	got, err := r.out.write(ctx, s.Name, s.Tree.compressed(r.Compression, &id))
	r.written.Add(got.size)
	return Layer{MediaType: r.Compression.mediaType(), Digest: got.digest, Size: got.size, DiffID: id}, false, err
}

// diffID is the digest of the tree's archive.
func (t *Tree) diffID(ctx context.Context) (string, error) {
	hash := &countingHash{hash: newSHA256()}
	w := bufio.NewWriterSize(hash, tarBuffer)
	err := errors.Join(t.write(ctx, w), w.Flush())
	return hash.digest(), err
}

// tarBuffer gathers the small writes of an archive, in bytes.
const tarBuffer = 128 << 10

// compressed is a producer of the tree's layer. id is set, each time that it has run
// to its end, to the digest of the uncompressed archive.
func (t *Tree) compressed(c Compression, id *string) producer {
	return func(ctx context.Context, w io.Writer) error {
		z, err := c.writer(w)
		if err != nil {
			return err
		}
		hash := &countingHash{hash: newSHA256()}
		tar := bufio.NewWriterSize(io.MultiWriter(hash, z), tarBuffer)
		err = t.write(ctx, tar)
		if err == nil {
			err = tar.Flush()
		}
		// It has goroutines that only end so.
		if failed := z.Close(); err == nil {
			err = failed
		}
		*id = hash.digest()
		return err
	}
}
