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
	for _, s := range p.shares {
		for _, d := range s.members {
			if !s.same {
				only = append(only, d.Path)
			}
		}
	}
	// In the order of the lock, in which people look for them.
	slices.SortFunc(only, func(a, b string) int { return p.place(a) - p.place(b) })
	report := &source.Report{Destinations: []source.Destination{}}
	if len(only) > 0 {
		var err error
		if report, err = p.Sources.Materialize(ctx, p.Lock, only); err != nil {
			return nil, err
		}
	}
	for _, done := range report.Destinations {
		d := &p.destinations[p.place(done.Path)]
		d.tree = done.Tree
		var err error
		if d.roots, err = p.findRoots(ctx, d); err != nil {
			return nil, err
		}
	}
	for _, s := range p.shares {
		s.same = s.same || p.isThere(s)
	}
	return report, nil
}

// place is where a destination stands in the lock.
func (p *packer) place(path string) int {
	return slices.IndexFunc(p.destinations, func(d destination) bool { return d.Path == path })
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
	placed := false
	for _, s := range p.shares {
		l, err := p.layer(s)
		if err != nil {
			return nil, err
		}
		if s.rank > 0 && !placed {
			all, placed = append(all, venv), true
		}
		all = append(all, l)
	}
	if !placed {
		all = append(all, venv)
	}
	return append(all, etc), nil
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
// need: pt_BR needs pt, which Odoo reads first; every Spanish but that of Spain needs es_419, too
// (get_po_paths in odoo/tools/translate.py).
func keepTranslation(name string, languages []string) bool {
	m := translation.FindStringSubmatch(name)
	return m == nil || slices.ContainsFunc(languages, func(l string) bool {
		return m[1] == l || strings.HasPrefix(l, m[1]+"_") || strings.HasPrefix(l, m[1]+"@") ||
			m[1] == "es_419" && strings.HasPrefix(l, "es_") && l != "es_ES"
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
	if o.Documents != nil {
		if err := o.Documents.By.Check(); err != nil {
			return input{err}
		}
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
