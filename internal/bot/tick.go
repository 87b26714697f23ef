package bot

import (
	"context"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/bot/command"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// tick obeys the boxes of the dashboard that somebody has ticked, as an event
// told, if he may command and they still are. The boxes are unticked, whatever came of them, and the dashboard
// says what that was when it does not show by itself.
func (s *session) tick(ctx context.Context, told CommentItem) error {
	own, err := ownIssues(ctx, s.at.forge, s.repo)
	if err != nil {
		return err
	}
	issue := openDashboard(own)
	if issue == nil || issue.Number != told.Number {
		return nil
	}
	commands := slices.DeleteFunc(refresh.Ticked(issue.Body, s.dashboard(ctx, s.at, s.policy).Boxes), func(c string) bool {
		return !slices.Contains(told.Ticked, c) || slices.Contains(s.ticked.commands, c)
	})
	if len(commands) == 0 {
		return nil
	}
	s.ticked.commands = append(s.ticked.commands, commands...)
	t := &talk{Comment: forge.Comment{Author: told.Author, URL: issue.URL, Number: issue.Number}}
	if reason, err := s.forbidsTick(ctx, t, told); reason != "" || err != nil {
		s.note(t.Author, commands, reason)
		return err
	}
	s.trigger = append(s.trigger, t.Author)
	answers, err := s.answers(ctx, t, command.Parse(strings.Join(commands, "\n")))
	for _, a := range answers {
		if a.text != "" {
			s.ticked.notes = append(s.ticked.notes, a.text)
		}
	}
	return err
}

// forbidsTick says why a tick is not obeyed, "" when it is.
func (s *session) forbidsTick(ctx context.Context, t *talk, told CommentItem) (string, error) {
	if told.Bot || t.Author == "" {
		return "I take commands only from people.", nil
	}
	return s.forbids(ctx, t, told)
}

// note has the dashboard say why boxes were not obeyed.
func (s *session) note(author string, commands []string, reason string) {
	if reason != "" {
		s.ticked.notes = append(s.ticked.notes, refresh.Code(strings.Join(commands, ", "))+", ticked by "+refresh.Inline(author)+" — "+reason)
	}
}
