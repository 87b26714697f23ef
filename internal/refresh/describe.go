package refresh

import (
	"context"
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
)

// Historian tells what lies between two commits of a remote.
type Historian interface {
	Histories(ctx context.Context, url string, ranges []git.Range) ([]git.History, error)
}

// Text is what a proposal says to people.
type Text struct {
	Title   string // of the pull request and the commit
	Body    string // of the pull request, Markdown
	Message string // of the commit
	// Ahead tells, for each of the proposal's Changes, how many commits it
	// moves by, at least; -1 when that is not known.
	Ahead []int
	// Fit says how the addons fit together; nil when that was not looked at.
	Fit *Fit
	// Doubts say why somebody has to look before it is merged, each a clause in
	// Markdown; none: the checks of the repository may decide.
	Doubts []string
}

// Fit is what is said of a proposal's commit.
type Fit struct {
	Good    bool   // the proposal brings nothing that keeps addons from working
	Title   string // one line
	Summary string // Markdown
}

// Describe writes the proposal's text. It asks each remote that moves once.
func (p *Proposal) Describe(ctx context.Context, historian Historian) (Text, error) {
	moves, err := p.histories(ctx, historian)
	if err != nil {
		return Text{}, err
	}
	survey, _ := historian.(*Survey)
	means, err := p.impact(ctx, survey, moves)
	if err != nil {
		return Text{}, err
	}
	title := p.title(moves)
	text := Text{Title: title, Body: p.body(moves, means), Message: p.message(title), Fit: means.fit(), Doubts: p.doubts(moves)}
	if means != nil && !means.checked {
		text.Doubts = append(text.Doubts, "whether the addons fit together could not be found out")
	}
	for _, m := range moves {
		ahead := -1
		if m.history != nil && !m.history.OldGone {
			ahead = m.history.Ahead
		}
		text.Ahead = append(text.Ahead, ahead)
	}
	return text, nil
}

// move is a change and what is behind it.
type move struct {
	lock.Change
	history *git.History // nil unless the merge moved
	told    bool         // its commits are told addon by addon
	web     upstream
}

func (p *Proposal) histories(ctx context.Context, historian Historian) ([]move, error) {
	moves := make([]move, len(p.Changes))
	byURL := map[string][]int{}
	var urls []string
	for i, c := range p.Changes {
		moves[i] = move{Change: c, web: newUpstream(c.URL)}
		if !c.Moved() {
			continue
		}
		if byURL[c.URL] == nil {
			urls = append(urls, c.URL)
		}
		byURL[c.URL] = append(byURL[c.URL], i)
	}
	for _, url := range urls {
		var ranges []git.Range
		for _, i := range byURL[url] {
			ranges = append(ranges, git.Range{Old: p.Changes[i].Old, New: p.Changes[i].New})
		}
		found, err := historian.Histories(ctx, url, ranges)
		if err != nil {
			return nil, fmt.Errorf("read the history of %s: %w", url, err)
		}
		for n, i := range byURL[url] {
			told := p.Discretion.discreet(url, found[n])
			moves[i].history = &told
		}
	}
	return moves, nil
}

// maxTitle is how long a title may be, in characters; Gitea cuts it at 255,
// GitHub refuses it.
const maxTitle = 240

// title says what moves and how far: Refresh `./odoo`: odoo 17.0 +41 commits.
func (p *Proposal) title(moves []move) string { return cut(p.subject(moves), maxTitle) }

func (p *Proposal) subject(moves []move) string {
	if p.Kind == Sync {
		return "Lock what " + ReposFile + " declares: " + tallied(p.tally())
	}
	dests := p.destinations()
	name := "`" + plain(dests[0]) + "`"
	if len(dests) > 1 {
		name = plain(p.Group) + " (" + count(len(dests), "destination") + ")"
	}
	what, comma := plain(moves[0].Remote+" "+moves[0].Ref), ""
	if len(moves) > 1 {
		what, comma = count(len(moves), "merge"), ","
	}
	total, more, lost := 0, "", ""
	for _, m := range moves {
		total += m.history.Ahead
		switch {
		case m.history.OldGone, rewritten(m.history) && m.history.Ahead > 0:
			lost = " (history rewritten)"
		case rewritten(m.history) && lost == "":
			lost = " (set back)"
		case p.isTag(m.Change) && lost == "":
			lost = " (a tag that moved)"
		case m.history.AtLeast:
			more = " or more"
		}
	}
	if lost != "" {
		return "Refresh " + name + ": " + what + lost
	}
	return "Refresh " + name + ": " + what + comma + " +" + count(total, "commit") + more
}

// tally counts what a sync adds and drops.
func (p *Proposal) tally() (added, dropped int) {
	for _, c := range p.Changes {
		if c.Old == "" {
			added++
		} else if c.New == "" {
			dropped++
		}
	}
	return added, dropped
}

func tallied(added, dropped int) string {
	switch {
	case added > 0 && dropped > 0:
		return fmt.Sprintf("%s added, %d dropped", count(added, "merge"), dropped)
	case added > 0:
		return count(added, "merge") + " added"
	case dropped > 0:
		return count(dropped, "merge") + " dropped"
	}
	return "no commit changes"
}

// destinations lists the destinations of the changes, each once.
func (p *Proposal) destinations() []string {
	var dests []string
	for _, c := range p.Changes {
		if len(dests) == 0 || dests[len(dests)-1] != c.Dest {
			dests = append(dests, c.Dest)
		}
	}
	return dests
}

// List says where each merge leads, in Markdown, one an item.
func (p *Proposal) List() []string {
	var items []string
	for _, c := range p.Changes {
		to := "dropped"
		if c.New != "" {
			to = "`" + c.New + "`"
		}
		items = append(items, inline(c.Dest+" "+c.Remote+" "+c.Ref)+" → "+to)
	}
	return items
}

// Trailer begins the line of a commit message that marks a commit as the
// bot's own.
const Trailer = "Odyssey-Target: "

func (p *Proposal) message(title string) string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(title, "`", "") + "\n\n")
	for _, c := range p.Changes {
		name := plain(c.Dest + " " + c.Remote + " " + c.Ref)
		switch {
		case c.Moved():
			fmt.Fprintf(&b, "%s\n  from %s\n  to   %s\n", name, c.Old, c.New)
		case c.New != "":
			fmt.Fprintf(&b, "%s\n  at   %s\n", name, c.New)
		default:
			fmt.Fprintf(&b, "%s\n  dropped, was %s\n", name, c.Old)
		}
	}
	fmt.Fprintf(&b, "\n%s%s\n", Trailer, p.Target)
	return b.String()
}

// count writes "1 commit", "3 commits", "1,204 commits".
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits + " " + noun
}
