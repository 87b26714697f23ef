package refresh

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/changelog"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/python/requirements"
)

// The files of a derived repository that addons are compared with.
const (
	PythonLockFile = "requirements.lock.txt"
	SystemFile     = "system-runtime-packages.txt"
)

// Around is what a proposal's addons are compared with.
type Around struct {
	// Tree is the derived repository; nil: it is not known what is locked.
	Tree Tree
	// Installed are the addons that databases have; nil: that is not known. It is
	// whom InstalledIn names that says so.
	Installed   map[string]bool
	InstalledIn string
}

// impact is what a proposal means for Odoo's addons.
type impact struct {
	parts  []part
	quiet  int      // moves that nothing may be told of
	unlike int      // changes that are no moves: merges that come or go
	opaque []string // names of moves whose addons could not be compared
	around Around
	env    changelog.Environment
	system map[string]bool // Debian packages; nil: not known

	checked  bool                // the result could be looked at as a whole
	problems []changelog.Problem // that the proposal brings
	standing int                 // that were there before
}

// part is what changes in one destination.
type part struct {
	dest      string
	addons    []touched
	elsewhere []linked
	paths     []string
	atLeast   bool // there are more commits than were looked at
}

// touched is an addon with links to its commits.
type touched struct {
	changelog.Addon
	commits []linked
}

// linked is a commit of an upstream.
type linked struct {
	git.Commit
	web upstream
}

// impact finds out what the moves mean; nil when who tells histories does not
// show what is in commits. What cannot be found out is said, and is no error,
// unless ctx has ended.
func (p *Proposal) impact(ctx context.Context, s *Survey, moves []move) (*impact, error) {
	if s == nil || p.Kind != Merges {
		return nil, nil //nolint:nilnil // there is nothing to say
	}
	i := &impact{around: p.Around}
	for k := range moves {
		m := &moves[k]
		switch {
		case !p.Discretion.Tells(m.URL):
			i.quiet++
			continue
		case m.history.OldGone:
			i.opaque = append(i.opaque, p.name(*m, inline))
			continue
		}
		log, err := s.log(ctx, *m)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			i.opaque = append(i.opaque, p.name(*m, inline))
			continue
		}
		i.add(*m, log)
		m.told = true
	}
	if err := i.surround(ctx); err != nil {
		return nil, err
	}
	i.check(ctx, s, p)
	return i, ctx.Err()
}

// whole reports whether nothing but what is told changes.
func (i *impact) whole() bool {
	return i != nil && i.quiet+i.unlike+len(i.opaque) == 0
}

// add takes in what a move changes.
func (i *impact) add(m move, log *changelog.Log) {
	at := slices.IndexFunc(i.parts, func(p part) bool { return p.dest == m.Dest })
	if at < 0 {
		at, i.parts = len(i.parts), append(i.parts, part{dest: m.Dest})
	}
	to := &i.parts[at]
	for _, a := range log.Addons {
		to.merge(touched{a, link(a.Commits, m.web)})
	}
	for _, c := range link(log.Elsewhere, m.web) {
		if !slices.ContainsFunc(to.elsewhere, func(had linked) bool { return had.ID == c.ID }) {
			to.elsewhere = append(to.elsewhere, c)
		}
	}
	to.atLeast = to.atLeast || m.history.AtLeast
	to.paths = slices.Compact(slices.Sorted(slices.Values(slices.Concat(to.paths, log.Paths))))
}

func link(commits []git.Commit, web upstream) []linked {
	all := make([]linked, len(commits))
	for i, c := range commits {
		all[i] = linked{c, web}
	}
	return all
}

// merge adds an addon, which another merge of the destination may change as well.
func (p *part) merge(a touched) {
	at, found := slices.BinarySearchFunc(p.addons, a, func(x, y touched) int {
		if c := strings.Compare(x.Name, y.Name); c != 0 {
			return c
		}
		return strings.Compare(x.Dir, y.Dir)
	})
	if !found {
		p.addons = slices.Insert(p.addons, at, a)
		return
	}
	had := &p.addons[at]
	for _, c := range a.commits {
		if !slices.ContainsFunc(had.commits, func(h linked) bool { return h.ID == c.ID }) {
			had.commits = append(had.commits, c)
		}
	}
	slices.SortStableFunc(had.commits, func(x, y linked) int { return y.When.Compare(x.When) })
	had.Update, had.Schema = had.Update || a.Update, max(had.Schema, a.Schema)
	had.Scripts, had.Rewritten = union(had.Scripts, a.Scripts), union(had.Rewritten, a.Rewritten)
	for _, d := range []struct{ to, from *changelog.Diff }{{&had.Depends, &a.Depends}, {&had.Python, &a.Python}, {&had.Bin, &a.Bin}} {
		d.to.Added, d.to.Dropped = union(d.to.Added, d.from.Added), union(d.to.Dropped, d.from.Dropped)
	}
	if had.Fault == "" {
		had.Fault = a.Fault
	}
	if a.OldVersion != a.NewVersion {
		if had.OldVersion == had.NewVersion {
			had.OldVersion = a.OldVersion
		}
		had.NewVersion = a.NewVersion
	}
}

