package refresh

import (
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
)

// maxBody is how long a pull request's text may be, in bytes. Forges take
// 65,536 characters.
const maxBody = 50_000

// body writes the pull request: a table that answers "may I merge this?",
// what is unusual, and the commits, folded. Lists get shorter until it fits.
func (p *Proposal) body(moves []move) string {
	for listed := 50; ; listed /= 2 {
		text := p.bodyListing(moves, listed)
		if len(text) <= maxBody || listed == 0 {
			return text
		}
	}
}

func (p *Proposal) bodyListing(moves []move, listed int) string {
	var b strings.Builder
	p.table(&b, moves)
	warnings(&b, moves)
	if p.Kind == Sync {
		fmt.Fprintf(&b, "`%s` declares what `%s` does not have. Nothing that is locked moves.\n", ReposFile, LockFile)
	} else {
		fmt.Fprintf(&b, "Nothing but %s in `%s` changes. Whether the merges still apply to each other is for this pull request's build to say.\n", count(len(moves), "commit id"), LockFile)
	}
	for _, m := range moves {
		commits(&b, m, listed)
	}
	fmt.Fprintf(&b, "\n<sub>Close this pull request and it stays closed until there are newer commits. `%s` says what is proposed, and how it is grouped.</sub>\n", ConfigFile)
	return b.String()
}

// table has a row for each change and, when they are of one destination, for
// each merge that stays.
func (p *Proposal) table(b *strings.Builder, moves []move) {
	dests := p.destinations()
	b.WriteString("| merge | from | to | |\n|---|---|---|---|\n")
	if len(dests) != 1 || p.Kind == Sync {
		for _, m := range moves {
			m.row(b, inline(m.Dest)+" · ")
		}
		b.WriteByte('\n')
		return
	}
	d := p.locked.Find(dests[0])
	next := 0
	for i := range d.Merges {
		merge := &d.Merges[i]
		if next < len(moves) && moves[next].Old == merge.Commit && moves[next].Remote == merge.Remote {
			moves[next].row(b, "")
			next++
			continue
		}
		web := newUpstream(d.Remote(merge.Remote).URL)
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", inline(merge.Remote+" "+merge.Ref), web.commit(merge.Commit), web.commit(merge.Commit), p.staying(d.Path, i))
	}
	b.WriteByte('\n')
}

// staying says why the merge at index i of a destination does not move here.
func (p *Proposal) staying(dest string, i int) string {
	now, newest := p.locked.Find(dest).Merges[i], p.newest.Find(dest)
	if i < len(newest.Merges) && newest.Merges[i].Commit == now.Commit {
		return "nothing newer"
	}
	return "held by the lock"
}

func (m move) row(b *strings.Builder, prefix string) {
	from, to := "–", "–"
	if m.Old != "" {
		from = m.web.commit(m.Old)
	}
	if m.New != "" {
		to = m.web.commit(m.New)
	}
	note := "gone from `" + ReposFile + "`"
	switch {
	case m.Moved():
		note = m.distance()
	case m.New != "":
		note = "new in `" + ReposFile + "`"
	}
	fmt.Fprintf(b, "| %s%s | %s | %s | %s |\n", prefix, inline(m.Remote+" "+m.Ref), from, to, note)
}

// distance says how far a merge moves: "3 commits, 2 authors, newest of 2026-11-19".
func (m move) distance() string {
	h := m.history
	if h.OldGone {
		return "the locked commit is gone from the server"
	}
	var parts []string
	if h.Ahead > 0 {
		text := count(h.Ahead, "commit")
		if h.AtLeast {
			text = "at least " + text
		}
		parts = append(parts, m.web.compare(text, m.Old, m.New), count(h.Authors, "author"))
	}
	if len(h.Commits) > 0 {
		parts = append(parts, "newest of "+h.Commits[0].When.Format("2006-01-02"))
	}
	if h.Behind > 0 {
		parts = append(parts, fmt.Sprintf("**%s dropped**", count(h.Behind, "commit")))
	}
	return strings.Join(parts, ", ")
}

// warnings says what a reviewer must not overlook.
func warnings(b *strings.Builder, moves []move) {
	for _, m := range moves {
		if m.history == nil {
			continue
		}
		name := inline(m.Remote + " " + m.Ref)
		switch {
		case m.history.OldGone:
			fmt.Fprintf(b, "⚠️ **%s was rewritten**: its server does not have the locked commit `%s` any more, so what changed cannot be told.\n\n", name, m.Old)
		case m.history.Behind > 0 && m.history.Ahead == 0:
			fmt.Fprintf(b, "⚠️ **%s was set back**: it ends before the locked commit, %s earlier.\n\n", name, count(m.history.Behind, "commit"))
		case m.history.Behind > 0:
			fmt.Fprintf(b, "⚠️ **%s was rewritten**: it lacks %s of the locked state.\n\n", name, count(m.history.Behind, "commit"))
		}
	}
}

// commits lists at most listed commits of a move, folded.
func commits(b *strings.Builder, m move, listed int) {
	if m.history == nil || len(m.history.Commits) == 0 || listed == 0 {
		return
	}
	h := m.history
	fmt.Fprintf(b, "\n<details><summary>%s of %s</summary>\n\n", summary(h), htmlText(m.Remote+" "+m.Ref))
	shown := h.Commits[:min(listed, len(h.Commits))]
	for _, c := range shown {
		fmt.Fprintf(b, "- %s %s · %s\n", m.web.commit(c.ID), inline(c.Subject), inline(c.Author))
	}
	if more := h.Ahead - len(shown); more > 0 {
		fmt.Fprintf(b, "- … and %s\n", m.web.compare(count(more, "more commit"), m.Old, m.New))
	}
	b.WriteString("\n</details>\n")
}

func summary(h *git.History) string {
	if h.OldGone {
		return "The newest commit"
	}
	return count(h.Ahead, "commit")
}
