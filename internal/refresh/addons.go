package refresh

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/changelog"
)

// maxOf is how many commits of one addon are listed.
const maxOf = 20

// details lists what changed, addon by addon, folded.
func (i *impact) details(b *strings.Builder, rows, listed int) {
	if i == nil {
		return
	}
	for _, p := range i.parts {
		p.details(b, i, len(i.parts) > 1, rows, min(listed, maxOf))
	}
}

func (p part) details(b *strings.Builder, i *impact, several bool, rows, listed int) {
	var addons []touched
	var others []string
	for _, a := range p.addons {
		if i.counts(a.Name) {
			addons = append(addons, a)
		} else {
			others = append(others, moduleName(a.Name))
		}
	}
	if len(addons)+len(others)+len(p.elsewhere)+len(p.paths) == 0 {
		return
	}
	// What is more than a commit comes first, in case not all can be shown.
	slices.SortStableFunc(addons, func(x, y touched) int { return order(x) - order(y) })
	fmt.Fprintf(b, "\n<details><summary>%s</summary>\n", p.summary(addons, others, several))
	if p.atLeast {
		b.WriteString("\nOf the commits, the newest that were looked at count.\n")
	}
	shown := addons[:min(rows, len(addons))]
	for _, a := range shown {
		fmt.Fprintf(b, "\n%s\n", strings.Join(i.line(a), " · "))
		list(b, a.commits, listed)
	}
	if more := len(addons) - len(shown); more > 0 {
		fmt.Fprintf(b, "\n… and %s\n", count(more, "more addon"))
	}
	if len(others) > 0 {
		kept, more := head(others, min(rows, maxOf))
		fmt.Fprintf(b, "\nNot installed, as %s says: %s", inline(i.around.InstalledIn), strings.Join(kept, ", "))
		if more > 0 {
			fmt.Fprintf(b, " and %d more", more)
		}
		b.WriteString("\n")
	}
	if len(p.elsewhere)+len(p.paths) > 0 {
		fmt.Fprintf(b, "\n%s\n", p.outside(len(addons)+len(others) > 0))
		list(b, p.elsewhere, listed)
	}
	b.WriteString("\n</details>\n")
}

func order(a touched) int {
	if a.Notable() {
		return 0
	}
	return 1
}

// summary is what the folded list is of: "2 addons changed, 1 new".
func (p part) summary(addons []touched, others []string, several bool) string {
	tally := map[changelog.Kind]int{}
	for _, a := range addons {
		tally[a.Kind]++
	}
	var parts []string
	if n := tally[changelog.Changed]; n > 0 {
		parts = append(parts, count(n, "addon")+" changed")
	}
	if n := tally[changelog.Added]; n > 0 {
		parts = append(parts, count(n, "new addon"))
	}
	if n := tally[changelog.Removed]; n > 0 {
		parts = append(parts, count(n, "addon")+" gone")
	}
	if n := len(others); n > 0 {
		parts = append(parts, count(n, "addon")+" touched that no database has")
	}
	if len(parts) == 0 {
		parts = []string{"No addon changed"}
	}
	text := strings.Join(parts, ", ")
	if several {
		text = htmlText(p.dest) + ": " + text
	}
	return text
}

// outside says what changed beside addons.
func (p part) outside(besides bool) string {
	text := "Outside of addons"
	if !besides {
		text = "In no addon"
	}
	var parts []string
	if len(p.elsewhere) > 0 {
		parts = append(parts, count(len(p.elsewhere), "commit"))
	}
	if len(p.paths) > 0 {
		names := make([]string, 0, 3)
		for _, file := range p.paths[:min(3, len(p.paths))] {
			names = append(names, Code(file))
		}
		if more := len(p.paths) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("%d more", more))
		}
		parts = append(parts, strings.Join(names, ", "))
	}
	return text + ": " + strings.Join(parts, " · ")
}

// list lists commits.
func list(b *strings.Builder, commits []linked, most int) {
	shown := commits[:min(most, len(commits))]
	for _, c := range shown {
		fmt.Fprintf(b, "- %s %s\n", c.web.commit(c.ID), inline(c.Subject))
	}
	if more := len(commits) - len(shown); more > 0 && most > 0 {
		fmt.Fprintf(b, "- … and %s\n", count(more, "more commit"))
	}
}

// line says what became of an addon, in pieces: its name and version, how many
// commits, and what is more than a commit.
func (i *impact) line(a touched) []string {
	name := "**" + inline(a.Name) + "**"
	switch {
	case a.Kind == changelog.Removed:
		name += " is gone"
	case a.Kind == changelog.Added && a.NewVersion != "":
		name += " is new, " + version(a.NewVersion)
	case a.Kind == changelog.Added:
		name += " is new"
	case a.OldVersion != a.NewVersion:
		name += " " + version(a.OldVersion) + " → " + version(a.NewVersion)
	}
	all := []string{name}
	if n := len(a.commits); n > 0 {
		all = append(all, count(n, "commit"))
	}
	if a.Kind == changelog.Removed {
		return all
	}
	if len(a.Scripts) > 0 {
		all = append(all, few(codes(a.Scripts))+" "+plural(a.Scripts, "is", "are")+" new")
	}
	if len(a.Rewritten) > 0 {
		all = append(all, few(codes(a.Rewritten))+" changed")
	}
	if a.Kind == changelog.Changed && a.OldLicense != a.NewLicense {
		all = append(all, "licence "+licence(a.OldLicense)+" → "+licence(a.NewLicense))
	}
	if a.Kind == changelog.Changed {
		if len(a.Depends.Added) > 0 {
			all = append(all, "now depends on "+few(codes(a.Depends.Added)))
		}
		if len(a.Depends.Dropped) > 0 {
			all = append(all, "no longer depends on "+few(codes(a.Depends.Dropped)))
		}
	}
	if len(a.Python.Added) > 0 {
		all = append(all, "asks for Python's "+few(codes(a.Python.Added)))
	}
	if len(a.Bin.Added) > 0 {
		all = append(all, "asks for the program "+few(codes(a.Bin.Added)))
	}
	if a.Fault != "" {
		all = append(all, "⚠️ "+inline(a.Fault))
	}
	return all
}

func codes(texts []string) []string {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = Code(t)
	}
	return all
}

func plural(all []string, one, many string) string {
	if len(all) == 1 {
		return one
	}
	return many
}

// licence is a licence as a manifest has it; without one it is Odoo's default.
func licence(text string) string {
	switch {
	case text == "":
		return "`LGPL-3` by default"
	case slices.Contains([]string{"GPL-2", "GPL-3", "AGPL-3", "LGPL-3", "OEEL-1", "OPL-1"}, text):
		return "`" + text + "`" // they look like references
	}
	return Code(text)
}

var plainVersion = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9}){1,9}$`)

// version is a version as a manifest has it.
func version(text string) string {
	if plainVersion.MatchString(text) {
		return text
	}
	return Code(text)
}
