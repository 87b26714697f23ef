package refresh

import (
	"fmt"
	"slices"
	"strings"
)

// maxClashing is how many files of a conflict are named.
const maxClashing = 10

// applies says whether the merges apply, in Markdown: "" when there is nothing
// to say, since no destination has several.
func (p *Proposal) applies() string {
	if !p.Settled {
		return "Whether the merges still apply to each other is for this pull request's build to say."
	}
	var clean []string
	var said strings.Builder
	for _, found := range p.Predictions {
		if found.Tree != "" {
			clean = append(clean, "`"+plain(found.Dest)+"` (tree `"+short(found.Tree)+"`)")
		}
	}
	switch {
	case len(clean) == 1 && len(p.destinations()) == 1 && p.Predictions[0].Conflict != nil:
		fmt.Fprintf(&said, "**What is proposed applies** (tree `%s`).", short(p.Predictions[0].Tree))
	case len(clean) == 1 && len(p.destinations()) == 1:
		fmt.Fprintf(&said, "**Applies cleanly** on top of the other merges (tree `%s`).", short(p.Predictions[0].Tree))
	case len(clean) > 0:
		shown, more := head(clean, 20)
		said.WriteString("**Applies cleanly:** " + strings.Join(shown, ", "))
		if more > 0 {
			fmt.Fprintf(&said, " and %d more", more)
		}
		said.WriteString(".")
	}
	for _, found := range p.Predictions {
		if found.Conflict == nil && found.Unknown != "" {
			fmt.Fprintf(&said, "\n\n**Not tried:** whether the merges of `%s` apply to each other could not be found out (%s); the build of this pull request says it.", plain(found.Dest), inline(found.Unknown))
		}
	}
	return strings.TrimSpace(said.String())
}

// conflicts says for each destination what keeps it from its newest commits, in
// Markdown, one an item.
func (p *Proposal) conflicts() (said []string) {
	for _, found := range p.Predictions {
		if found.Conflict != nil {
			said = append(said, "⚠️ "+found.text(p.Discretion)+"\n")
		}
	}
	return said
}

// text says what does not apply, what is proposed instead, and how to see it.
func (f *Prediction) text(d Discretion) string {
	var b strings.Builder
	c := f.Conflict
	fmt.Fprintf(&b, "**`%s` cannot move to the newest commits: 1 of %s conflicts**\n\n%s\n", plain(f.Dest), count(f.Merges, "merge"), c.sentence(d))
	for _, i := range c.Instead {
		web := newUpstream(i.URL)
		switch {
		case i.Next == "":
			fmt.Fprintf(&b, "%s stays at %s: it was rewritten since, and its new state does not apply.\n", Code(i.name()), web.commit(i.Commit))
		case i.Ahead == 0:
			fmt.Fprintf(&b, "%s stays at %s: of the %s since, already the first, %s, does not apply.\n", Code(i.name()), web.commit(i.Commit), count(i.Of, "commit"), web.commit(i.Next))
		default:
			fmt.Fprintf(&b, "Proposed instead: %s at %s, the newest of %s on which everything still applies; %s is the first on which it does not.\n",
				Code(i.name()), web.commit(i.Commit), count(i.Of, "commit"), web.commit(i.Next))
		}
	}
	switch {
	case c.Stuck:
		b.WriteString("Not even what is locked applies any more, so nothing is proposed for it.\n")
	case f.Unknown != "":
		fmt.Fprintf(&b, "Nothing is proposed for it: %s.\n", inline(f.Unknown))
	}
	fmt.Fprintf(&b, "To see it yourself: `%s`.\n", f.command())
	return b.String()
}

// command shows the conflict to who has a checkout.
func (f *Prediction) command() string {
	return fmt.Sprintf("odyssey-bot plan --only merges --at %s %s", short(f.Conflict.moved().Commit), shellWord(plain(f.Dest)))
}

// moved is the side that is to be taken to its newest commit to see the conflict.
func (c *Conflict) moved() Side {
	if len(c.Instead) > 0 {
		for _, side := range []Side{c.Merge, c.Against} {
			if side.Remote == c.Instead[0].Remote && side.Ref == c.Instead[0].Ref {
				return side
			}
		}
	}
	return c.Merge
}

// sentence names the two sides and the files.
func (c *Conflict) sentence(d Discretion) string {
	side := func(s Side) string { return Code(s.name()) + " at " + newUpstream(s.URL).commit(s.Commit) }
	against := "the merges before it"
	if c.Against.Remote != "" {
		against = side(c.Against)
	}
	if c.Unrelated {
		return against + " and " + side(c.Merge) + " have no history in common."
	}
	if !c.told(d) {
		return against + " and " + side(c.Merge) + " conflict; which files it is about is not told here, since one of them is private."
	}
	var files []string
	shown := c.Files[:min(maxClashing, len(c.Files))]
	for _, f := range shown {
		name := Code(f.Path)
		if f.Addon != "" {
			name += " (addon **" + inline(f.Addon) + "**)"
		}
		files = append(files, name)
	}
	if more := len(c.Files) - len(shown); more > 0 {
		files = append(files, count(more, "more file"))
	}
	return against + " and " + side(c.Merge) + " both change " + listing(files) + "."
}

// told reports whether the files of a conflict may be named.
func (c *Conflict) told(d Discretion) bool {
	return d.Tells(c.Merge.URL) && (c.Against.URL == "" && !d.Public || c.Against.URL != "" && d.Tells(c.Against.URL))
}

// why is sentence for a table cell: no Markdown, no links.
func (c *Conflict) why(d Discretion) string {
	against := "the merges before it"
	if c.Against.Remote != "" {
		against = c.Against.name() + " at " + short(c.Against.Commit)
	}
	text := against + " and " + c.Merge.name() + " at " + short(c.Merge.Commit)
	if c.Unrelated {
		return plain(text + " have no history in common")
	}
	text += " conflict"
	if !c.told(d) {
		return plain(text)
	}
	if len(c.Files) > 0 {
		text += " in " + c.Files[0].Path
	}
	if more := len(c.Files) - 1; more > 0 {
		text += fmt.Sprintf(" and %s", count(more, "more file"))
	}
	return plain(text)
}

// listing joins words: "a, b and c".
func listing(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// shellWord quotes a word for a POSIX shell where it needs that.
func shellWord(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return r <= ' ' || r > '~' || slices.Contains([]rune("'\"$&;|<>()*?[]#~\\`!{}"), r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// contents says what of the lock a proposal of so many moves changes.
func (p *Proposal) contents(moves int) string {
	text := count(moves, "commit id")
	if slices.ContainsFunc(p.Predictions, func(f Prediction) bool { return f.Tree != "" && p.whole[f.Dest] }) {
		text += " and the recorded trees"
	}
	return text
}
