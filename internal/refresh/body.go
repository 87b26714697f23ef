package refresh

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
)

// maxBody is how long a pull request's text may be, in bytes. Forges take
// 65,536 characters.
const maxBody = 50_000

// body writes the pull request: a table that answers "may I merge this?",
// what is unusual, and the commits, folded. Lists get shorter until it fits.
func (p *Proposal) body(moves []move, means *impact) string {
	// A commit takes 64 bytes or more, so many of them need not be tried.
	rows, listed := 1000, min(50, 1+maxBody/64/max(1, len(moves)))
	for {
		text := p.bodyListing(moves, means, rows, listed)
		switch {
		case len(text) <= maxBody || rows == 0:
			return text
		case listed > 0:
			listed /= 2
		default:
			rows /= 2
		}
	}
}

// bodyListing writes at most so many rows of the table, and of warnings, and
// so many commits of each merge.
func (p *Proposal) bodyListing(moves []move, means *impact, rows, listed int) string {
	var b strings.Builder
	if all := p.table(moves); len(all) > 0 {
		shown, more := head(all, rows)
		b.WriteString("| merge | from | to | |\n|---|---|---|---|\n" + strings.Join(shown, ""))
		if more > 0 {
			fmt.Fprintf(&b, "| … and %s | | | |\n", count(more, "more merge"))
		}
		b.WriteByte('\n')
	}
	shown, more := head(slices.Concat(p.conflicts(), p.warnings(moves), p.passedOver(), p.jointly()), rows)
	b.WriteString(strings.Join(shown, ""))
	if more > 0 {
		fmt.Fprintf(&b, "⚠️ **So it is with %s.**\n\n", count(more, "more merge"))
	}
	fmt.Fprintln(&b, p.promise(moves))
	means.first(&b, rows)
	means.details(&b, rows, listed)
	for _, m := range moves {
		if !m.told {
			commits(&b, m, p.name(m, htmlText), listed)
		}
	}
	b.WriteString(p.footer())
	return b.String()
}

func head[T any](all []T, n int) (shown []T, more int) {
	n = min(n, len(all))
	return all[:n], len(all) - n
}

// promise says what the change is, and what it is not.
func (p *Proposal) promise(moves []move) string {
	const locked, declared = "`" + LockFile + "`", "`" + ReposFile + "`"
	switch added, _ := p.tally(); {
	case p.Kind != Sync:
		return strings.TrimSpace("Nothing but " + p.contents(len(moves)) + " in " + locked + " changes. " + p.applies())
	case added > 0:
		return declared + " declares what " + locked + " does not have. Nothing that is locked moves."
	}
	return locked + " differs from what " + declared + " declares. Nothing that is locked moves."
}

// table has a row for each change and, when they are of one destination, for
// each merge that stays.
func (p *Proposal) table(moves []move) (rows []string) {
	dests := p.destinations()
	if len(dests) != 1 || p.Kind == Sync {
		for _, m := range moves {
			rows = append(rows, p.row(m))
		}
		return rows
	}
	locked, newest, aim := p.locked.Find(dests[0]), p.newest.Find(dests[0]), p.aim.Find(dests[0])
	next := 0
	for i, m := range newest.Merges {
		now := locked.Merges[i].Commit
		if next < len(moves) && moves[next].Old == now && moves[next].New == aim.Merges[i].Commit && moves[next].Remote == m.Remote && moves[next].Ref == m.Ref {
			rows = append(rows, p.row(moves[next]))
			next++
			continue
		}
		web := newUpstream(newest.Remote(m.Remote).URL)
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |\n", inline(m.Remote+" "+m.Ref), web.commit(now), web.commit(now), p.staying(dests[0], now, m)))
	}
	return rows
}

// staying says why a merge that is locked at now does not move here.
func (p *Proposal) staying(dest, now string, newest lock.Merge) string {
	lost := lostMerge(p.lost, dest, newest.Remote, newest.Ref)
	switch {
	case lost != nil && Passes(lost):
		return "its server does not answer"
	case lost != nil:
		return "**not found**, see below"
	case slices.ContainsFunc(p.Reasons, func(r Reason) bool { return r.Dest == dest && r.Remote == newest.Remote && r.Ref == newest.Ref }):
		return "the newest commit does not apply"
	case gitname.IsObjectID(newest.Ref):
		return "a commit in `" + ReposFile + "`"
	case newest.Commit == now:
		return "nothing newer"
	}
	if l, is := p.limit(dest, newest.Remote, newest.Ref); is {
		return "waits: " + inline(l.Why)
	}
	return "held by the lock"
}

// name is what a move is called, with its destination unless the title says it.
func (p *Proposal) name(m move, escape func(string) string) string {
	name := escape(m.Remote + " " + m.Ref)
	if p.Kind == Sync || len(p.destinations()) > 1 {
		name = escape(m.Dest) + " · " + name
	}
	return name
}

