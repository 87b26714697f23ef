package refresh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
)

// Deployment is another image for what a deployment repository runs, or one of
// its instances.
type Deployment struct {
	Image    string // registry and repository
	Instance string // "" when there is but one
	Tag      string
	Digest   string // "sha256:…"
	Places   []Place
	Left     []Left

	// What the images say of themselves, "" where they do not: the URL of the
	// repository that they were built from, and its commits.
	Source, Old, New string
	// Merges are what the lock of the one has other than that of the other, and
	// Parts the names of the layers that differ.
	Merges []lock.Change
	Parts  []string

	// Around is what the addons of the merges are compared with.
	Around Around
	// Discretion says whether the text may tell what is in the source.
	Discretion Discretion
}

// Place is where a file names the image, and what it named before.
type Place struct {
	File        string
	Line        int
	Tag, Digest string // either may be ""
}

// Left is where a file names the image and is left as it is.
type Left struct {
	File string
	Line int
	Why  string
}

// Branch is the branch of the deployment's pull request.
func (d *Deployment) Branch() string { return DeploymentBranch(d.Image, d.Instance) }

// Group is what the deployment is about, for people.
func (d *Deployment) Group() string {
	if d.Instance == "" {
		return d.Image
	}
	return d.Image + " " + d.Instance
}

// Target is a digest of what the deployment leads to.
func (d *Deployment) Target() string {
	sum := sha256.Sum256([]byte("deployment\n" + d.Group() + "\n" + d.Digest + "\n"))
	return hex.EncodeToString(sum[:])
}

// List says where the deployment leads, in Markdown.
func (d *Deployment) List() []string {
	return []string{Code(d.Image) + " at " + Code(d.Tag) + " `" + d.Digest + "`"}
}

// Describe writes the text. What the histories of the source and of its upstreams
// cannot tell is left out.
func (d *Deployment) Describe(ctx context.Context, historian Historian) Text {
	history := d.history(ctx, historian)
	means := d.impact(ctx, historian)
	title := cut("Deploy "+plain(d.Tag)+d.to(plain), maxTitle)
	text := Text{Title: title, Message: d.message(title)}
	for rows := 200; ; rows /= 2 {
		if text.Body = d.body(history, means, rows); len(text.Body) <= maxBody || rows == 0 {
			return text
		}
	}
}

// impact finds out what the changes of the lock mean for addons; nil when that
// cannot be told.
func (d *Deployment) impact(ctx context.Context, historian Historian) *impact {
	from, is := historian.(Surveyor)
	var moved []lock.Change
	for _, c := range d.Merges {
		if c.Moved() {
			moved = append(moved, c)
		}
	}
	if !is || len(moved) == 0 {
		return nil
	}
	p := &Proposal{Kind: Merges, Changes: moved, Discretion: d.Discretion, Around: d.Around}
	survey := NewSurvey(from, &Plan{Proposals: []Proposal{*p}})
	moves, err := p.histories(ctx, survey)
	if err != nil {
		return nil
	}
	means, err := p.impact(ctx, survey, moves)
	if err != nil {
		return nil
	}
	means.unlike = len(d.Merges) - len(moved)
	return means
}

func (d *Deployment) to(escape func(string) string) string {
	if d.Instance == "" {
		return ""
	}
	return " to " + escape(d.Instance)
}

func (d *Deployment) history(ctx context.Context, historian Historian) *git.History {
	if d.Source == "" || d.Old == "" || d.New == "" || d.Old == d.New {
		return nil
	}
	found, err := historian.Histories(ctx, d.Source, []git.Range{{Old: d.Old, New: d.New}})
	if err != nil || len(found) != 1 {
		return nil
	}
	told := d.Discretion.discreet(d.Source, found[0])
	return &told
}

