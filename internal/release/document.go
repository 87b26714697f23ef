package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/provenance"
	"github.com/nuobit/odyssey/internal/python/requirements"
	"github.com/nuobit/odyssey/internal/sbom"
)

// Documents are what is said of an image beside the image itself.
type Documents struct {
	// Attach hangs them on the image.
	Attach bool
	// LocksFile is the repos.lock.yaml that Lock was read from.
	LocksFile string
	By        provenance.By
}

// Annotations of what hangs on an image.
const (
	// AnnotationPlatform is of a bill of materials: the platform of the image that it is of.
	AnnotationPlatform = prefix + "platform"

	annotationContent = prefix + "content" // digest of what it says
)

// documents writes the bill of materials and the provenance of an image.
func (p *packer) documents(report *Report, layers []oci.Source, t oci.Target, result *oci.Result) ([]oci.Attachment, error) {
	packages, err := p.packages(layers)
	if err != nil {
		return nil, err
	}
	content := sbom.Content{Image: p.described(t, result), Packages: packages, Repositories: p.repositories(), ToolVersion: p.Documents.By.Version}
	for _, b := range p.bases() {
		content.Bases = append(content.Bases, sbom.Base{Ref: b.name, Repository: b.ref.Repository, Tag: b.ref.Tag, Digest: b.ref.Digest})
	}
	bill, billMark, err := sbom.Make(content)
	if err != nil {
		return nil, err
	}
	build, err := p.definition(content.Image, content.Repositories)
	if err != nil {
		return nil, err
	}
	subject := []provenance.Resource{
		{Name: content.Image.Name, Digest: provenance.SHA256(result.Digest)}, {Name: content.Image.Name, Digest: provenance.SHA256(result.Manifest)},
	}
	statement, mark, err := provenance.Make(subject, build, p.Documents.By)
	if err != nil {
		return nil, err
	}
	report.SBOM, report.Provenance = bill, statement
	if !p.Documents.Attach {
		return nil, nil
	}
	return []oci.Attachment{
		{Type: oci.TypeSBOM, Data: bill, Mark: annotationContent, Annotations: map[string]string{annotationContent: billMark, AnnotationPlatform: result.Platform}},
		{Type: oci.TypeStatement, Data: statement, Mark: annotationContent, Annotations: statementAnnotations(mark)},
	}, nil
}

// statementAnnotations tell of a statement what it is about, as others' do.
func statementAnnotations(mark string) map[string]string {
	return map[string]string{annotationContent: mark, "in-toto.io/predicate-type": provenance.PredicateType}
}

// described is the image as its bill names it.
func (p *packer) described(t oci.Target, result *oci.Result) sbom.Image {
	i := sbom.Image{
		Name: "odoo", Repository: t.Reference.Repository, Digest: result.Manifest, Platform: result.Platform, Created: p.Created,
		Source: p.Annotations[oci.AnnotationSource], Revision: p.Annotations[oci.AnnotationRevision],
	}
	if _, below, ok := strings.Cut(i.Repository, "/"); ok {
		i.Name = below
	}
	return i
}

// below is an image that this one is built upon.
type below struct {
	name string
	ref  oci.Reference
}

func (p *packer) bases() []below {
	all := []below{{"base", p.Base}}
	if p.SystemBase.Digest != "" && p.SystemBase.Digest != p.Base.Digest {
		all = append(all, below{"systemBase", p.SystemBase})
	}
	return all
}

// repositories are the destinations, in the lock's order.
func (p *packer) repositories() []sbom.Repository {
	var all []sbom.Repository
	for i := range p.destinations {
		d := &p.destinations[i]
		r := sbom.Repository{Path: d.Path, Tree: d.tree}
		for _, m := range d.Merges {
			commit := sbom.Commit{ID: m.Commit}
			if remote := d.Remote(m.Remote); remote != nil {
				commit.URL = publicURL(remote.URL)
			}
			r.Commits = append(r.Commits, commit)
		}
		told := map[string]bool{}
		for _, root := range d.roots {
			for _, m := range root.Modules {
				if place := path.Join(root.Dir, m.Name); !told[place] {
					told[place] = true
					r.Addons = append(r.Addons, sbom.Addon{Name: m.Name, Version: m.Version, License: m.License, Dir: root.Dir})
				}
			}
		}
		all = append(all, r)
	}
	return all
}