func (p *Proposal) row(m move) string {
	var note string
	from, to := "–", "–"
	if m.Old != "" {
		from = m.web.commit(m.Old)
	}
	if m.New != "" {
		to = m.web.commit(m.New)
	}
	switch {
	case m.Moved():
		note = m.distance()
	case m.New != "":
		note = "new in `" + ReposFile + "`"
	default:
		note = "gone from `" + ReposFile + "`"
	}
	return fmt.Sprintf("| %s | %s | %s | %s |\n", p.name(m, inline), from, to, note)
}

// distance says how far a merge moves: "3 commits, 2 authors, newest of 2026-11-19".
func (m move) distance() string {
	h := m.history
	if h.OldGone {
		return "the locked commit is gone from the server"
	}
	var parts []string
	if h.Ahead > 0 {
		parts = append(parts, m.web.compare(ahead(h), m.Old, m.New))
	}
	if h.Ahead > 0 && h.Authors > 0 {
		parts = append(parts, count(h.Authors, "author"))
	}
	if len(h.Commits) > 0 {
		parts = append(parts, "newest of "+h.Commits[0].When.Format("2006-01-02"))
	}
	if rewritten(h) {
		parts = append(parts, fmt.Sprintf("**%s dropped**", count(h.Behind, "commit")))
	}
	return strings.Join(parts, ", ")
}

// ahead counts the commits of a move: "3 commits", "at least 4,096 commits".
func ahead(h *git.History) string {
	if h.AtLeast {
		return "at least " + count(h.Ahead, "commit")
	}
	return count(h.Ahead, "commit")
}

// rewritten reports whether commits of the locked state are known to be no
// more part of what the ref has. Where the way between is longer than was
// looked at, the two ends seem to have nothing in common.
func rewritten(h *git.History) bool { return h.Behind > 0 && !h.AtLeast }

// warnings says what a reviewer must not overlook.
func (p *Proposal) warnings(moves []move) (lines []string) {
	for _, m := range moves {
		if m.history == nil {
			continue
		}
		name, h := p.name(m, inline), m.history
		ends := "from " + m.web.commit(m.Old) + " to " + m.web.commit(m.New)
		if p.isTag(m.Change) {
			lines = append(lines, "⚠️ **"+name+" is a tag, and was moved** "+ends+". Tags are made to stay: ask who moved it for the reason before you merge.\n\n")
		}
		switch {
		case h.OldGone:
			lines = append(lines, "⚠️ **"+name+" was rewritten**: its server does not have the locked commit `"+m.Old+"` any more, so what changed cannot be told.\n\n")
		case rewritten(h) && h.Ahead == 0:
			lines = append(lines, fmt.Sprintf("⚠️ **%s was set back** %s: it ends before the locked commit, %s earlier.\n\n", name, ends, count(h.Behind, "commit")))
		case rewritten(h):
			lines = append(lines, fmt.Sprintf("⚠️ **%s was rewritten** (force-pushed) %s: it lacks %s of the locked state.\n\n", name, ends, count(h.Behind, "commit")))
		case h.Behind > 0:
			lines = append(lines, fmt.Sprintf("⚠️ **%s moves far**: the locked commit is farther back than was looked, so whether it was rewritten cannot be told.\n\n", name))
		}
	}
	for i := range p.lost {
		l := &p.lost[i]
		if p.tells(l) {
			hint := ""
			if found := hintOf(l); found != "" && p.Discretion.Tells(l.URL) {
				hint = " " + inline(strings.ToUpper(found[:1])+found[1:]) + "."
			}
			lines = append(lines, "⚠️ **"+inline(l.Dest+" "+l.Remote+" "+l.Ref)+" stays as it is**: "+inline(WhyLost(l))+"."+hint+"\n\n")
		}
	}
	for _, c := range p.Choices {
		if c.Outside {
			lines = append(lines, fmt.Sprintf("⚠️ **%s is not part of %s**: the server has the commit, but the ref does not lead to it. It may be anybody's.\n\n", Code(short(c.To)), inline(c.Remote+" "+c.Ref)))
		}
	}
	return lines
}

// isTag reports whether what moves is known to be a tag.
func (p *Proposal) isTag(c lock.Change) bool {
	d := p.newest.Find(c.Dest)
	return c.Moved() && d != nil && slices.ContainsFunc(d.Merges, func(m lock.Merge) bool {
		return m.Remote == c.Remote && m.Ref == c.Ref && m.Tag
	})
}

// tells reports whether a proposal's text is the place to say that a merge is
// lost.
func (p *Proposal) tells(l *lock.Lost) bool {
	if p.Kind == Sync {
		return l.Locked == ""
	}
	return slices.Contains(p.destinations(), l.Dest)
}

// commits lists at most listed commits of a move, folded.
func commits(b *strings.Builder, m move, name string, listed int) {
	if m.history == nil || len(m.history.Commits) == 0 || listed == 0 {
		return
	}
	h := m.history
	fmt.Fprintf(b, "\n<details><summary>%s of %s</summary>\n\n", summary(h), name)
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
	switch {
	case h.OldGone:
		return "The newest commit"
	case h.AtLeast:
		return "A" + ahead(h)[1:]
	}
	return ahead(h)
}
