package refresh

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/changelog"
)

// maxUpdated is how many addons are named in a command; of more, the database
// itself knows which have changed.
const maxUpdated = 30

// first writes what decides whether to merge: what the databases need, and what
// the build lacks.
func (i *impact) first(b *strings.Builder, rows int) {
	if i == nil {
		return
	}
	if len(i.parts) > 0 {
		b.WriteString("\n" + i.upgrade() + i.python() + "\n")
	}
	lines := slices.Concat(i.removed(), i.asked(), i.wrong(min(rows, maxProblems)))
	if len(i.opaque) > 0 {
		lines = append(lines, "What addons change cannot be told of "+strings.Join(i.opaque, ", ")+".")
	}
	if i.quiet > 0 {
		lines = append(lines, "What changes in addons of private remotes is not told here.")
	}
	for _, line := range lines {
		b.WriteString("\n" + line + "\n")
	}
}

// all lists the addons that count: those that are installed, where that is known.
func (i *impact) all(want func(touched) bool) (found []touched) {
	for _, p := range i.parts {
		for _, a := range p.addons {
			if i.counts(a.Name) && want(a) {
				found = append(found, a)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b touched) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(found, func(a, b touched) bool { return a.Name == b.Name })
}

func (i *impact) counts(addon string) bool {
	return i.around.Installed == nil || i.around.Installed[addon]
}

// upgrade says how a database is brought to the change.
func (i *impact) upgrade() string {
	var all []Upgraded
	for _, a := range i.all(func(a touched) bool { return a.Update }) {
		all = append(all, Upgraded{a.Name, a.Schema})
	}
	return Upgrade(all)
}

// Upgraded is an addon that a database has to have updated.
type Upgraded struct {
	Name   string
	Schema changelog.Likelihood
}

// Upgrade says, in a sentence of Markdown, how databases are brought to changes of
// addons.
func Upgrade(all []Upgraded) string {
	if len(all) == 0 {
		return "**Upgrade:** none; nothing changed that a database depends on."
	}
	return "**Upgrade:** " + command(all) + " — " + schema(all)
}

// command is the odoo-update line.
func command(all []Upgraded) string {
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = a.Name
	}
	if len(all) > maxUpdated {
		return fmt.Sprintf("`odoo-update DB --changed`, for %s", count(len(all), "addon"))
	}
	line := "odoo-update DB " + strings.Join(names, ",")
	if !plainLine.MatchString(line) {
		return Code(line)
	}
	return "`" + line + "`" // to be copied: without what keeps references apart
}

// plainLine matches what a code span can hold as it is.
var plainLine = regexp.MustCompile(`^[A-Za-z0-9_, -]+$`)

// schema says how likely it is that tables change.
func schema(all []Upgraded) string {
	most := slices.MaxFunc(all, func(a, b Upgraded) int { return int(a.Schema) - int(b.Schema) }).Schema
	var names []string
	for _, a := range all {
		if a.Schema == most {
			names = append(names, moduleName(a.Name))
		}
	}
	switch {
	case most == changelog.Likely && len(names) == 1:
		return names[0] + " has a new migration script, so a schema change is likely; back up first."
	case most == changelog.Likely:
		return few(names) + " have new migration scripts, so a schema change is likely; back up first."
	case most == changelog.Possible:
		return "there is no new migration script, but models or the version of " + few(names) + " changed, so a schema change is possible; back up first."
	}
	return "no migration script, no model and no version changed, so a schema change is unlikely."
}

// few lists three names at most.
func few(names []string) string {
	const most = 3
	if more := len(names) - most; more > 0 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	if len(names) > 1 {
		return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}
	return strings.Join(names, "")
}

// python says whether the Python lock still has what is asked for.
func (i *impact) python() string {
	var changed []string
	for _, p := range i.parts {
		if slices.Contains(p.paths, "requirements.txt") {
			changed = append(changed, Code(p.dest))
		}
	}
	switch lacking := i.lacking(); {
	case i.env.Python == nil:
		return ""
	case len(lacking) > 0:
		return " **Python lock:** lacks " + few(codes(lacking)) + "; add it to `" + requirementsIn + "` and resolve the lock anew before the release."
	case len(changed) > 0:
		return " **Python lock:** unchanged, although `requirements.txt` of " + few(changed) + " changed; resolve it anew before the release."
	}
	return " **Python lock:** unchanged, nothing asks for a new package."
}

// lacking lists what changed addons newly ask for and the lock does not have.
func (i *impact) lacking() (names []string) {
	for _, a := range i.all(func(touched) bool { return true }) {
		for _, name := range a.Python.Added {
			if i.env.Python != nil && !i.env.Locks(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// asked says which programs addons newly ask for.
func (i *impact) asked() (lines []string) {
	for _, a := range i.all(func(a touched) bool { return len(a.Bin.Added) > 0 && a.Kind != changelog.Removed }) {
		var names []string
		for _, name := range a.Bin.Added {
			if i.system == nil || !i.system[name] {
				names = append(names, Code(name))
			}
		}
		if len(names) > 0 && i.system != nil {
			lines = append(lines, "⚠️ **"+inline(a.Name)+" asks for the program "+few(names)+"**, which `"+SystemFile+"` does not name; a package of another name may have it.")
		}
	}
	return lines[:min(len(lines), maxProblems)]
}

// removed says which addons are gone.
func (i *impact) removed() []string {
	var names []string
	for _, a := range i.all(func(a touched) bool { return a.Kind == changelog.Removed }) {
		if !i.elsewhere(a) {
			names = append(names, moduleName(a.Name))
		}
	}
	switch {
	case len(names) == 0:
		return nil
	case i.around.Installed != nil:
		return []string{"⚠️ **" + few(names) + " is gone, and installed**: uninstall it before the new image starts."}
	}
	return []string{"⚠️ **Gone: " + few(names) + ".** Where one is installed, uninstall it before the new image starts."}
}

// elsewhere reports whether an addon that is gone has come back in another place.
func (i *impact) elsewhere(gone touched) bool {
	return len(i.all(func(a touched) bool { return a.Name == gone.Name && a.Kind != changelog.Removed })) > 0
}

// maxProblems is how many problems are listed.
const maxProblems = 20

// wrong lists what the proposal brings that keeps addons from working.
func (i *impact) wrong(most int) (lines []string) {
	lacking := i.lacking()
	var all []string
	for _, p := range i.problems {
		if p.Fault != changelog.NotLocked || !slices.Contains(lacking, p.What) { // or it is said already
			all = append(all, describeProblem(p, i.env.Series))
		}
	}
	if len(all) == 0 {
		return nil
	}
	shown, more := head(all, most)
	text := "⚠️ **This brings " + count(len(all), "problem") + ":**\n\n- " + strings.Join(shown, "\n- ")
	if more > 0 {
		text += fmt.Sprintf("\n- … and %d more", more)
	}
	return []string{text}
}

// fit says how the addons fit together.
func (i *impact) fit() *Fit {
	if i == nil || !i.checked {
		return nil
	}
	v := &Fit{Good: len(i.problems) == 0, Title: "The addons fit together as before"}
	if i.standing == 0 {
		v.Title = "The addons fit together"
	}
	if !v.Good {
		v.Title = "This brings " + count(len(i.problems), "problem") + " of addons"
	}
	var lines []string
	for _, p := range i.problems[:min(maxProblems, len(i.problems))] {
		lines = append(lines, "- "+describeProblem(p, i.env.Series))
	}
	lines = append(lines, "", "Looked at: addons in several places, missing dependencies, Python packages that are not locked, versions of other series, manifests that cannot be read. "+count(i.standing, "problem")+" like that were there before.")
	v.Summary = strings.Join(lines, "\n") + "\n"
	return v
}

// describeProblem says what is wrong, in Markdown.
func describeProblem(p changelog.Problem, series string) string {
	name := "**" + inline(p.Addon) + "**"
	places := make([]string, len(p.Where))
	for i, place := range p.Where {
		places[i] = Code("./" + path.Clean(place))
	}
	where := few(places)
	switch p.Fault {
	case changelog.Duplicate:
		return name + " is in several places, of which Odoo would see one: " + where
	case changelog.NoDepends:
		return name + " depends on " + moduleName(p.What) + ", which is nowhere (" + where + ")"
	case changelog.NotLocked:
		return name + " asks for the Python package " + Code(p.What) + ", which `" + PythonLockFile + "` does not have (" + where + ")"
	case changelog.OtherSeries:
		return name + " is at version " + Code(p.What) + ", and Odoo is " + Code(series) + " (" + where + ")"
	case changelog.Unreadable:
		return name + " has a manifest that cannot be read (" + where + ")"
	}
	return name + ": " + inline(string(p.Fault)) + " (" + where + ")"
}

// moduleName is a code span of an addon's name.
func moduleName(name string) string {
	if plainLine.MatchString(name) {
		return "`" + name + "`"
	}
	return Code(name)
}