// publicURL is a remote's address as everybody who may pull the image may read it: without user and
// password, and nothing of paths on this machine.
func publicURL(remote string) string {
	u, err := gitname.ParseURL(remote)
	if err != nil || u.Scheme == "file" {
		return ""
	}
	host := u.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if u.Port != "" {
		host += ":" + u.Port
	}
	return u.Scheme + "://" + host + "/" + strings.TrimLeft(u.Path, "/")
}

// packages are the distributions of the environment, with the hashes that the lock has for them.
func (p *packer) packages(layers []oci.Source) ([]sbom.Package, error) {
	hashes := map[string][]string{}
	if p.RequirementsLock != "" {
		data, err := os.ReadFile(p.RequirementsLock)
		if err != nil {
			return nil, err
		}
		lock, err := requirements.ParseLock(p.RequirementsLock, data)
		if err != nil {
			return nil, err
		}
		for _, e := range lock.Entries {
			key := e.Name + "==" + e.Version
			hashes[key] = append(hashes[key], e.Hashes...)
		}
	}
	at := slices.IndexFunc(layers, func(s oci.Source) bool { return s.Annotations[annotationLayer] == layerVenv })
	var there []pythonPackage
	if err := json.Unmarshal([]byte(layers[at].Annotations[annotationPackages]), &there); err != nil {
		return nil, fmt.Errorf("the previous image does not say which packages its environment has: %w\n  build the environment, or pack with --previous none", err)
	}
	var all []sbom.Package
	for _, one := range there {
		// One that is locked by its URL has no version in the lock.
		found := slices.Concat(hashes[one.Name+"=="+one.Version], hashes[one.Name+"=="])
		slices.Sort(found)
		all = append(all, sbom.Package{Name: one.Name, Version: one.Version, License: one.License, SPDX: one.SPDX, Hashes: slices.Compact(found)})
	}
	return all, nil
}

// definition is what the image was made from.
func (p *packer) definition(image sbom.Image, repositories []sbom.Repository) (provenance.Build, error) {
	external := map[string]any{
		"platform": image.Platform, "compression": string(p.Compression), "sourceDateEpoch": p.Created.Unix(),
		"sourceDirectory": p.ImageSource, "environmentDirectory": p.ImageVenv, "annotations": own(p.Annotations),
	}
	if p.Languages != nil {
		external["languages"] = p.Languages
	}
	b := provenance.Build{Type: provenance.BuildPack, External: external, Internal: map[string]any{"format": format, "compressor": p.Compression.Version()}}
	if image.Source != "" || image.Revision != "" {
		source := provenance.Resource{Name: "derived-image repository", URI: image.Source}
		if gitname.IsObjectID(image.Revision) {
			source.Digest = map[string]string{"gitCommit": image.Revision}
		}
		b.Resolved = append(b.Resolved, source)
	}
	for name, file := range map[string]string{"reposLock": p.Documents.LocksFile, "requirementsLock": p.RequirementsLock} {
		if file == "" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return b, err
		}
		sum := sha256.Sum256(data)
		external[name] = provenance.Resource{Name: filepath.Base(file), Digest: provenance.SHA256(hex.EncodeToString(sum[:]))}
	}
	for _, base := range p.bases() {
		one := provenance.Resource{Name: base.name, URI: sbom.PURL(base.ref.Repository, base.ref.Tag, base.ref.Digest), Digest: provenance.SHA256(base.ref.Digest)}
		external[base.name] = one
		b.Resolved = append(b.Resolved, one)
	}
	for _, r := range repositories {
		for _, c := range r.Commits {
			one := provenance.Resource{Name: r.Path, Digest: map[string]string{"gitCommit": c.ID}}
			if c.URL != "" {
				one.URI = "git+" + c.URL
			}
			b.Resolved = append(b.Resolved, one)
		}
	}
	return b, nil
}

// isOurs tells a document of this package from others that hang on the image.
func isOurs(r oci.Referrer) bool { return r.Annotations[annotationContent] != "" }

// clone is what hangs on an image, for another.
func clone(r oci.Referrer, data []byte) oci.Attachment {
	return oci.Attachment{Type: r.ArtifactType, Data: data, Annotations: maps.Clone(r.Annotations), Mark: annotationContent}
}
