package bot

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// bound says why a command is not for what the pull request is now, "" when it
// is. Somebody's push after the comment was written voids it. The bot's own
// commits do not: they replace nothing of anybody's.
//
// Where the event did not say at which head the comment was written, the forge
// is asked since when the present one is there. What it cannot tell is settled
// by a second comment, after the bot's word of what it sees.
func (s *session) bound(ctx context.Context, t *talk) (refusal string, err error) {
	if t.pull == nil || t.pull.State != forge.Open || t.branch.Head != "" && s.ownPull(t) && s.Bot.own(t.branch) {
		return "", nil
	}
	return s.boundTo(ctx, t)
}

// boundTo is bound, for a word that is about what the bot itself has pushed.
func (s *session) boundTo(ctx context.Context, t *talk) (refusal string, err error) {
	const moved = "somebody has pushed to this pull request since you wrote this. Look at it, and say it again."
	now := cmp.Or(t.branch.Head, t.pull.HeadSHA)
	switch t.head {
	case now:
		return "", nil
	case "":
	default:
		return moved, nil
	}
	limited := (*forge.RateLimitError)(nil)
	since, err := s.at.forge.HeadSince(ctx, s.repo, t.Number, now)
	switch {
	case errors.Is(err, forge.ErrTransient) && !errors.As(err, &limited) && s.attempt >= patience:
		s.at.log.Warn("head not told", "pr", t.Number, "sha", now, "err", err)
	case err != nil:
		return "", err
	case since.IsZero():
	case since.Before(t.Created):
		return "", nil
	default:
		return moved, nil
	}
	if told, err := s.hasSaid(ctx, t, now); told || err != nil {
		return "", err
	}
	t.seen = now
	return "the forge does not tell me what this pull request was when you wrote this. It is at `" + now + "` now: look at it, and say it again.", nil
}

// headPattern matches the end of a reply that says at which head the pull
// request was.
var headPattern = regexp.MustCompile(`\n<!-- odyssey head=([0-9a-f]{40,64}) -->\n<!-- odyssey reply=[0-9]+ confused -->\s*$`)

// headMark is what headPattern finds, up to the reply's own mark.
func headMark(head string) string { return "<!-- odyssey head=" + head + " -->\n" }

// hasSaid reports whether the bot had said, before a comment was written, that
// it sees a head. Nobody else's word counts.
func (s *session) hasSaid(ctx context.Context, t *talk, head string) (bool, error) {
	all, err := s.at.forge.Comments(ctx, s.repo, t.Number)
	if err != nil {
		return false, err
	}
	for _, c := range all {
		parts := headPattern.FindStringSubmatch(strings.ReplaceAll(c.Body, "\r\n", "\n"))
		if c.Author == s.repo.Account && parts != nil && parts[1] == head && c.Updated.Before(t.Created) {
			return true, nil
		}
	}
	return false, nil
}

// ownPull reports whether the comment is on a pull request that the bot made.
func (s *session) ownPull(t *talk) bool {
	return t.pull != nil && !t.pull.FromFork && t.pull.Author == s.repo.Account && strings.HasPrefix(t.pull.Head, refresh.BranchPrefix)
}
