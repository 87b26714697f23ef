package refresh

import (
	"strings"
)

// maxChoices is how many choices a footer lists.
const maxChoices = 20

// footer says where the proposal comes from, and how to have another one.
func (p *Proposal) footer() string {
	text := "Close this pull request and it stays closed until there are newer commits. `" + ConfigFile + "` says what is proposed, and how it is grouped."
	if len(p.Choices) > 0 {
		text = p.asked() + " Nothing else of this group moves until this is merged or closed. `" + ConfigFile + "` says how it is grouped."
	}
	if p.Commands {
		text += " Commands, in a comment: " + strings.Join(p.commands(), " · ") + "."
	}
	return "\n<sub>" + text + "</sub>\n"
}

// asked says who asked for what: "Asked for by ana: odoo 17.0 at 1601de2."
func (p *Proposal) asked() string {
	var parts []string
	for _, c := range p.Choices[:min(maxChoices, len(p.Choices))] {
		text := inline(c.Dest + " " + c.Remote + " " + c.Ref)
		if c.To != "" {
			text += " at `" + short(c.To) + "`"
		}
		if c.By != "" {
			text += " (by " + Link(inline(c.By), c.URL) + ")"
		}
		parts = append(parts, text)
	}
	if more := len(p.Choices) - len(parts); more > 0 {
		parts = append(parts, "and "+count(more, "more merge"))
	}
	return "Asked for in a comment: " + strings.Join(parts, ", ") + "."
}

// commands lists what may be said about the proposal.
func (p *Proposal) commands() []string {
	all := []string{"`/refresh`", "`/rebase`"}
	if dests := p.destinations(); p.Kind == Merges && len(dests) == 1 {
		all = append(all, Code("/hold "+dests[0]))
	}
	return append(all, "`/help`")
}
