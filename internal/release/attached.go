package release

import (
	"context"

	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/provenance"
)

// ReadSBOM reads the bill of materials that hangs on an image or index, for a platform. The zero Platform
// stands for this machine's or, where there is one bill alone, for any.
func ReadSBOM(ctx context.Context, c *oci.Client, ref oci.Reference, p oci.Platform) ([]byte, error) {
	all, err := c.Referrers(ctx, ref, oci.TypeSBOM)
	if err != nil {
		return nil, err
	}
	anyOne := p == oci.Platform{}
	if anyOne {
		if p, err = oci.ParsePlatform(""); err != nil {
			return nil, err
		}
	}
	var chosen *oci.Referrer
	for i, r := range all {
		// Another program's does not say which platform it is for.
		if has := r.Annotations[AnnotationPlatform]; has == p.String() || chosen == nil && (has == "" || anyOne && len(all) == 1) {
			chosen = &all[i]
		}
	}
	switch {
	case len(all) == 0:
		return nil, nothingHangs(ctx, c, ref, "bill of materials ("+oci.TypeSBOM+")")
	case chosen == nil:
		return nil, invalid("%s has bills of materials of other platforms than %s\n  name one of them by --platform", ref, p)
	}
	return c.ReadReferrer(ctx, ref, *chosen)
}

// maxStatements is how many statements of an image are looked at.
const maxStatements = 100

// ReadProvenance reads the statements with SLSA's provenance that hang on an image or index, those of a builder
// or, when it is "", of all; there is one at least.
func ReadProvenance(ctx context.Context, c *oci.Client, ref oci.Reference, builder string) ([][]byte, error) {
	found, err := c.Referrers(ctx, ref, oci.TypeStatement)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, r := range found[:min(len(found), maxStatements)] {
		data, err := c.ReadReferrer(ctx, ref, r)
		if err != nil {
			return nil, err
		}
		// Other statements than SLSA's say something else.
		if s, err := provenance.Parse(data); err == nil && (builder == "" || s.Predicate.Run.Builder.ID == builder) {
			all = append(all, data)
		}
	}
	if len(all) == 0 {
		what := "provenance (" + provenance.PredicateType + ")"
		if builder != "" {
			what += " by " + builder
		}
		return nil, nothingHangs(ctx, c, ref, what)
	}
	return all, nil
}

// nothingHangs says what is missing, and of an image that is not there that it is not.
func nothingHangs(ctx context.Context, c *oci.Client, ref oci.Reference, what string) error {
	if _, err := c.Resolve(ctx, ref); err != nil {
		return err
	}
	return invalid("no %s hangs on %s\n  take the digest that pack printed, of the index; an image that was packed with --attest=no, or copied without its referrers, has none", what, ref)
}
