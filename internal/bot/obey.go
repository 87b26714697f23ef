package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/bot/command"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
)

// After so many attempts people are told that it failed: they wait for a word.
const (
	patience = 3 // when it may pass
	doubt    = 3 // when nobody knows why
)

// obey does a comment's commands in their order, and says what came of each.
func (s *session) obey(ctx context.Context, t *talk, all []command.Command) error {
	answers, err := s.answers(ctx, t, all)
	if err != nil {
		return err
	}
	return s.reply(ctx, t, answers)
}

// answers does commands in their order, and returns what came of each.
func (s *session) answers(ctx context.Context, t *talk, all []command.Command) (answers []answer, err error) {
	for _, c := range all {
		s.taken = append(s.taken, c.Line)
		a, err := s.do(ctx, t, c)
		if err != nil {
			if a, err = s.failure(err); err != nil {
				return answers, err
			}
		}
		s.at.log.Info("command obeyed", "by", t.Author, "command", c.Line, "refused", a.refused)
		switch {
		case strings.HasPrefix(a.text, "\n"): // a list
			a.text = quote(c.Line) + ":" + a.text
		case a.text != "":
			a.text = quote(c.Line) + " — " + a.text
		}
		answers = append(answers, a)
	}
	return answers, nil
}

// quote shows a command as it was written, at the start of a line: where three
// backticks would look like a fence.
func quote(line string) string {
	if strings.Contains(line, "``") {
		return refresh.Inline(line)
	}
	return refresh.Code(line)
}

// failure turns an error into an answer, or returns it when the job is to be
// tried again.
func (s *session) failure(err error) (answer, error) {
	var unknown *lock.NameError
	var cannot *RefusedError
	switch {
	case errors.As(err, &unknown):
		return answer{unknownName(unknown), true}, nil
	case errors.As(err, &cannot):
		return answer{cannot.Reason, true}, nil
	}
	switch classify(err) {
	case userFault:
		faults, _ := faultsOf(err)
		return answer{"this must be mended first:\n- " + strings.Join(describeFaults(faults), "\n- "), true}, nil
	case passing:
		if s.attempt < patience || errors.Is(err, forge.ErrTransient) {
			return answer{}, err
		}
		return answer{"an upstream does not answer; say it again later. " + refresh.Inline(publicly(err)), true}, nil
	case refused:
		s.at.log.Error("command refused by the forge", "err", err)
		return answer{"the forge does not let me; that is for the operator of this bot to mend.", true}, nil
	case unexpected:
		if s.attempt < doubt {
			return answer{}, err
		}
		s.at.log.Error("command failed", "err", err)
		return answer{"this failed for a reason inside of me; the operator's log says more.", true}, nil
	}
	return answer{}, err
}

// do does one command.
func (s *session) do(ctx context.Context, t *talk, c command.Command) (answer, error) {
	if c.Fault != "" {
		return answer{c.Fault, true}, nil
	}
	if c.Word == command.Refresh || c.Word == command.Rebase {
		if refusal, err := s.bound(ctx, t); refusal != "" || err != nil {
			return answer{refusal, true}, err
		}
	}
	switch c.Word {
	case command.Refresh:
		return s.refresh(ctx, t, c)
	case command.Rebase:
		return s.rebase(ctx, t)
	case command.Hold:
		return s.hold(ctx, t, c)
	case command.Unhold:
		return s.unhold(ctx, t, c)
	case command.Accept:
		return s.accept(ctx, t, c)
	}
	return s.help(), nil
}

func (s *session) refresh(ctx context.Context, t *talk, c command.Command) (answer, error) {
	if m := s.mirrorHere(); m != nil && (c.Kind == command.Enterprise || c.Kind == "" && c.Dest == "" && s.ownImport(t)) {
		return s.importInto(ctx, t, m, "")
	}
	var d Demand
	switch {
	case c.Kind != "" && c.Kind != command.All && !s.makes(refresh.Kind(c.Kind)):
		return answer{"this bot makes no `" + c.Kind + "` refreshes.", true}, nil
	case c.Kind != "" && c.Kind != command.All:
		d.Kinds, d.All = []refresh.Kind{refresh.Kind(c.Kind)}, true
	case c.Remote != "" || c.To != "":
		d.Choices = []refresh.Choice{{Dest: c.Dest, Remote: c.Remote, Ref: c.Ref, To: c.To, By: t.Author, URL: t.URL}}
	case c.Dest != "":
		d.Destinations = []string{c.Dest}
	case c.Kind == "" && s.ownPull(t) && t.pull.Head == refresh.SyncBranch: // is about all of them
		d.Kinds, d.All = []refresh.Kind{refresh.Merges}, true
	case c.Kind == "" && s.ownPull(t) && refresh.KindOf(t.pull.Head) != "":
		d.Branch = t.pull.Head
	default:
		d.All = true
	}
	return s.demand(ctx, t, d)
}

// makes reports whether the bot makes refreshes of a kind.
func (s *session) makes(kind refresh.Kind) bool { return slices.Contains(s.Bot.Kinds(), kind) }

