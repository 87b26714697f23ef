package bot

import (
	"context"
	"encoding/json"

	"github.com/nuobit/odyssey/internal/bot/command"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/near"
	"github.com/nuobit/odyssey/internal/refresh"
)

func (s *session) hold(ctx context.Context, t *talk, c command.Command) (answer, error) {
	held, err := s.held(ctx)
	if err != nil {
		return answer{}, err
	}
	what, branches, refusal, err := s.meant(c)
	if err != nil || refusal != "" {
		return answer{refusal, true}, err
	}
	if one, is := held.of(what); is {
		err := s.disarmHeld(ctx, branches, what.name()) // which an earlier attempt may not have come to
		if one.URL == t.URL || err != nil {
			return answer{}, err
		}
		return answer{"it is " + refresh.Inline(one.String()) + ".", false}, nil
	}
	what.By, what.URL, what.Since = t.Author, t.URL, s.Bot.Now().UTC()
	if err := s.write(ctx, held, append(held.all, what)); err != nil {
		return answer{}, err
	}
	s.noteKind(ctx, what, what.String())
	return answer{}, s.disarmHeld(ctx, branches, what.name())
}

// meant finds what a command holds, and the branches of its pull requests; or why
// it cannot be held.
func (s *session) meant(c command.Command) (what hold, branches []string, refusal string, err error) {
	if c.Kind != "" {
		kind := refresh.Kind(c.Kind)
		switch {
		case !s.makes(kind):
			refusal = "this bot makes no `" + c.Kind + "` refreshes."
		case s.mirrorHere() != nil:
			refusal = "say that in the repository that this mirror is kept for, " + refresh.Code(s.mirrorHere().For.String()) + "."
		}
		return hold{Kind: c.Kind}, []string{refresh.BranchPrefix + c.Kind}, refusal, nil
	}
	repos, err := s.declared()
	if err != nil {
		return hold{}, nil, "", err
	}
	dest := repos.Find(c.Dest)
	if dest == nil {
		return hold{}, nil, "", &lock.NameError{Kind: "destination", Name: c.Dest, Near: near.Names(c.Dest, repos.Paths()), All: repos.Paths()}
	}
	return hold{Dest: dest.Path}, refresh.BranchesOf(s.policy.Merges.Group, repos, dest.Path), "", nil
}

func (s *session) unhold(ctx context.Context, t *talk, c command.Command) (answer, error) {
	held, err := s.held(ctx)
	if err != nil {
		return answer{}, err
	}
	what := hold{Dest: c.Dest, Kind: c.Kind}
	if _, is := held.of(what); !is {
		if repos, err := s.declared(); t.taken && err == nil && (c.Kind != "" || repos.Find(c.Dest) != nil) { // by an earlier attempt
			return answer{}, nil
		}
		all := held.names()
		if len(all) == 0 {
			return answer{"nothing is held here.", true}, nil
		}
		return answer{"it is not held." + nearAndAll(near.Names(what.name(), all), all), true}, nil
	}
	if err := s.write(ctx, held, held.without(what)); err != nil {
		return answer{}, err
	}
	s.noteKind(ctx, what, "")
	return answer{}, nil
}

// noteKind notes in the report of a kind, of which the dashboard is made, whether
// it is held.
func (s *session) noteKind(ctx context.Context, what hold, held string) {
	if what.Kind == "" || s.Reports == nil {
		return
	}
	report := Report{Subject: s.at.subject, Forge: s.at.forgeName, Repo: s.at.name.String(), WebURL: s.repo.WebURL, Kind: what.Kind, Started: s.started, Finished: s.Bot.Now()}
	if data, err := s.Reports.Get(ctx, ReportBucket, ReportKey(s.at.subject, what.Kind)); err == nil && data != nil {
		_ = json.Unmarshal(data, &report) // what it is not is written anew
	}
	report.Held = held
	if held == "" {
		report.Outcomes, report.Idle = nil, "the next run looks at it"
	}
	s.put(ctx, report)
}
