package release

import (
	"context"

	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/provenance"
	"github.com/nuobit/odyssey/internal/sbom"
)

// Join publishes images of several architectures under one index, as oci.Client.Join does. With
// documents that are to be attached, the bills of materials of the images hang on the index, too, and a
// provenance that says of which images it was made; each of those keeps its own.
func Join(ctx context.Context, c *oci.Client, refs []oci.Reference, docs *Documents, t oci.Target, tags oci.Tags) (*oci.Result, error) {
	if docs == nil || !docs.Attach {
		return c.Join(ctx, refs, t, nil, tags)
	}
	var bills []oci.Attachment
	for _, ref := range refs {
		found, err := c.Referrers(ctx, ref, oci.TypeSBOM)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			if !isOurs(r) {
				continue
			}
			data, err := c.ReadReferrer(ctx, ref, r)
			if err != nil {
				return nil, err
			}
			bills = append(bills, clone(r, data))
		}
	}
	return c.Join(ctx, refs, t, func(r *oci.Result) ([]oci.Attachment, error) {
		b := provenance.Build{Type: provenance.BuildJoin}
		var names []string
		for _, ref := range refs {
			names = append(names, ref.String())
			b.Resolved = append(b.Resolved, provenance.Resource{Name: ref.String(), URI: sbom.PURL(ref.Repository, ref.Tag, ref.Digest), Digest: provenance.SHA256(ref.Digest)})
		}
		b.External = map[string]any{"images": names}
		data, mark, err := provenance.Make([]provenance.Resource{{Name: t.Name("", ""), Digest: provenance.SHA256(r.Digest)}}, b, docs.By)
		statement := oci.Attachment{Type: oci.TypeStatement, Data: data, Mark: annotationContent, Annotations: statementAnnotations(mark)}
		return append(bills, statement), err
	}, tags)
}
