package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// Checker is a forge that shows beside a commit what came of a run over it.
// errors.ErrUnsupported: not for this account.
type Checker interface {
	Check(ctx context.Context, repo forge.Repo, c forge.Check) error
}

const (
	checkName    = "odyssey"
	maxCheckRows = 50
)

// check shows what came of a run beside the commit that it read, where the
// forge has checks, under a name; asker is whose comments asked for it, "" when none did. It
// says nothing in repositories that the bot has no part in, and of what is tried
// again. That it cannot is logged: the work is done.
func check(ctx context.Context, at place, name string, done result, failure error, asker string) {
	if done.head == "" || done.state != nil && done.state.Idle != "" {
		return
	}
	c := forge.Check{Name: name, Head: done.head}
	switch faults, others := faultsOf(failure); {
	case others:
		return
	case len(faults) > 0:
		c.Conclusion, c.Title = forge.Failed, "Files of this repository need mending"
		c.Summary = "- " + strings.Join(describeFaults(faults), "\n- ") + "\n"
	default:
		c.Conclusion, c.Title, c.Summary = conclude(done)
		if len(done.lost) > 0 {
			c.Conclusion, c.Title = forge.Failed, "Some merges are not to be found upstream"
			c.Summary += "\n- " + strings.Join(describeFaults(done.lost), "\n- ") + "\n"
		}
	}
	if asker != "" {
		c.Summary += "\nAsked for by a comment of " + refresh.Code(asker) + ".\n"
	}
	if err := at.forge.Check(ctx, done.repo, c); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		at.log.Warn("check not shown", "sha", done.head, "err", err)
	}
}

// conclude says how a run ended that nothing failed in: neutrally when there
// was nothing that it had to do.
func conclude(done result) (end forge.Conclusion, title, summary string) {
	if done.idle != "" {
		return forge.Neutral, "Nothing to do", sentence(done.idle) + "\n"
	}
	changed := 0
	var rows []string
	for _, o := range done.outcomes {
		if o.Action.Changed() {
			changed++
		}
		rows = append(rows, row(o))
	}
	if more := len(rows) - maxCheckRows; more > 0 {
		rows = append(rows[:maxCheckRows], fmt.Sprintf("- … and %d more", more))
	}
	summary = strings.Join(rows, "\n") + "\n"
	if changed == 0 {
		return forge.Neutral, "Nothing to do", summary
	}
	title = "One pull request changed"
	if changed > 1 {
		title = fmt.Sprintf("%d pull requests changed", changed)
	}
	return forge.Succeeded, title, summary
}

// check shows what came of all runs that the session's comments asked for.
func (s *session) check(ctx context.Context) {
	done := s.judge
	done.outcomes, done.idle = nil, ""
	for _, o := range s.outcomes {
		if o.Action != Idle {
			done.outcomes = append(done.outcomes, o)
		}
	}
	if len(done.outcomes) == 0 {
		done.idle = cmp.Or(s.judge.idle, "nothing that was asked for has changed")
	}
	check(ctx, s.at, checkName, done, s.broken, strings.Join(slices.Compact(s.trigger), ", "))
}

// row is what became of one group, as an item of a list.
func row(o Outcome) string {
	text := "- " + refresh.Code(o.Group) + ": " + string(o.Action)
	if o.URL != "" {
		text += ", [" + refresh.Inline(o.Title) + "](" + o.URL + ")"
	}
	if o.Reason != "" {
		text += "; " + refresh.Inline(o.Reason)
	}
	return text
}

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	return refresh.Inline(strings.ToUpper(text[:1])+text[1:]) + "."
}
