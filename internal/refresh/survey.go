package refresh

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/nuobit/odyssey/internal/changelog"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/odoo"
	"github.com/nuobit/odyssey/internal/odoo/pyliteral"
)

// Surveyor is a Historian that also shows what commits have in them: the names of
// their files, and a few of these.
type Surveyor interface {
	Historian
	// Ensure has commits there for Look.
	Ensure(ctx context.Context, url string, commits []string) error
	// Look lists the files of commits, and reads those of most bytes at most that
	// choose names by their ids.
	Look(ctx context.Context, url string, commits []string, most int, choose func(listings [][]git.Entry) (ids []string)) (listings [][]git.Entry, contents map[string][]byte, err error)
	Touches(ctx context.Context, url string, span git.Range) ([]git.Touch, error)
}

// Survey asks for what the texts of a plan need, each remote once for all of
// them, and keeps it until the texts are written. It may be used concurrently.
type Survey struct {
	from   Surveyor
	ranges map[string][]git.Range // what moves, by URL

	mu        sync.Mutex
	remotes   map[string]*remote
	manifests map[string]*odoo.Manifest // parsed, by ids of files; nil: with faults
}

// remote is what is known of one URL.
type remote struct {
	mu        sync.Mutex
	histories map[git.Range]git.History
	sides     map[string]*side // by destination and commit
}

// side is a commit as a destination's.
type side struct {
	changelog.Side
	addons []changelog.Present
	series string
}

// NewSurvey returns a survey for the texts of a plan's proposals.
func NewSurvey(from Surveyor, plan *Plan) *Survey {
	s := &Survey{from: from, ranges: map[string][]git.Range{}, remotes: map[string]*remote{}, manifests: map[string]*odoo.Manifest{}}
	for i := range plan.Proposals {
		for _, c := range plan.Proposals[i].Changes {
			if r := (git.Range{Old: c.Old, New: c.New}); c.Moved() && !slices.Contains(s.ranges[c.URL], r) {
				s.ranges[c.URL] = append(s.ranges[c.URL], r)
			}
		}
	}
	return s
}

func (s *Survey) remote(url string) *remote {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.remotes[url] == nil {
		s.remotes[url] = &remote{histories: map[git.Range]git.History{}, sides: map[string]*side{}}
	}
	return s.remotes[url]
}

// Histories implements Historian: all that the plan moves of a remote is asked for
// at once.
func (s *Survey) Histories(ctx context.Context, url string, ranges []git.Range) ([]git.History, error) {
	r := s.remote(url)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := s.histories(ctx, r, url, ranges); err != nil {
		return nil, err
	}
	all := make([]git.History, len(ranges))
	for i, span := range ranges {
		all[i] = r.histories[span]
	}
	return all, nil
}

func (s *Survey) histories(ctx context.Context, r *remote, url string, ranges []git.Range) error {
	lacks := func(span git.Range) bool { _, has := r.histories[span]; return !has }
	if !slices.ContainsFunc(ranges, lacks) {
		return nil
	}
	wanted := slices.Clone(s.ranges[url])
	for _, span := range ranges {
		if !slices.Contains(wanted, span) {
			wanted = append(wanted, span)
		}
	}
	found, err := s.from.Histories(ctx, url, wanted)
	if err != nil {
		return err
	}
	for i, span := range wanted {
		r.histories[span] = found[i]
	}
	return nil
}

// sides looks at commits of a remote as a destination's, with all manifests.
func (s *Survey) sides(ctx context.Context, dest, url string, commits ...string) ([]*side, error) {
	r := s.remote(url)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := s.histories(ctx, r, url, s.ranges[url]); err != nil {
		return nil, err
	}
	if err := s.ensure(ctx, r, dest, url, commits); err != nil {
		return nil, err
	}
	lacks := func(commit string) bool { return r.sides[dest+" "+commit] == nil }
	if slices.ContainsFunc(commits, lacks) {
		wanted := r.beside(commits)
		if err := s.look(ctx, r, dest, url, slices.DeleteFunc(wanted, func(commit string) bool { return !lacks(commit) })); err != nil {
			return nil, err
		}
	}
	all := make([]*side, len(commits))
	for i, commit := range commits {
		all[i] = r.sides[dest+" "+commit]
	}
	return all, nil
}

// beside adds the other ends of the moves that commits are one of: they are asked
// for next.
func (r *remote) beside(commits []string) []string {
	all := slices.Clone(commits)
	for span, h := range r.histories {
		if !h.OldGone && (slices.Contains(commits, span.Old) || slices.Contains(commits, span.New)) {
			all = append(all, span.Old, span.New)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// releaseFile is the file of Odoo that says its series.
const releaseFile = "odoo/release.py"

// look looks at commits that are there.
func (s *Survey) look(ctx context.Context, r *remote, dest, url string, commits []string) error {
	sides, places := make([]*side, len(commits)), make([][]changelog.Place, len(commits))
	releases := make([]string, len(commits)) // ids of files
	listings, contents, err := s.from.Look(ctx, url, commits, pyliteral.MaxSize, func(listings [][]git.Entry) (files []string) {
		for i, entries := range listings {
			sides[i] = &side{Side: changelog.Side{Entries: entries}}
			var ids []string
			ids, places[i], releases[i] = manifests(dest, entries)
			files = append(files, ids...)
		}
		slices.Sort(files)
		return slices.Compact(files)
	})
	if err != nil {
		return err
	}
	for i := range listings {
		sides[i].Manifests = contents
		for _, place := range places[i] {
			sides[i].addons = append(sides[i].addons, changelog.NewPresent(dest, place, s.manifest(contents, place)))
		}
		if data, ok := contents[releases[i]]; ok {
			sides[i].series, _ = odoo.ParseSeries(releaseFile, data)
		}
		r.sides[dest+" "+commits[i]] = sides[i]
	}
	return nil
}

// ensure has commits there that have not come with a history, and were not looked
// at before.
func (s *Survey) ensure(ctx context.Context, r *remote, dest, url string, commits []string) error {
	var lacking []string
	for _, commit := range commits {
		came := r.sides[dest+" "+commit] != nil
		for span, h := range r.histories {
			came = came || span.New == commit || span.Old == commit && !h.OldGone
		}
		if !came {
			lacking = append(lacking, commit)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return s.from.Ensure(ctx, url, lacking)
}

// manifest parses a manifest, once for all places that have the same.
func (s *Survey) manifest(contents map[string][]byte, p changelog.Place) *odoo.Manifest {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, known := s.manifests[p.ManifestID]
	if !known {
		if data, ok := contents[p.ManifestID]; ok {
			m, _ = odoo.ParseManifest(p.Manifest, data)
		}
		s.manifests[p.ManifestID] = m
	}
	return m
}

// log compares the ends of a move.
func (s *Survey) log(ctx context.Context, m move) (*changelog.Log, error) {
	ends, err := s.sides(ctx, m.Dest, m.URL, m.Old, m.New)
	if err != nil {
		return nil, fmt.Errorf("compare the files: %w", err)
	}
	touches, err := s.from.Touches(ctx, m.URL, git.Range{Old: m.Old, New: m.New})
	if err != nil {
		return nil, err
	}
	log := changelog.Compare(m.Dest, ends[0].Side, ends[1].Side, touches)
	return &log, nil
}
