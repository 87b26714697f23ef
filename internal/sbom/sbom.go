// Package sbom writes the bill of materials of an image in CycloneDX, and reads those that others
// wrote. The same content gives the same bytes: nothing of them is random or of the clock.
package sbom

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// Content is what is in an image.
type Content struct {
	Image        Image
	Bases        []Base // the one that it is built upon first
	Repositories []Repository
	Packages     []Package // of Python
	// ToolVersion is of the program that writes.
	ToolVersion string
}

// Image is what the bill is of.
type Image struct {
	Name       string // for people, such as "acme/odoo"
	Repository string // with the registry; "" when it is in none
	Digest     string // of the platform's manifest, "sha256:…": it stays the same in whichever index it is
	Platform   string // such as "linux/amd64"
	Created    time.Time
	Source     string // URL of the repository that has its locks; "" when it is not known
	Revision   string // the commit there
}

// Base is an image below.
type Base struct {
	Ref        string // in the bill, such as "base"
	Repository string // with the registry
	Tag        string
	Digest     string
}

// Repository is a directory of sources.
type Repository struct {
	Path    string // as the lock spells it, such as "./oca/web"
	Commits []Commit
	Tree    string // git's id of its files
	Addons  []Addon
}

// Commit is one that was merged.
type Commit struct {
	URL string // of its repository, without credentials; "" when it must not be told
	ID  string
}

// Addon is a module of Odoo.
type Addon struct {
	Name, Version string
	License       string // as its manifest has it
	Dir           string // relative to the source directory
}

// Package is a distribution of Python, or of something else where a bill of others has it.
type Package struct {
	Name, Version string
	License       string   // as it calls it
	SPDX          string   // the same as an SPDX expression; "" when it declares none
	Hashes        []string // "sha256:…", of the files that the lock accepts
	PURL          string   // what was read; Make ignores it
}

const (
	prefix   = "io.github.nuobit.odyssey."
	toolName = "odoo-build-image"
	imageRef = "image"
)

// Make writes the bill. mark is a digest of what it says, whichever version of the program wrote it.
func Make(c Content) (data []byte, mark string, err error) {
	version := c.ToolVersion
	c.ToolVersion = ""
	if data, err = encode(c.bom()); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(data)
	c.ToolVersion = version
	data, err = encode(c.bom())
	return data, hex.EncodeToString(sum[:]), err
}

func encode(bom *cdx.BOM) ([]byte, error) {
	var b bytes.Buffer
	err := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6)
	return b.Bytes(), err
}

func (c *Content) bom() *cdx.BOM {
	bom := cdx.NewBOM()
	bom.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/nuobit/odyssey/sbom/"+c.Image.Digest)).URN()
	tool := cdx.Component{Type: cdx.ComponentTypeApplication, Name: toolName, Version: c.ToolVersion}
	image := c.Image.component()
	bom.Metadata = &cdx.Metadata{Component: &image, Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{tool}}}
	if c.Image.Created.Unix() > 0 {
		bom.Metadata.Timestamp = c.Image.Created.UTC().Format(time.RFC3339)
	}
	var all []cdx.Component
	var unknown []cdx.BOMReference
	for _, b := range c.Bases {
		all = append(all, b.component())
		unknown = append(unknown, cdx.BOMReference(b.Ref))
	}
	for _, r := range c.Repositories {
		all = append(all, r.component())
	}
	packages := slices.Clone(c.Packages)
	slices.SortFunc(packages, func(a, b Package) int { return strings.Compare(a.Name+"\x00"+a.Version, b.Name+"\x00"+b.Version) })
	for _, p := range packages {
		all = append(all, p.component())
	}
	bom.Components = &all
	var needs []string
	for _, one := range all {
		needs = append(needs, one.BOMRef)
	}
	bom.Dependencies = &[]cdx.Dependency{{Ref: imageRef, Dependencies: &needs}}
	// What is in a base, its own bill tells.
	bom.Compositions = &[]cdx.Composition{{Aggregate: cdx.CompositionAggregateUnknown, Assemblies: &unknown}}
	return bom
}

