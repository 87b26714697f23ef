// Package changelog says what a change of sources means for Odoo's addons: from
// two listings of files, the manifests among them and the commits between to a
// value. It is pure; contents are read and never run.
package changelog

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/odoo"
)

// Side is a state of a repository.
type Side struct {
	Entries []git.Entry
	// Manifests are the contents of manifests by the ids of their files. What is
	// absent counts as one that cannot be read.
	Manifests map[string][]byte
}

// Kind is what became of an addon.
type Kind string

// The kinds.
const (
	Changed Kind = "changed"
	Added   Kind = "added"
	Removed Kind = "removed"
)

// Likelihood is how likely it is that a change alters tables of a database.
type Likelihood int

// The likelihoods. They are told by names of files alone:
//
//   - Likely: there is a new migration script.
//   - Possible: a Python file changed that may define models, or a migration
//     script, or the version.
//   - Unlikely: nothing of that.
const (
	Unlikely Likelihood = iota
	Possible
	Likely
)

// Addon is an addon that a change touches.
type Addon struct {
	Name string
	Dir  string // in the repository; "." when that is the addon itself
	Kind Kind

	// OldVersion and NewVersion are as the manifests have them, "" where there
	// is none that can be read.
	OldVersion, NewVersion string
	OldLicense, NewLicense string // "" likewise, and where the manifest has none
	Depends, Python, Bin   Diff
	// Scripts are the migration scripts that are new, Rewritten those that are
	// not what they were, by their paths in the addon.
	Scripts, Rewritten []string
	Schema             Likelihood
	// Update says that a database with the addon needs it updated: not when
	// nothing but tests, static files or templates of translations changed.
	Update bool
	// Fault says why the new manifest cannot be read; "" when it can.
	Fault string

	Commits []git.Commit // that touch it, newest first
}

// Diff is what a list has more and less of, each sorted.
type Diff struct{ Added, Dropped []string }

// Empty reports whether there is no difference.
func (d Diff) Empty() bool { return len(d.Added) == 0 && len(d.Dropped) == 0 }

// Notable reports whether there is more to say of an addon than its commits.
func (a *Addon) Notable() bool {
	return a.Kind != Changed || a.OldVersion != a.NewVersion || a.OldLicense != a.NewLicense || a.Fault != "" ||
		len(a.Scripts) > 0 || len(a.Rewritten) > 0 || !a.Depends.Empty() || !a.Python.Empty() || !a.Bin.Empty()
}

// Log is what a change means.
type Log struct {
	Addons []Addon // sorted by name, then by directory
	// Elsewhere are the commits that touch no addon, and Paths the files outside
	// of addons that differ, sorted.
	Elsewhere []git.Commit
	Paths     []string
}

// Compare says what lies between two states of the destination dest.
func Compare(dest string, before, after Side, touches []git.Touch) Log {
	olds, news := Find(dest, before.Entries), Find(dest, after.Entries)
	c := comparison{old: before, new: after, at: map[string]*Addon{}, before: map[string]Place{}, after: map[string]Place{}}
	for _, p := range olds {
		c.add(p, true)
	}
	for _, p := range news {
		c.add(p, false)
	}
	c.files()
	var log Log
	log.Paths = c.elsewhere
	for _, t := range touches {
		if !c.credit(t) {
			log.Elsewhere = append(log.Elsewhere, t.Commit)
		}
	}
	for dir, a := range c.at {
		if !c.differs[dir] && len(a.Commits) == 0 {
			continue
		}
		c.manifests(a)
		a.judge(c.models[dir])
		log.Addons = append(log.Addons, *a)
	}
	slices.SortFunc(log.Addons, byName)
	return log
}

func byName(a, b Addon) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Dir, b.Dir))
}

// comparison collects, by directories of addons.
type comparison struct {
	old, new  Side
	at        map[string]*Addon
	before    map[string]Place
	after     map[string]Place
	differs   map[string]bool
	models    map[string]bool // a file that may define models differs
	elsewhere []string
}

// add takes in an addon of one of the sides.
func (c *comparison) add(p Place, isOld bool) {
	a := c.at[p.Dir]
	if a == nil {
		a = &Addon{Name: p.Name, Dir: p.Dir, Kind: Added}
		c.at[p.Dir] = a
	}
	switch {
	case isOld:
		a.Kind, c.before[p.Dir] = Removed, p
	case a.Kind == Removed:
		a.Kind, c.after[p.Dir] = Changed, p
	default:
		c.after[p.Dir] = p
	}
}

// manifests compares the manifests of an addon.
func (c *comparison) manifests(a *Addon) {
	var before, after *odoo.Manifest
	if p, ok := c.before[a.Dir]; ok {
		before, _ = c.old.manifest(p)
	}
	if p, ok := c.after[a.Dir]; ok {
		after, a.Fault = c.new.manifest(p)
	}
	if a.Kind == Changed && (before == nil || after == nil) {
		return // what differs cannot be told
	}
	none := &odoo.Manifest{}
	before, after = cmp.Or(before, none), cmp.Or(after, none)
	a.OldVersion, a.NewVersion, a.OldLicense, a.NewLicense = before.Version, after.Version, before.License, after.License
	a.Depends, a.Python, a.Bin = diff(before.Depends, after.Depends), diff(before.ExternalPython, after.ExternalPython), diff(before.ExternalBin, after.ExternalBin)
}

