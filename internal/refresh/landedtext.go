package refresh

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// cleanDest is a destination in the form that names branches.
func cleanDest(dest string) string { return path.Clean(dest) }

// retirementText is what is said of merges that go.
type retirementText struct {
	dest          string
	base          Side
	gone          []retiring
	remotes       []string // that nothing uses any more
	before, after string   // trees; "" where not known
	clash         bool     // the merges that stay do not apply to each other
	commented     int      // merges that go and have a comment above them, which stays
	target        string
}

func (t *retirementText) list() (items []string) {
	for _, g := range t.gone {
		items = append(items, inline(t.dest+" "+g.name())+" dropped, "+t.short(g))
	}
	return items
}

// short says in a few words why a merge goes, as Markdown.
func (t *retirementText) short(g retiring) string {
	switch {
	case g.landed():
		return "in " + inline(t.base.name()) + " already"
	default:
		return "closed upstream"
	}
}

func (t *retirementText) text() Text {
	title := cut(t.title(), maxTitle)
	return Text{Title: title, Body: t.body(), Message: t.message(title), Doubts: []string{"it changes `" + ReposFile + "`, which people write"}}
}

func (t *retirementText) title() string {
	landed := 0
	for _, g := range t.gone {
		if g.landed() {
			landed++
		}
	}
	name := "Retire from `" + plain(t.dest) + "`: "
	switch {
	case len(t.gone) == 1 && landed == 1:
		return name + plain(t.gone[0].name()) + " has landed"
	case len(t.gone) == 1:
		return name + plain(t.gone[0].name()) + " was closed upstream"
	case landed == len(t.gone):
		return name + count(landed, "merge") + " have landed"
	}
	return name + count(len(t.gone), "merge") + ", landed or closed upstream"
}

func (t *retirementText) body() string {
	var b strings.Builder
	b.WriteString("| merge | at | why it can go |\n|---|---|---|\n")
	shown, more := head(t.gone, 100)
	for _, g := range shown {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", inline(g.name()), newUpstream(g.URL).commit(g.Commit), t.why(g))
	}
	if more > 0 {
		fmt.Fprintf(&b, "| … and %s | | |\n", count(more, "more merge"))
	}
	b.WriteByte('\n')
	for _, g := range shown {
		if !g.landed() {
			fmt.Fprintf(&b, "⚠️ **%s was closed without being merged**, and %s lacks what it changes. Merge this if you can do without; close it to keep the merge.\n\n", inline(g.name()), inline(t.base.name()))
		}
	}
	b.WriteString(t.sources())
	fmt.Fprintf(&b, "Nothing but %s in `%s`, and what `%s` has of %s, is taken out.", t.lines(), ReposFile, LockFile, t.them())
	if t.commented > 0 {
		b.WriteString(" The comment above the merge stays; it may need an edit.")
	}
	b.WriteString("\n\n<sub>Close this pull request and it stays closed, and the merges stay, until others land, too.</sub>\n")
	return b.String()
}

// why says why a merge goes, for a cell of the table.
func (t *retirementText) why(g retiring) string {
	base := inline(t.base.name()) + " at " + newUpstream(t.base.URL).commit(t.base.Commit)
	var parts []string
	if g.pull.URL != "" {
		state := "is closed"
		if g.pull.Merged {
			state = "was merged"
		}
		parts = append(parts, Link("its pull request", g.pull.URL)+" "+state)
	}
	switch {
	case g.Ancestor:
		parts = append(parts, "it is in the history of "+base)
	case g.Empty:
		parts = append(parts, "merging it into "+base+" changes nothing: all that it changes is there")
	case g.Picked == 1:
		parts = append(parts, "its commit is in "+base+", as another one that changes the same")
	case g.Picked > 1:
		parts = append(parts, fmt.Sprintf("each of its %s is in %s, as another one that changes the same", count(g.Picked, "commit"), base))
	}
	return strings.Join(parts, "; ")
}

// sources says what becomes of the sources.
func (t *retirementText) sources() string {
	switch {
	case t.clash:
		return "⚠️ **The merges that stay do not apply to each other**; this pull request's build says where.\n\n"
	case t.after == "":
		return "Whether the sources stay the same could not be found out; this pull request's build says it.\n\n"
	case t.after == t.before:
		return "**The sources stay what they are** (tree `" + short(t.after) + "`).\n\n"
	case t.before == "":
		return "**What stays applies cleanly** (tree `" + short(t.after) + "`), which what is locked now does not.\n\n"
	}
	return "**The sources change**: what is dropped goes from them (tree `" + short(t.before) + "` → `" + short(t.after) + "`).\n\n"
}

// lines names what is taken out of repos.yaml.
func (t *retirementText) lines() string {
	text := "the " + strings.TrimPrefix(count(len(t.gone), "merge"), "1 ")
	if n := len(t.remotes); n > 0 {
		names := make([]string, n)
		for i, name := range t.remotes {
			names[i] = Code(name)
		}
		slices.Sort(names)
		text += " and the " + strings.TrimPrefix(count(n, "remote"), "1 ") + " " + listing(names) + ", which nothing else uses,"
	}
	return text
}

func (t *retirementText) them() string {
	if len(t.gone)+len(t.remotes) == 1 {
		return "it"
	}
	return "them"
}

func (t *retirementText) message(title string) string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(title, "`", "") + "\n\n")
	for _, g := range t.gone {
		fmt.Fprintf(&b, "%s\n  was  %s\n", plain(t.dest+" "+g.name()), g.Commit)
	}
	fmt.Fprintf(&b, "\n%s%s\n", Trailer, t.target)
	return b.String()
}
