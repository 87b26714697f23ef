package bot

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
)

// answer is what is said to one command.
type answer struct {
	text    string // Markdown; "" when the reaction says enough
	refused bool   // refused, or failed
}

// maxReply is how long a reply may be, in bytes.
const maxReply = 50_000

// replyPattern matches the last line of a reply: which comment it answers, and
// how that ended.
var replyPattern = regexp.MustCompile(`(?:^|\n)<!-- odyssey reply=([0-9]+) (done|confused) -->\s*$`)

func replyMark(comment int64, refused bool) string {
	end := "done"
	if refused {
		end = "confused"
	}
	return fmt.Sprintf("<!-- odyssey reply=%d %s -->", comment, end)
}

// findReply returns the bot's reply to a comment; its ID is 0 when there is
// none. Nobody else's counts, whatever it says.
func (s *session) findReply(ctx context.Context, t *talk) (found forge.Comment, refused bool, err error) {
	all, err := s.at.forge.Comments(ctx, s.repo, t.Number)
	if err != nil {
		return found, false, err
	}
	for _, c := range all {
		parts := replyPattern.FindStringSubmatch(c.Body)
		if c.Author == s.repo.Account && parts != nil && parts[1] == fmt.Sprint(t.ID) {
			return c, parts[2] == "confused", nil
		}
	}
	return found, false, nil
}

// finish takes up a comment that an earlier attempt replied to: nothing is left
// but the last reaction.
func (s *session) finish(ctx context.Context, t *talk) (finished bool, err error) {
	found, refused, err := s.findReply(ctx, t)
	if err != nil || found.ID == 0 {
		return false, err
	}
	return true, s.conclude(ctx, t, refused)
}

// reply says what came of a comment's commands: by a reaction, and by one
// comment if there is more to say. One that an earlier attempt left is edited.
func (s *session) reply(ctx context.Context, t *talk, answers []answer) error {
	var parts []string
	refused := false
	for _, a := range answers {
		refused = refused || a.refused
		if a.text != "" {
			parts = append(parts, a.text)
		}
	}
	if len(parts) > 0 {
		text := strings.Join(parts, "\n\n")
		if len(text) > maxReply {
			text = strings.ToValidUTF8(text[:maxReply], "") + "…"
		}
		text += "\n\n"
		if t.seen != "" {
			text += headMark(t.seen)
		}
		text += replyMark(t.ID, refused)
		found, _, err := s.findReply(ctx, t)
		switch {
		case err != nil:
			return err
		case found.ID == 0:
			_, err = s.at.forge.AddComment(ctx, s.repo, t.Number, text)
		case found.Body != text:
			err = s.at.forge.EditComment(ctx, s.repo, found.ID, text)
		}
		if err != nil {
			return err
		}
	}
	return s.conclude(ctx, t, refused)
}

// conclude sets the last reaction, which says that the comment is treated. The
// first one stays.
func (s *session) conclude(ctx context.Context, t *talk, refused bool) error {
	end := forge.Done
	if refused {
		end = forge.Confused
	}
	return s.at.forge.React(ctx, s.repo, t.ID, end)
}
