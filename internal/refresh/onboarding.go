package refresh

import (
	"fmt"
	"strings"

	"github.com/nuobit/odyssey/internal/config"
)

// OnboardingBranch is the branch of the pull request that adds a first
// .odyssey.yaml.
const OnboardingBranch = BranchPrefix + "configure"

// Onboarding is the pull request that a repository without an .odyssey.yaml
// gets, once.
type Onboarding struct {
	File    []byte // the proposed .odyssey.yaml
	Target  string // digest of what is proposed
	policy  config.Repo
	dests   int
	merges  int
	behind  int
	command bool
}

// Onboard makes the pull request for a repository. With commands, the text says
// that comments are obeyed.
func (s *State) Onboard(commands bool) (*Onboarding, error) {
	data, err := config.Example()
	if err != nil {
		return nil, fmt.Errorf("make an example of %s: %w", ConfigFile, err)
	}
	return &Onboarding{
		// Whatever the defaults of a later version are: what was refused once is not proposed again.
		File: data, Target: target(Kind("configure"), ConfigFile, nil),
		policy: s.Policy, dests: len(s.Destinations()), merges: len(s.Standings()), behind: s.Behind, command: commands,
	}, nil
}

// Describe writes the text.
func (o *Onboarding) Describe() Text {
	title := "Configure Odyssey"
	return Text{
		Title: title, Body: o.body(),
		Message: title + "\n\n" + ConfigFile + " with every setting at its default: what holds without it, to read and to change.\n\n" + Trailer + o.Target + "\n",
	}
}

func (o *Onboarding) body() string {
	var b strings.Builder
	fmt.Fprintf(&b, "This repository locks %s of %s in `%s`, and the bot was told to keep it fresh. It has no `%s` yet, so the defaults hold: this pull request adds them as a file, to read and to change. Nothing else changes by merging it.\n\n",
		count(o.merges, "merge"), count(o.dests, "destination"), LockFile, ConfigFile)
	b.WriteString("What the bot does here, with these settings:\n\n")
	for _, line := range o.does() {
		b.WriteString("- " + line + "\n")
	}
	b.WriteString("\nIt pushes to branches that begin with `" + BranchPrefix + "` alone, never to the default branch, and merges nothing.\n\n")
	b.WriteString("**Close this pull request to say no**: the bot then leaves the repository alone until there is a `" + ConfigFile + "` on the default branch.\n\n")
	b.WriteString("<sub>Edit the file here, on the branch, or after the merge; `odyssey-bot config check` checks it, and a fault in it becomes an issue. All settings: `odyssey-bot schema`.</sub>\n")
	return b.String()
}

// does lists what the bot does under the policy.
func (o *Onboarding) does() (lines []string) {
	p := o.policy
	if p.Merges.Enabled {
		now := "all of them are at their newest commits now"
		if o.behind > 0 {
			now = count(o.behind, "merge") + " of them could move now"
		}
		lines = append(lines, fmt.Sprintf("it looks for newer commits of the merges (schedule %s), and opens pull requests that move them in %s and nothing else; %s", Code(p.Merges.Schedule.String()), Code(LockFile), now))
	}
	lines = append(lines, fmt.Sprintf("it has at most %s open at once; one that is closed stays closed until there is something newer", count(p.PullRequests.Limit, "pull request")))
	if p.Commands.Enabled && o.command {
		lines = append(lines, "it obeys comments such as `/refresh ./odoo` and `/hold ./odoo` of "+p.Commands.Allow.String()+"; `/help` lists them")
	}
	return lines
}