func (i *Image) component() cdx.Component {
	c := cdx.Component{BOMRef: imageRef, Type: cdx.ComponentTypeContainer, Name: i.Name, Version: i.Digest}
	if i.Repository != "" {
		c.PackageURL = PURL(i.Repository, "", i.Digest)
	}
	c.Properties = properties([2]string{"platform", i.Platform}, [2]string{"revision", i.Revision})
	if i.Source != "" {
		c.ExternalReferences = &[]cdx.ExternalReference{{Type: cdx.ERTypeVCS, URL: i.Source}}
	}
	return c
}

// properties are ours, those without a value left out; pairs are names and values.
func properties(pairs ...[2]string) *[]cdx.Property {
	var all []cdx.Property
	for _, pair := range pairs {
		if pair[1] != "" {
			all = append(all, cdx.Property{Name: prefix + pair[0], Value: pair[1]})
		}
	}
	if all == nil {
		return nil
	}
	return &all
}

func (b *Base) component() cdx.Component {
	name := b.Repository
	if b.Tag != "" {
		name += ":" + b.Tag
	}
	return cdx.Component{BOMRef: b.Ref, Type: cdx.ComponentTypeContainer, Name: name, Version: b.Digest, PackageURL: PURL(b.Repository, b.Tag, b.Digest)}
}

// component is a repository, with its addons in it. One commit is a version; of several that were
// merged the tree is, and the commits are its pedigree.
func (r *Repository) component() cdx.Component {
	c := cdx.Component{
		BOMRef: "repository:" + r.Path, Type: cdx.ComponentTypeLibrary, Name: r.Path, Version: r.Tree, Properties: properties([2]string{"tree", r.Tree}),
	}
	var commits []cdx.Commit
	var links []cdx.ExternalReference
	for _, commit := range r.Commits {
		commits = append(commits, cdx.Commit{UID: commit.ID, URL: commit.page()})
		link := cdx.ExternalReference{Type: cdx.ERTypeVCS, URL: commit.URL}
		if commit.URL != "" && !slices.ContainsFunc(links, func(l cdx.ExternalReference) bool { return l.URL == link.URL }) {
			links = append(links, link)
		}
	}
	c.Pedigree = &cdx.Pedigree{Commits: &commits}
	if len(r.Commits) == 1 {
		c.Version, c.PackageURL = r.Commits[0].ID, purlOfCommit(r.Commits[0], "")
	} else {
		c.Pedigree.Notes = "The commits were merged in this order; git's id of the files that they gave is the version."
	}
	if links != nil {
		c.ExternalReferences = &links
	}
	var addons []cdx.Component
	for _, a := range r.Addons {
		addons = append(addons, r.addon(a))
	}
	if addons != nil {
		c.Components = &addons
	}
	return c
}

func (r *Repository) addon(a Addon) cdx.Component {
	place := path.Join(a.Dir, a.Name)
	c := cdx.Component{
		BOMRef: "addon:" + place, Type: cdx.ComponentTypeLibrary, Name: a.Name, Version: a.Version, Licenses: licenses(a.License),
		Properties: properties([2]string{"directory", place}),
	}
	if inside, below := strings.CutPrefix(place, path.Clean(r.Path)+"/"); below && len(r.Commits) == 1 {
		c.PackageURL = purlOfCommit(r.Commits[0], inside)
	}
	return c
}

func (p *Package) component() cdx.Component {
	c := cdx.Component{Type: cdx.ComponentTypeLibrary, Name: p.Name, Version: p.Version, PackageURL: purlOfPython(p.Name, p.Version), Licenses: licenses(p.License)}
	if p.SPDX != "" {
		c.Licenses = &cdx.Licenses{{Expression: p.SPDX}}
	}
	c.BOMRef = c.PackageURL
	var hashes []cdx.Hash
	for _, h := range p.Hashes {
		if value, ok := strings.CutPrefix(h, "sha256:"); ok {
			hashes = append(hashes, cdx.Hash{Algorithm: cdx.HashAlgoSHA256, Value: value})
		}
	}
	if hashes != nil {
		c.Hashes = &hashes
	}
	return c
}
