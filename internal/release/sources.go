package release

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/source"
)

// sources has those destinations materialised whose layers the previous image lacks, and finds
// the addons of all.
func (p *packer) sources(ctx context.Context) (*source.Report, error) {
	if err := p.plan(); err != nil {
		return nil, err
	}
	only := []string{}
	for i := range p.destinations {
		if d := &p.destinations[i]; !d.same {
			only = append(only, d.Path)
		}
	}
	report := &source.Report{Destinations: []source.Destination{}}
	if len(only) > 0 {
		var err error
		if report, err = p.Sources.Materialize(ctx, p.Lock, only); err != nil {
			return nil, err
		}
	}
	for _, done := range report.Destinations {
		d := &p.destinations[slices.IndexFunc(p.destinations, func(d destination) bool { return d.Path == done.Path })]
		d.tree = done.Tree
		d.same = len(d.commands) == 0 && d.previous != nil && d.previous.Annotations[annotationKey] == p.key(d, d.tree)
		var err error
		if d.roots, err = p.findRoots(d); err != nil {
			return nil, err
		}
	}
	return report, nil
}

// layers are the layers of the image above its base.
func (p *packer) layers() ([]oci.Source, error) {
	venv, err := p.venv()
	if err != nil {
		return nil, err
	}
	etc, err := p.etc()
	if err != nil {
		return nil, err
	}
	var all []oci.Source
	sorted := order(p.destinations)
	for i, d := range sorted {
		l, err := p.layer(d)
		if err != nil {
			return nil, err
		}
		if rank(d) > 0 && (i == 0 || rank(sorted[i-1]) == 0) {
			all = append(all, venv)
		}
		all = append(all, l)
	}
	if rank(sorted[len(sorted)-1]) == 0 {
		all = append(all, venv)
	}
	return append(all, etc), nil
}

// layer is the layer of a destination.
func (p *packer) layer(d *destination) (oci.Source, error) {
	addons, err := formatRoots(d.roots)
	if err != nil {
		return oci.Source{}, err
	}
	s := oci.Source{
		Name: d.Path, From: p.Previous,
		Annotations: map[string]string{
			annotationLayer: d.Path, annotationKey: p.key(d, d.tree), annotationCommits: d.commits, annotationTree: d.tree, annotationAddons: addons,
		},
	}
	switch {
	case d.same:
		s.Same = d.previous
		return s, nil
	case len(d.commands) > 0:
		s.Maybe = d.previous // what the commands gave only the content tells
	}
	in := p.imageDir(d)
	dir := filepath.Join(p.Source, d.Clean())
	s.Tree = &oci.Tree{Prefix: in, Dirs: strings.Count(in, "/"), Dir: dir, Check: func(name string, e fs.DirEntry) (bool, error) {
		return p.skipSource(dir, name, e)
	}}
	return s, nil
}

// skipSource leaves out of a repository what Python would make itself and translations that
// are not wanted.
func (p *packer) skipSource(dir, name string, e fs.DirEntry) (skip bool, err error) {
	switch {
	case e.Name() == ".git":
		return false, invalid("%s is no part of a build; remove it", filepath.Join(dir, name))
	case e.IsDir():
		return e.Name() == "__pycache__", nil
	}
	return p.Languages != nil && !keepTranslation(name, p.Languages), nil
}

var (
	translation = regexp.MustCompile(`(?:^|/)i18n(?:_extra)?/([^/]+)\.po$`)
	language    = regexp.MustCompile(`^[a-z]{2,3}(_[A-Z0-9]{2,4}|_[0-9]{3})?(@[a-z]+)?$`)
)

// keepTranslation reports whether a file is none of a translation, or one that the languages
// need: pt_BR needs pt, which Odoo reads first.
func keepTranslation(name string, languages []string) bool {
	m := translation.FindStringSubmatch(name)
	return m == nil || slices.ContainsFunc(languages, func(l string) bool {
		return m[1] == l || strings.HasPrefix(l, m[1]+"_") || strings.HasPrefix(l, m[1]+"@")
	})
}

// etc is the layer of /etc/odoo, with the addons path alone: whatever else this machine
// has there is not the image's.
func (p *packer) etc() (oci.Source, error) {
	line, err := p.addonsPath()
	if err != nil {
		return oci.Source{}, err
	}
	key := digest("etc", format, p.Compression.Version(), line)
	s := oci.Source{
		Name: "/etc/odoo", From: p.Previous, Annotations: map[string]string{annotationLayer: layerEtc, annotationKey: key},
		Tree: &oci.Tree{Prefix: "etc/odoo", Dirs: 1, Files: map[string][]byte{"addons_path": []byte(line + "\n")}},
	}
	if l := p.had(layerEtc); l != nil && l.Annotations[annotationKey] == key {
		s.Same = l
	}
	return s, nil
}

const (
	layerEtc  = "etc"
	layerVenv = "venv"
)

// check refuses options that cannot be meant.
func (o *Options) check() error {
	if len(o.Lock.Destinations) == 0 {
		return invalid("%s locks nothing", o.Lock.Path)
	}
	for _, dir := range []string{o.ImageSource, o.ImageVenv} {
		if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || strings.Count(dir, "/") < 2 || strings.ContainsAny(dir, ",\n") {
			return invalid("%q cannot be a directory of the image: write an absolute path with at least two names, such as /opt/odoo", dir)
		}
	}
	if o.Base.Digest == "" {
		return invalid("the base %s is not pinned: add its digest", o.Base)
	}
	return checkLanguages(o.Languages)
}

// exists reports whether there is something at a path.
func exists(name string) (bool, error) {
	_, err := os.Lstat(name)
	switch {
	case err == nil:
		return true, nil
	case os.IsNotExist(err):
		return false, nil
	}
	return false, fmt.Errorf("look for %s: %w", name, err)
}