func (s *session) rebase(ctx context.Context, t *talk) (answer, error) {
	switch {
	case !s.ownPull(t):
		return answer{"I make only my own pull requests anew.", true}, nil
	case t.pull.State != forge.Open:
		return answer{"this pull request is " + string(t.pull.State) + ".", true}, nil
	case t.branch.Head != "" && !s.Bot.own(t.branch):
		return answer{"somebody pushed to `" + t.pull.Head + "`, and I leave that alone. Delete the branch to hand it back.", true}, nil
	}
	if m := s.mirrorHere(); m != nil && s.ownImport(t) {
		bundle, _ := readBundle(t.pull.Body)
		return s.importInto(ctx, t, m, bundle)
	}
	return s.demand(ctx, t, Demand{Branch: t.pull.Head, Rebase: true})
}

// demand runs, and says what came of it.
func (s *session) demand(ctx context.Context, t *talk, d Demand) (answer, error) {
	done, err := s.run(ctx, s.at, d)
	s.ran, s.outcomes = s.ran || done.policy != nil, append(s.outcomes, done.outcomes...)
	if done.state != nil {
		s.last = done
	} else if done.open != nil {
		s.last.open = done.open
	}
	switch class := classify(err); {
	case !d.aboutMerges(): // what is shown beside the commit is about the merges
	case class == fine:
		s.judged, s.fault, s.broken, s.judge = s.judged || done.state != nil, "", nil, done
	case class == userFault:
		s.judged, s.fault, s.broken, s.judge = true, publicly(err), err, done
	}
	url, told := s.tell(ctx, s.at, &done)
	if told != nil {
		return answer{}, told
	}
	if err = errors.Join(err, done.passing); err != nil {
		a, failed := s.failure(err)
		if failed == nil && url != "" {
			a.text += "\n\n" + refresh.Link("The issue about it", url) + " says when it is."
		}
		done, _ := outcomesInWords(t, done.outcomes)
		if done != "" && failed == nil {
			a.text = done + "\n\n" + a.text
		}
		return a, failed
	}
	text, refused := outcomesInWords(t, done.outcomes)
	return answer{text, refused}, nil
}

// outcomesInWords says what came of a run, but for what everybody sees who
// reads the comment. It reports whether nothing could be done.
func outcomesInWords(t *talk, outcomes []Outcome) (text string, refused bool) {
	var lines []string
	for _, o := range outcomes {
		here := t.pull != nil && o.URL != "" && o.URL == t.pull.URL
		link := refresh.Link(refresh.Inline(strings.ReplaceAll(o.Title, "`", "")), o.URL)
		group := refresh.Code(o.Group)
		reason := refresh.Inline(o.Reason)
		switch o.Action {
		case Idle:
			lines = append(lines, "nothing to do: "+reason+".")
		case Held:
			refused = true
			lines = append(lines, group+" stays as it is: "+reason+".")
		case Waiting:
			if o.URL != "" {
				reason += ", " + link
			}
			lines = append(lines, group+": "+reason+".")
		case Unchanged:
			if here {
				link = "this pull request"
			}
			lines = append(lines, group+": "+link+" is up to date.")
		case Closed:
			if !here {
				lines = append(lines, group+": closed "+link+": "+reason+".")
			}
		default:
			if !here {
				lines = append(lines, group+": "+string(o.Action)+" "+link+".")
			}
		}
	}
	if len(lines) > 1 {
		return "\n- " + strings.Join(lines, "\n- "), refused
	}
	return strings.Join(lines, ""), refused
}

// declared reads the destinations of repos.yaml without asking any upstream.
func (s *session) declared() (*lock.File, error) {
	return lock.Parse(refresh.ReposFile, s.snapshot.Files[refresh.ReposFile], s.Bot.URLs)
}

// write writes what is held from now on.
func (s *session) write(ctx context.Context, before holds, all []hold) error {
	if err := before.write(ctx, s.at.forge, s.repo, all); err != nil {
		return err
	}
	s.now = &holds{all: all}
	return nil
}

// held reads what is held now: another comment may just have changed it.
func (s *session) held(ctx context.Context) (holds, error) {
	own, err := ownIssues(ctx, s.at.forge, s.repo)
	return readHolds(own), err
}

// help prints the commands, with this repository's destinations.
func (s *session) help() answer {
	var b strings.Builder
	b.WriteString("one command a line, at its start, from " + s.obeyed() + ":\n")
	for _, line := range command.Grammar() {
		fmt.Fprintf(&b, "\n- `%s`: %s", line[0], line[1])
	}
	if repos, err := s.declared(); err == nil && len(repos.Paths()) > 0 {
		b.WriteString("\n\nDestinations: " + codes(repos.Paths()) + ".")
	}
	return answer{text: b.String()}
}

func unknownName(e *lock.NameError) string {
	return "there is no " + refresh.Code(e.Name) + " here." + nearAndAll(e.Near, e.All)
}

func nearAndAll(nearest, all []string) string {
	text := ""
	if len(nearest) > 0 {
		text = " Near: " + codes(nearest) + "."
	}
	if len(all) > 0 {
		text += " All: " + codes(all) + "."
	}
	return text
}

// maxListed is how many names a reply lists.
const maxListed = 30

func codes(names []string) string {
	shown := slices.Clone(names[:min(len(names), maxListed)])
	for i := range shown {
		shown[i] = refresh.Code(shown[i])
	}
	if more := len(names) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ")
}
