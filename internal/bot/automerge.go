package bot

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// Automerger is a forge that merges a pull request by itself once what its base
// branch requires has passed. errors.ErrUnsupported: not this one.
type Automerger interface {
	// Automerge has it do so, if the branch is at head. A *forge.AutomergeError says
	// why it does not, forge.ErrLeaseLost that the branch is elsewhere.
	Automerge(ctx context.Context, repo forge.Repo, number int64, head string) error
	CancelAutomerge(ctx context.Context, repo forge.Repo, number int64) error
	// ChangesRequested reports whether a review asks for changes.
	ChangesRequested(ctx context.Context, repo forge.Repo, number int64) (bool, error)
}

// A pull request's text says whether the forge merges it, for people and for the
// next run: at which head that was asked for, or that it is not for now, or never
// for what is proposed.
const (
	automergeOff = "off"
	automergeNo  = "no"
)

var automergePattern = regexp.MustCompile(`(?s)\n?<!-- odyssey automerge=([0-9a-f]{40,64}|off|no) -->\n.*?<!-- /odyssey automerge -->\n`)

// automerge reads what a text says: a head, automergeOff, automergeNo, or "".
func automerge(body string) string {
	parts := automergePattern.FindStringSubmatch(strings.ReplaceAll(body, "\r\n", "\n"))
	if parts == nil {
		return ""
	}
	return parts[1]
}

// saysArmed reports whether a text says that the forge was asked.
func saysArmed(body string) bool {
	return !slices.Contains([]string{"", automergeOff, automergeNo}, automerge(body))
}

// withAutomerge returns a text that says so; reason is Markdown.
func withAutomerge(body, state, reason string) string {
	said := "**Automerge:** the forge merges this once what its base branch requires has passed. A push to its branch, a review that asks for changes, or `/hold` takes that back.\n"
	if state == automergeOff || state == automergeNo {
		said = "**No automerge:** " + reason + ".\n"
	}
	section := "\n<!-- odyssey automerge=" + state + " -->\n" + said + "<!-- /odyssey automerge -->\n"
	body = strings.ReplaceAll(body, "\r\n", "\n")
	if at := automergePattern.FindStringIndex(body); at != nil {
		return body[:at[0]] + section + body[at[1]:]
	}
	if at := markPattern.FindStringIndex(body); at != nil {
		return strings.TrimSuffix(body[:at[0]], "\n") + "\n" + section + "\n" + body[at[0]:]
	}
	return body + "\n" + section
}

// planned is what a text that is written anew says about it.
func (k *keeper) planned(text refresh.Text) (state, reason string) {
	doubts := slices.Clone(text.Doubts)
	if text.Fit != nil && !text.Fit.Good {
		doubts = append(doubts, "not all addons fit together")
	}
	if len(doubts) > 0 {
		return automergeNo, strings.Join(doubts, "; ") + ", so that somebody has to look at it"
	}
	return automergeOff, "the forge was not asked yet"
}

// tend brings what the forge was asked about an open pull request to what the
// policy and people want, as far as the pull request says what it is. It returns
// why the forge does not merge it, "" when there is nothing to say.
func (k *keeper) tend(ctx context.Context, p *proposal, pr forge.PullRequest) (why string, err error) {
	k.seen(p.branch)
	forger, is := k.forge.(Automerger)
	state := automerge(pr.Body)
	switch {
	case !is || state == "" || state == automergeNo && !k.recall(ctx, p.branch).Asked:
		return "", nil
	case !k.automerge:
		return "", k.disarm(ctx, pr, "`automerge` is not set in `"+refresh.ConfigFile+"` any more")
	}
	branch, err := k.forge.Branch(ctx, k.repo, p.branch)
	if errors.Is(err, forge.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if !k.own(branch) {
		return "somebody pushed to its branch", k.disarm(ctx, pr, "somebody pushed to its branch")
	}
	asked, err := forger.ChangesRequested(ctx, k.repo, pr.Number)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return "", nil
	case err != nil:
		return "", err
	case asked:
		return "a review asks for changes", k.disarm(ctx, pr, "a review asks for changes")
	case !strings.Contains(branch.Message+"\n", "\n"+refresh.Trailer+readMark(pr.Body).target+"\n"): // a run ended between the two
		return "its branch is at something else than it says", k.disarm(ctx, pr, "its branch is at something else than this says; `/rebase` mends that")
	}
	known := k.recall(ctx, p.branch)
	switch {
	case known.Head != branch.Head:
		return "the bot does not remember that it made this commit", k.disarm(ctx, pr, "the bot does not remember that it made this commit; `/rebase` makes it anew")
	case known.No:
		return "somebody has to look at it", k.disarm(ctx, pr, "somebody has to look at it")
	case state == branch.Head && known.Asked:
		return "", nil // whatever somebody made of it since
	}
	return k.arm(ctx, forger, pr, branch.Head)
}

