// Package release turns a finished build into a published image: it decides what goes
// into which layer, which layers the previous release already has, and what the image says of
// itself. oci does the rest.
package release

import (
	"context"
	"fmt"
	"time"

	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/source"
)

// Materializer brings destinations of a lock to their trees below the source directory.
type Materializer interface {
	Materialize(ctx context.Context, file *lock.File, only []string) (*source.Report, error)
}

// Options say what is packed, and into what.
type Options struct {
	Client  *oci.Client
	Sources Materializer
	Lock    *lock.File
	// Source and Venv are where sources and environment are on this machine; absolute.
	Source, Venv string
	// RequirementsLock is the file that the environment was made from. With it, an environment that is not
	// there, and that the previous image has, need not be.
	RequirementsLock string
	// ImageSource and ImageVenv are where they will be in the image; absolute.
	ImageSource, ImageVenv string

	Base oci.Reference // with a digest
	// SystemBase is the base with the Debian packages of this deployment; the
	// zero value when there are none.
	SystemBase oci.Reference
	Platform   oci.Platform
	// Previous is the image whose layers are taken where nothing moved; nil: none.
	Previous *oci.Image
	// Languages keeps the translations of these languages alone; nil: all.
	Languages   []string
	Compression oci.Compression
	Created     time.Time
	Annotations map[string]string
	// Documents are to be written of the image; nil: none.
	Documents *Documents
	// Jobs is how many layers are made at once.
	Jobs int
	// Done is told of each layer. It may be called concurrently, and be nil.
	Done func(oci.Made)
}

// Report is what Pack did.
type Report struct {
	*oci.Result
	Previous string         `json:"previous,omitempty"` // digest of the previous image's manifest
	Sources  *source.Report `json:"sources"`            // what had to be materialised
	// SBOM and Provenance are the documents, when they were wanted.
	SBOM       []byte `json:"-"`
	Provenance []byte `json:"-"`
}

// Pack makes the image, writes it to a target and gives it tags.
func Pack(ctx context.Context, o Options, t oci.Target, tags oci.Tags) (*Report, error) {
	return run(ctx, o, func(p *packer, report *Report, a oci.Assembly) (*oci.Result, error) {
		if o.Documents != nil {
			a.Attach = func(r *oci.Result) ([]oci.Attachment, error) { return p.documents(report, a.Sources, t, r) }
		}
		return o.Client.Assemble(ctx, a, t, tags)
	})
}

func run(ctx context.Context, o Options, assemble func(*packer, *Report, oci.Assembly) (*oci.Result, error)) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &packer{Options: o}
	base, err := p.base(ctx)
	if err != nil {
		return nil, err
	}
	report := &Report{}
	if o.Previous != nil {
		report.Previous = o.Previous.Reference.Digest
	}
	p.room = min(maxOwn, oci.MaxLayers-len(base.Layers)-othersLayers)
	if report.Sources, err = p.sources(ctx); err != nil {
		return nil, err
	}
	a := oci.Assembly{Base: base, Created: o.Created, Compression: o.Compression, Jobs: o.Jobs, Done: o.Done}
	if a.Sources, err = p.layers(); err != nil {
		return nil, err
	}
	if a.Annotations, err = p.annotations(); err != nil {
		return nil, err
	}
	a.Labels = a.Annotations
	report.Result, err = assemble(p, report, a)
	return report, err
}

// packer is one run.
type packer struct {
	Options
	destinations []destination // in the lock's order
	shares       []*share      // layers of them, in the image's order
	room         int           // for layers of destinations
}

// input is an error that the user can mend.
type input struct{ error }

// InvalidInput marks it for the exit code.
func (input) InvalidInput() {}

func invalid(format string, args ...any) error { return input{fmt.Errorf(format, args...)} }

// Part is what a release is made of: a destination as the lock spells it, "venv" or "etc".
type Part struct {
	Name    string
	Key     string // of what the content was made from; "" of an environment without a lock
	Commits string // of a destination, with spaces between
	Digest  string // of the layer, which several destinations may share
}

// Parts are what a release brought to an image, by its layers; none when it was not made by Pack.
func Parts(image *oci.Image) []Part {
	var all []Part
	for _, l := range image.Layers {
		sources, err := heldIn(l)
		for _, h := range sources {
			all = append(all, Part{Name: h.Path, Key: h.Key, Commits: h.Commits, Digest: l.Digest})
		}
		if name := l.Annotations[annotationLayer]; name != "" && (err != nil || len(sources) == 0) {
			all = append(all, Part{Name: name, Key: l.Annotations[annotationKey], Digest: l.Digest})
		}
	}
	return all
}