func union(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// surround reads what the derived repository locks.
func (i *impact) surround(ctx context.Context) error {
	i.env.Installed = i.around.Installed
	if i.around.Tree == nil {
		return nil
	}
	files, err := i.around.Tree.Files(ctx, []string{PythonLockFile, SystemFile})
	if err != nil {
		return err
	}
	if data, has := files[PythonLockFile]; has && len(data) > 0 {
		// One that is broken is for the build to say.
		if locked, err := requirements.ParseLock(PythonLockFile, data); err == nil {
			i.env.Python = map[string]bool{}
			for _, e := range locked.Entries {
				i.env.Python[e.Name] = true
			}
		}
	}
	if data, has := files[SystemFile]; has {
		i.system = map[string]bool{}
		for line := range strings.Lines(string(data)) {
			line, _, _ = strings.Cut(line, "#")
			if name := strings.TrimSpace(line); name != "" {
				i.system[name] = true
			}
		}
	}
	return nil
}

// check looks at all destinations as they are and as they would be.
func (i *impact) check(ctx context.Context, s *Survey, p *Proposal) {
	if p.locked == nil {
		return
	}
	before, series, err := p.sources(ctx, s, func(f *Prediction) *merged { return f.before }, func(d *lock.Destination, n int) string { return d.Merges[n].Commit })
	if err != nil {
		return
	}
	after, newest, err := p.sources(ctx, s, func(f *Prediction) *merged { return f.after }, func(d *lock.Destination, n int) string {
		for _, c := range p.Changes {
			m := d.Merges[n]
			if c.Moved() && c.Dest == d.Path && c.Old == m.Commit && c.Remote == m.Remote && c.Ref == m.Ref {
				return c.New
			}
		}
		return d.Merges[n].Commit
	})
	if err != nil {
		return
	}
	i.checked = true
	was, will := i.env, i.env
	was.Series, will.Series = series, newest
	i.env.Series = newest
	all := changelog.Check(after, will)
	i.problems = changelog.Introduced(changelog.Check(before, was), all)
	i.standing = len(all) - len(i.problems)
}

// errUnlocked: a merge has no commit.
var errUnlocked = errors.New("a merge is not locked")

// sources lists the addons of all destinations, at the commits that at says, and
// the series of Odoo there. Of a destination with several merges that was tried they
// are what tried says: of the merged tree, as the image has it. Of one that was not,
// as it does not move or could not be tried, the addons of all its merges count, and
// where some have an addon with manifests that differ, each of these: before and
// after alike, so what only their union has is not taken for new.
func (p *Proposal) sources(ctx context.Context, s *Survey, tried func(*Prediction) *merged, at func(d *lock.Destination, n int) string) (all []changelog.Source, series string, err error) {
	for k := range p.locked.Destinations {
		d := &p.locked.Destinations[k]
		var of *merged
		if i := slices.IndexFunc(p.Predictions, func(f Prediction) bool { return f.Dest == d.Path }); i >= 0 {
			of = tried(&p.Predictions[i])
		}
		if of == nil {
			if of, err = s.union(ctx, d, at); err != nil {
				return nil, "", err
			}
		}
		quiet := slices.ContainsFunc(d.Merges, func(m lock.Merge) bool { return !p.Discretion.Tells(d.Remote(m.Remote).URL) })
		all = append(all, changelog.Source{Addons: of.addons, Quiet: quiet})
		if series == "" && path.Clean(d.Path) == "odoo" {
			series = of.series
		}
	}
	return all, series, nil
}

// union has the addons of all merges of a destination, at the commits that at says.
func (s *Survey) union(ctx context.Context, d *lock.Destination, at func(d *lock.Destination, n int) string) (*merged, error) {
	all, seen := &merged{}, map[string]bool{}
	for n, m := range d.Merges {
		commit := at(d, n)
		if commit == "" {
			return nil, errUnlocked
		}
		sides, err := s.sides(ctx, d.Path, d.Remote(m.Remote).URL, commit)
		if err != nil {
			return nil, err
		}
		if len(d.Merges) == 1 {
			return &merged{sides[0].addons, sides[0].series}, nil
		}
		all.series = cmp.Or(all.series, sides[0].series)
		for _, a := range sides[0].addons {
			if key := a.Dir + "\x00" + a.ManifestID; !seen[key] {
				seen[key] = true
				all.addons = append(all.addons, a)
			}
		}
	}
	return all, nil
}