// seen notes that a branch's automerge is seen to in this run.
func (k *keeper) seen(branch string) {
	if k.tended == nil {
		k.tended = map[string]bool{}
	}
	k.tended[branch] = true
}

// arm asks the forge, and notes what it said.
func (k *keeper) arm(ctx context.Context, forger Automerger, pr forge.PullRequest, head string) (why string, err error) {
	if err := k.keep(ctx, pr.Head, decided{Head: head, Asked: true}); err != nil {
		return "", err
	}
	err = forger.Automerge(ctx, k.repo, pr.Number, head)
	refusal := (*forge.AutomergeError)(nil)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return "", k.keep(ctx, pr.Head, decided{Head: head})
	case errors.As(err, &refusal):
		if err := k.keep(ctx, pr.Head, decided{Head: head}); err != nil {
			return "", err
		}
		k.Log.Info("automerge refused", "repo", k.repo.String(), "pr", pr.Number, "reason", refusal.Reason)
		return refusal.Reason, k.note(ctx, pr, automergeOff, refresh.Inline(refusal.Reason))
	case err != nil:
		return "", err
	}
	return "", k.note(ctx, pr, head, "")
}

// note has a pull request's text say what the forge was asked.
func (k *keeper) note(ctx context.Context, pr forge.PullRequest, state, reason string) error {
	body := withAutomerge(pr.Body, state, reason)
	if body == pr.Body {
		return nil
	}
	edited, err := k.forge.EditPullRequest(ctx, k.repo, pr.Number, forge.Edit{Body: body})
	if err != nil {
		return err
	}
	if kept, is := k.open[pr.Head]; is {
		kept.Body = edited.Body
		k.open[pr.Head] = kept
	}
	return nil
}

// disarm takes back what the forge was asked, if it was, and notes why.
func (k *keeper) disarm(ctx context.Context, pr forge.PullRequest, reason string) error {
	if k.armed(ctx, pr) {
		if err := k.cancel(ctx, pr); err != nil {
			return err
		}
	}
	return k.note(ctx, pr, automergeOff, reason)
}

func (k *keeper) cancel(ctx context.Context, pr forge.PullRequest) error {
	forger, is := k.forge.(Automerger)
	if !is {
		return nil
	}
	err := forger.CancelAutomerge(ctx, k.repo, pr.Number)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	known := k.recall(ctx, pr.Head)
	if !known.Asked {
		return nil
	}
	known.Asked = false
	return k.keep(ctx, pr.Head, known)
}

// disarmHeld takes back at once what the forge was asked about the pull requests
// of some branches, since what they are about is held.
func (s *session) disarmHeld(ctx context.Context, branches []string, what string) error {
	open, err := s.at.forge.OpenPullRequests(ctx, s.repo)
	if err != nil {
		return err
	}
	k := keeper{Bot: s.Bot, forge: s.at.forge, repo: s.repo, mine: func(branch string) bool { return slices.Contains(branches, branch) }}
	var failures []error
	for _, pr := range open {
		if k.ours(pr) && k.armed(ctx, pr) {
			failures = append(failures, k.disarm(ctx, pr, refresh.Code(what)+" is held"))
		}
	}
	return errors.Join(failures...)
}

// disarmRest disarms pull requests that nothing was proposed for in this run:
// what they are about is held, or waits.
func (k *keeper) disarmRest(ctx context.Context, wanted func(branch string) bool) error {
	var failures []error
	for branch, pr := range k.open {
		if k.mine(branch) && wanted(branch) && !k.tended[branch] && k.armed(ctx, pr) {
			failures = append(failures, k.disarm(ctx, pr, "what it is about is held, or waits for something else"))
		}
	}
	return errors.Join(failures...)
}

// disarmAll disarms the pull requests of branches that nothing is proposed for;
// reason is Markdown.
func (v *visit) disarmAll(ctx context.Context, mine func(branch string) bool, reason string) error {
	if err := v.look(ctx); err != nil {
		return err
	}
	k := v.keeper(mine, config.Refresh{})
	var failures []error
	for branch, pr := range k.open {
		if mine(branch) && k.armed(ctx, pr) {
			failures = append(failures, k.disarm(ctx, pr, reason))
		}
	}
	return errors.Join(failures...)
}
