package release

import (
	"context"
	"strings"

	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/oci"
)

// Published is what an image says of how it was packed.
type Published struct {
	Image *oci.Image
	// Repository and Commit are where its locks are.
	Repository, Commit string
	options            Options
}

// ReadPublished reads what an image of ours says of itself.
func ReadPublished(image *oci.Image) (*Published, error) {
	all := image.Annotations
	if all[annotationFormat] == "" {
		return nil, invalid("%s was not made by odoo-build-image pack", image.Reference)
	}
	if all[annotationFormat] != format {
		return nil, invalid("%s has format %s, and this program writes format %s: verify it with the version that made it", image.Reference, all[annotationFormat], format)
	}
	p := &Published{Image: image, Repository: all[oci.AnnotationSource], Commit: all[oci.AnnotationRevision]}
	base, err := oci.ParsePinned(all[oci.AnnotationBaseName] + "@" + all[oci.AnnotationBaseDigest])
	if err != nil {
		return nil, err
	}
	p.options = Options{
		ImageSource: all[annotationSource], ImageVenv: all[annotationVenv], Base: base, Platform: image.Platform,
		Created: image.Created, Annotations: own(all),
	}
	if system := all[annotationSystem]; system != "" {
		if p.options.SystemBase, err = oci.ParsePinned(system); err != nil {
			return nil, err
		}
	}
	if p.options.Compression, err = oci.ParseCompression(all[annotationCompression]); err != nil {
		return nil, err
	}
	if languages, some := all[annotationLanguages]; some {
		p.options.Languages = strings.Split(languages, ",")
	}
	return p, nil
}

// Venv is where the environment is in the image; it is built there again.
func (p *Published) Venv() string { return p.options.ImageVenv }

// Rebuilt is what Verify is to compare with: a build of the commit's locks.
type Rebuilt struct {
	Client           *oci.Client
	Sources          Materializer
	Lock             *lock.File
	Source, Venv     string
	RequirementsLock string
	Jobs             int
}

// Verdict says whether an image is what its locks give.
type Verdict struct {
	Same      bool         `json:"same"`
	Published string       `json:"published"` // digests of the image's manifest
	Rebuilt   string       `json:"rebuilt"`
	Layers    []LayerFault `json:"layers"`
	Other     []string     `json:"other"` // what differs beside the layers
}

// LayerFault is a layer that differs.
type LayerFault struct {
	Name        string           `json:"name"`
	Published   string           `json:"published"` // digest; "" when only one has it
	Rebuilt     string           `json:"rebuilt"`
	Differences []oci.Difference `json:"differences"` // the first hundred; none when only compression differs
}

// Verify packs a build again, without the layers of any other image, and compares it
// with what was published.
func Verify(ctx context.Context, p *Published, r Rebuilt) (*Verdict, error) {
	o := p.options
	o.Client, o.Sources, o.Lock, o.Source, o.Venv, o.RequirementsLock, o.Jobs = r.Client, r.Sources, r.Lock, r.Source, r.Venv, r.RequirementsLock, r.Jobs
	var packed oci.Assembly
	report, err := run(ctx, o, func(_ *packer, _ *Report, a oci.Assembly) (*oci.Result, error) {
		packed = a
		return r.Client.Digest(ctx, a)
	})
	if err != nil {
		return nil, err
	}
	v := &Verdict{Published: p.Image.Reference.Digest, Rebuilt: report.Manifest, Layers: []LayerFault{}, Other: []string{}}
	if v.Same = v.Published == v.Rebuilt; v.Same {
		return v, nil
	}
	return v, p.explain(ctx, v, r.Client, packed, report.Layers)
}

// explain finds what differs.
func (p *Published) explain(ctx context.Context, v *Verdict, c *oci.Client, packed oci.Assembly, made []oci.Made) error {
	there := map[string]oci.Layer{}
	for _, l := range p.Image.Layers {
		if name := l.Annotations[annotationLayer]; name != "" {
			there[name] = l
		}
	}
	for i, s := range packed.Sources {
		name := s.Annotations[annotationLayer]
		l, had := there[name]
		delete(there, name)
		if had && l.Digest == made[i].Digest {
			continue
		}
		fault := LayerFault{Name: name, Published: l.Digest, Rebuilt: made[i].Digest, Differences: []oci.Difference{}}
		if had && l.DiffID != made[i].DiffID {
			var err error
			if fault.Differences, err = c.Compare(ctx, p.Image, l, s.Tree); err != nil {
				return err
			}
		}
		v.Layers = append(v.Layers, fault)
	}
	for _, l := range p.Image.Layers {
		if name := l.Annotations[annotationLayer]; name != "" {
			if _, left := there[name]; left {
				v.Layers = append(v.Layers, LayerFault{Name: name, Published: l.Digest, Differences: []oci.Difference{}})
			}
		}
	}
	if len(v.Layers) == 0 {
		v.Other = append(v.Other, "all layers are the same; their order, the base, the configuration or the annotations differ")
	}
	return nil
}