// body lists at most so many rows of each table and list.
func (d *Deployment) body(history *git.History, means *impact, rows int) string {
	var b strings.Builder
	b.WriteString("| where | from | to |\n|---|---|---|\n")
	for _, p := range d.Places[:min(rows, len(d.Places))] {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", Code(fmt.Sprintf("%s:%d", p.File, p.Line)), pinned(p.Tag, p.Digest), pinned(d.Tag, d.Digest))
	}
	if more := len(d.Places) - rows; more > 0 {
		fmt.Fprintf(&b, "| … and %s | | |\n", count(more, "more place"))
	}
	fmt.Fprintf(&b, "\nThe image is %s. Nothing but its tag and digest changes.\n\n", "`"+d.Image+"@"+d.Digest+"`")
	if shown := d.Left[:min(rows, len(d.Left))]; len(shown) > 0 {
		b.WriteString("⚠️ **Left as they are**, although they name the image:\n")
		for _, l := range shown {
			fmt.Fprintf(&b, "- %s: %s\n", Code(fmt.Sprintf("%s:%d", l.File, l.Line)), inline(l.Why))
		}
		if more := len(d.Left) - len(shown); more > 0 {
			fmt.Fprintf(&b, "- … and %s\n", count(more, "more place"))
		}
		b.WriteString("\n")
	}
	b.WriteString(d.origin(history))
	b.WriteString(d.merges(rows))
	if means.whole() {
		var text strings.Builder
		means.first(&text, rows)
		b.WriteString(strings.TrimPrefix(text.String(), "\n"))
	} else {
		b.WriteString("**Upgrade:** back up, then `odoo-update DB --changed` with the new image: it updates the addons whose content differs from what the database last saw, and nothing when there are none. " +
			"Whether one of them changes the schema is in the pull requests that the commits below merged.\n")
	}
	means.details(&b, rows, min(rows, maxListed))
	if history != nil {
		commits(&b, move{Change: lock.Change{Old: d.Old, New: d.New}, history: history, web: newUpstream(d.Source)}, "the image's repository", min(rows, maxListed))
	}
	b.WriteString("\n<sub>Close this pull request and it stays closed until there is a newer image; revert it after the merge and that counts as a hold of this image.</sub>\n")
	return b.String()
}

// maxListed is how many commits are listed at most.
const maxListed = 50

// origin says what the image was built from.
func (d *Deployment) origin(history *git.History) string {
	web := newUpstream(d.Source)
	switch {
	case d.New == "":
		return "The image does not say which commit it was built from.\n\n"
	case d.Old == "" || d.Old == d.New || history == nil:
		text := "Built from " + web.commit(d.New) + " of " + d.source()
		if d.Old == d.New {
			return text + ", as the image before.\n\n"
		}
		if d.Old != "" {
			text += "; the image before from " + web.commit(d.Old) + " (" + web.compare("compare", d.Old, d.New) + ")"
		}
		return text + ".\n\n"
	}
	text := "Built from " + web.commit(d.New) + " of " + d.source() + ", " + web.compare(ahead(history), d.Old, d.New) + " after the image before.\n\n"
	if history.OldGone || rewritten(history) {
		text += "⚠️ **The image before was built from a commit that is not part of this one's history.**\n\n"
	}
	return text
}

// source names the repository that the image was built from, as people do.
func (d *Deployment) source() string {
	u, err := gitname.ParseURL(d.Source)
	if err != nil {
		return Code(d.Source)
	}
	return Link(inline(strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")), newUpstream(d.Source).base)
}

// merges lists what the two locks have different, or the parts that differ.
func (d *Deployment) merges(rows int) string {
	var b strings.Builder
	switch {
	case len(d.Merges) > 0:
		b.WriteString("| merge | from | to |\n|---|---|---|\n")
		for _, c := range d.Merges[:min(rows, len(d.Merges))] {
			web := newUpstream(c.URL)
			fmt.Fprintf(&b, "| %s · %s | %s | %s |\n", inline(c.Dest), inline(c.Remote+" "+c.Ref), web.orNone(c.Old), web.orNone(c.New))
		}
		if more := len(d.Merges) - rows; more > 0 {
			fmt.Fprintf(&b, "| … and %s | | |\n", count(more, "more merge"))
		}
		b.WriteString("\n")
	case len(d.Parts) > 0:
		shown := d.Parts[:min(rows, len(d.Parts))]
		names := make([]string, len(shown))
		for i, part := range shown {
			names[i] = Code(part)
		}
		fmt.Fprintf(&b, "What differs in the image: %s.\n\n", strings.Join(names, ", "))
	}
	return b.String()
}

// orNone is commit, and a dash for none.
func (u upstream) orNone(id string) string {
	if id == "" {
		return "–"
	}
	return u.commit(id)
}

// pinned is a tag and the beginning of a digest.
func pinned(tag, digest string) string {
	var parts []string
	if tag != "" {
		parts = append(parts, Code(tag))
	}
	if _, sum, ok := strings.Cut(digest, ":"); ok {
		parts = append(parts, "`"+short(sum)+"`")
	}
	if len(parts) == 0 {
		return "–"
	}
	return strings.Join(parts, " ")
}

func (d *Deployment) message(title string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n  at %s\n     %s\n", title, plain(d.Image), plain(d.Tag), d.Digest)
	if d.New != "" {
		fmt.Fprintf(&b, "Built from %s of %s\n", plain(d.New), plain(d.Source))
	}
	fmt.Fprintf(&b, "\n%s%s\n", Trailer, d.Target())
	return b.String()
}

// cut shortens a line to so many characters.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
