package refresh

import (
	"context"
	"slices"

	"github.com/nuobit/odyssey/internal/changelog"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/odoo"
	"github.com/nuobit/odyssey/internal/odoo/pyliteral"
)

// merged is what the merges of a destination give together.
type merged struct {
	addons []changelog.Present
	series string
}

// compare looks at what is locked and at what a trial of what is chosen gives. It
// is for the checks of addons alone: what fails leaves both unknown.
func (s *search) compare(ctx context.Context, trial git.Trial) {
	locked := trial
	if !slices.Equal(s.locked, s.chosen) {
		if s.r.Add(ctx, s.tips(s.locked)) != nil {
			return
		}
		var err error
		if locked, err = s.r.Try(ctx, s.tips(s.locked)); err != nil || locked.Clash != nil {
			return
		}
	}
	before, err := s.look(ctx, s.locked, locked.Tree)
	if err != nil {
		return
	}
	if after, err := s.look(ctx, s.chosen, trial.Tree); err == nil {
		s.before, s.after = before, after
	}
}

// look finds the addons of a tree that merging commits gave.
func (s *search) look(ctx context.Context, commits []string, tree string) (*merged, error) {
	var places []changelog.Place
	release := ""
	_, contents, err := s.r.Look(ctx, s.tips(commits), tree, pyliteral.MaxSize, func(entries []git.Entry) []string {
		var files []string
		files, places, release = manifests(s.dest, entries)
		return files
	})
	if err != nil {
		return nil, err
	}
	m := &merged{}
	if data, ok := contents[release]; ok {
		m.series, _ = odoo.ParseSeries(releaseFile, data)
	}
	for _, place := range places {
		var manifest *odoo.Manifest
		if data, ok := contents[place.ManifestID]; ok {
			manifest, _ = odoo.ParseManifest(place.Manifest, data)
		}
		m.addons = append(m.addons, changelog.NewPresent(s.dest, place, manifest))
	}
	return m, nil
}

// manifests are the files of a destination that say what its addons are, by their
// ids, each once; the addons; and the one of them that says Odoo's series, "" when
// there is none.
func manifests(dest string, entries []git.Entry) (ids []string, places []changelog.Place, release string) {
	places = changelog.Find(dest, entries)
	for _, p := range places {
		ids = append(ids, p.ManifestID)
	}
	if at := slices.IndexFunc(entries, func(e git.Entry) bool { return e.Path == releaseFile }); at >= 0 {
		release = entries[at].ID
		ids = append(ids, release)
	}
	slices.Sort(ids)
	return slices.Compact(ids), places, release
}