// manifest reads the manifest of an addon. Without one it says why.
func (s Side) manifest(p Place) (m *odoo.Manifest, fault string) {
	data, ok := s.Manifests[p.ManifestID]
	if !ok {
		return nil, p.Manifest + " is too large, or not there"
	}
	m, err := odoo.ParseManifest(p.Manifest, data)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return nil, first
	}
	return m, ""
}

func diff(before, after []string) (d Diff) {
	for _, name := range after {
		if !slices.Contains(before, name) {
			d.Added = append(d.Added, name)
		}
	}
	for _, name := range before {
		if !slices.Contains(after, name) {
			d.Dropped = append(d.Dropped, name)
		}
	}
	for _, list := range []*[]string{&d.Added, &d.Dropped} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return d
}

// files compares the listings.
func (c *comparison) files() {
	c.differs, c.models = map[string]bool{}, map[string]bool{}
	type file struct{ mode, id string }
	before := make(map[string]file, len(c.old.Entries))
	for _, e := range c.old.Entries {
		before[e.Path] = file{e.Mode, e.ID}
	}
	for _, e := range c.new.Entries {
		was, had := before[e.Path]
		delete(before, e.Path)
		if !had || was != (file{e.Mode, e.ID}) {
			c.differ(e.Path, had, true)
		}
	}
	for gone := range before {
		c.differ(gone, true, false)
	}
	slices.Sort(c.elsewhere)
}

// differ notes a file that is not the same on both sides, and which of them has
// it.
func (c *comparison) differ(file string, had, has bool) {
	dir, inside, ok := c.owner(file)
	if !ok {
		c.elsewhere = append(c.elsewhere, file)
		return
	}
	a := c.at[dir]
	c.differs[dir] = true
	a.Update = a.Update || matters(inside)
	c.models[dir] = c.models[dir] || mayDefineModels(inside)
	switch {
	case !has || !isScript(inside):
	case had:
		a.Rewritten = append(a.Rewritten, inside)
	default:
		a.Scripts = append(a.Scripts, inside)
	}
}

// owner returns the addon that a file belongs to, and its path in there.
func (c *comparison) owner(file string) (dir, inside string, ok bool) {
	if c.at["."] != nil {
		return ".", file, true
	}
	for at := strings.LastIndexByte(file, '/'); at >= 0; at = strings.LastIndexByte(file[:at], '/') {
		if c.at[file[:at]] != nil {
			dir, inside, ok = file[:at], file[at+1:], true // the outermost: Odoo looks no deeper
		}
	}
	return dir, inside, ok
}

// credit adds a commit to the addons that it touches, and reports whether there
// are any.
func (c *comparison) credit(t git.Touch) bool {
	touched := map[string]bool{}
	for _, file := range t.Paths {
		if dir, _, ok := c.owner(file); ok {
			touched[dir] = true
		}
	}
	for dir := range touched {
		c.at[dir].Commits = append(c.at[dir].Commits, t.Commit)
	}
	return len(touched) > 0
}

// judge decides how likely the tables change.
func (a *Addon) judge(models bool) {
	switch {
	case a.Kind != Changed: // what is not installed has no tables yet; what is gone keeps them
	case len(a.Scripts) > 0:
		a.Schema = Likely
	case models, a.OldVersion != a.NewVersion, len(a.Rewritten) > 0:
		a.Schema = Possible
	}
	slices.Sort(a.Scripts)
	slices.Sort(a.Rewritten)
	a.Update = a.Update && a.Kind == Changed
}

// matters reports whether a database depends on a file of an addon. The same
// files do not count for odoo-update --changed.
func matters(inside string) bool {
	top, rest, _ := strings.Cut(inside, "/")
	switch ext := path.Ext(inside); {
	case ext == ".pyc", ext == ".pyo":
		return false
	case top == "static", top == "tests":
		return rest == ""
	case top == "i18n", top == "i18n_extra":
		return ext != ".pot"
	}
	return true
}

// isScript reports whether Odoo, or OpenUpgrade's framework, would run a file of
// an addon when its version moves.
func isScript(inside string) bool {
	words := strings.Split(inside, "/")
	if len(words) != 3 || words[0] != "migrations" && words[0] != "upgrades" || path.Ext(inside) != ".py" {
		return false
	}
	stage, _, ok := strings.Cut(words[2], "-")
	return ok && slices.Contains([]string{"pre", "post", "end"}, stage)
}

// mayDefineModels reports whether a changed file of an addon may change its
// models: Python outside of where there are none.
func mayDefineModels(inside string) bool {
	if path.Ext(inside) != ".py" {
		return false
	}
	top, rest, below := strings.Cut(inside, "/")
	if !below {
		return !slices.Contains([]string{"__init__.py", "__manifest__.py", "__openerp__.py", "hooks.py", "setup.py"}, inside)
	}
	return rest != "__init__.py" && !slices.Contains([]string{"controllers", "migrations", "populate", "static", "tests", "upgrades"}, top)
}
