package sbom

import (
	"bytes"
	"fmt"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"
)

// Document is a bill that was read, of any program's.
type Document struct{ bom *cdx.BOM }

// maxDepth is how deep components may lie in one another.
const maxDepth = 16

// Parse reads CycloneDX as JSON. The caller bounds its size.
func Parse(data []byte) (*Document, error) {
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(data), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return nil, fmt.Errorf("read a bill of materials: %w", err)
	}
	if bom.BOMFormat != cdx.BOMFormat {
		return nil, fmt.Errorf("this is no bill of materials in CycloneDX: bomFormat is %.20q", bom.BOMFormat)
	}
	return &Document{&bom}, nil
}

// Packages lists the packages of a type of package URLs, such as "deb" or "pypi", wherever they are in the bill,
// in its order. Those of "" are all that have such a URL.
func (d *Document) Packages(purlType string) []Package {
	var all []Package
	d.each(func(c *cdx.Component) {
		purl, err := packageurl.FromString(c.PackageURL)
		if err != nil || purlType != "" && purl.Type != purlType {
			return
		}
		p := Package{Name: c.Name, Version: c.Version, License: licenseOf(c), PURL: c.PackageURL}
		if c.Hashes != nil {
			for _, h := range *c.Hashes {
				p.Hashes = append(p.Hashes, strings.ToLower(strings.ReplaceAll(string(h.Algorithm), "-", ""))+":"+h.Value)
			}
		}
		all = append(all, p)
	})
	return all
}

// each visits the components.
func (d *Document) each(visit func(*cdx.Component)) {
	var below func(all *[]cdx.Component, depth int)
	below = func(all *[]cdx.Component, depth int) {
		if all == nil || depth > maxDepth {
			return
		}
		for i := range *all {
			visit(&(*all)[i])
			below((*all)[i].Components, depth+1)
		}
	}
	below(d.bom.Components, 0)
}

func licenseOf(c *cdx.Component) string {
	var all []string
	if c.Licenses != nil {
		for _, l := range *c.Licenses {
			switch {
			case l.Expression != "":
				all = append(all, l.Expression)
			case l.License != nil && l.License.ID != "":
				all = append(all, l.License.ID)
			case l.License != nil:
				all = append(all, l.License.Name)
			}
		}
	}
	return strings.Join(all, " AND ")
}

// Content is what a bill that Make wrote says; of others as much as they say in the same way.
func (d *Document) Content() Content {
	var c Content
	if m := d.bom.Metadata; m != nil && m.Component != nil {
		i := m.Component
		c.Image = Image{Name: i.Name, Digest: i.Version, Platform: property(i, "platform"), Revision: property(i, "revision"), Source: link(i)}
	}
	if d.bom.Components == nil {
		return c
	}
	for i := range *d.bom.Components {
		one := &(*d.bom.Components)[i]
		switch {
		case one.Type == cdx.ComponentTypeContainer:
			c.Bases = append(c.Bases, Base{Ref: one.BOMRef, Repository: one.Name, Digest: one.Version})
		case strings.HasPrefix(one.BOMRef, "repository:"):
			c.Repositories = append(c.Repositories, repository(one))
		}
	}
	c.Packages = d.Packages(packageurl.TypePyPi)
	return c
}

func repository(one *cdx.Component) Repository {
	r := Repository{Path: one.Name, Tree: property(one, "tree")}
	if one.Pedigree != nil && one.Pedigree.Commits != nil {
		for _, commit := range *one.Pedigree.Commits {
			r.Commits = append(r.Commits, Commit{URL: commit.URL, ID: commit.UID})
		}
	}
	if one.Components != nil {
		for i := range *one.Components {
			a := &(*one.Components)[i]
			r.Addons = append(r.Addons, Addon{Name: a.Name, Version: a.Version, License: licenseOf(a), Dir: strings.TrimSuffix(property(a, "directory"), "/"+a.Name)})
		}
	}
	return r
}

func property(c *cdx.Component, name string) string {
	if c.Properties != nil {
		for _, p := range *c.Properties {
			if p.Name == prefix+name {
				return p.Value
			}
		}
	}
	return ""
}

func link(c *cdx.Component) string {
	if c.ExternalReferences != nil && len(*c.ExternalReferences) > 0 {
		return (*c.ExternalReferences)[0].URL
	}
	return ""
}
