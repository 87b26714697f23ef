package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/bot/command"
	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// acceptance is somebody's word for what a bundle brings. The text of the bot's own
// pull request or issue in the mirror remembers which comment it was, and which of
// the bot's took it, and nothing more: people may edit that text, but only the one
// comment is somebody's word, and only the other says what it was about.
type acceptance struct {
	What    string `json:"what"`    // refresh.Removals or refresh.Drift
	Bundle  string `json:"bundle"`  // SHA-256
	Comment int64  `json:"comment"` // its id
	Receipt int64  `json:"receipt"` // id of the bot's comment that took it
	By      string `json:"-"`       // login
	URL     string `json:"-"`
}

// receipt is the whole comment that takes somebody's word. It is never edited.
func (a acceptance) receipt() string {
	return fmt.Sprintf("Accepted: the %s of the bundle with the SHA-256 %#q, and of no other.\n\n<!-- odyssey receipt=%d -->", a.What, a.Bundle, a.Comment)
}

type acceptances []acceptance

// of returns the newest acceptance of something; zero if there is none.
func (all acceptances) of(what string) (found acceptance) {
	for _, a := range all {
		if a.What == what {
			found = a
		}
	}
	return found
}

// only are those for a bundle.
func (all acceptances) only(bundle string) acceptances {
	return slices.DeleteFunc(slices.Clone(all), func(a acceptance) bool { return a.Bundle != bundle })
}

// with adds an acceptance in the place of one that it replaces.
func (all acceptances) with(a acceptance) acceptances {
	return append(slices.DeleteFunc(slices.Clone(all), func(old acceptance) bool { return old.What == a.What }), a)
}

// The mark of what a pull request or an issue is about: a bundle, and what of it
// was accepted.
var bundlePattern = regexp.MustCompile(`(?m)^<!-- odyssey bundle=([0-9a-f]{64}) accepted=(\[.*\]) -->\r?$`)

// mark is what bundlePattern matches.
func (all acceptances) mark(bundle string) string {
	if all == nil {
		all = acceptances{}
	}
	data, err := json.Marshal(all) // in which Go writes no < or >
	if err != nil || len(data) > maxMark {
		data = []byte("[]")
	}
	return "\n<!-- odyssey bundle=" + bundle + " accepted=" + string(data) + " -->"
}

// readBundle reads what mark wrote; bundle is "" if there is none.
func readBundle(body string) (bundle string, all acceptances) {
	found := bundlePattern.FindAllStringSubmatch(body, -1)
	if len(found) == 0 {
		return "", nil
	}
	last := found[len(found)-1] // the bot writes it last
	if len(last[2]) > maxMark || json.Unmarshal([]byte(last[2]), &all) != nil {
		return last[1], nil
	}
	return last[1], slices.DeleteFunc(all, func(a acceptance) bool {
		return a.Bundle != last[1] || a.What != refresh.Removals && a.What != refresh.Drift
	})
}

// accepted reads what was accepted in the mirror, as far as it still counts.
func (i *importer) accepted(ctx context.Context) (all acceptances, err error) {
	add := func(body string, place int64, onPull bool) error {
		_, found := readBundle(body)
		for _, what := range []string{refresh.Removals, refresh.Drift} {
			a := found.of(what)
			if a.Comment == 0 || a.Receipt == 0 {
				continue
			}
			said, err := i.word(ctx, a, place, onPull)
			if err != nil {
				return err
			}
			if said != nil {
				a.By, a.URL = said.Author, said.URL
				all = all.with(a)
			}
		}
		return nil
	}
	if pr, isOpen := i.keeper.open[i.request.Branch]; isOpen {
		if err := add(pr.Body, pr.Number, true); err != nil {
			return nil, err
		}
	}
	for _, issue := range i.issues {
		if tellsStop(issue) {
			if err := add(issue.Body, issue.Number, false); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// word returns the comment that an acceptance stands on; nil when there is none, it
// says something else, or its author may not say it now. Drift that a pull request
// tells of was accepted in an issue before.
func (i *importer) word(ctx context.Context, a acceptance, place int64, onPull bool) (*forge.Comment, error) {
	said, err := i.keeper.forge.Comment(ctx, i.keeper.repo, a.Comment)
	if errors.Is(err, forge.ErrNotFound) {
		return nil, nil //nolint:nilnil // there is none, and no fault
	}
	if err != nil {
		return nil, err
	}
	fits := said.Number == place
	if onPull && a.What == refresh.Drift {
		fits = !said.OnPull
	}
	says := slices.ContainsFunc(command.Parse(said.Body), func(c command.Command) bool {
		return c.Fault == "" && c.Word == command.Accept && c.Kind == a.What
	})
	if !fits || !says || said.Edited() || said.Bot || strings.EqualFold(said.Author, i.keeper.repo.Account) {
		return nil, nil //nolint:nilnil // as above
	}
	if taken, err := i.taken(ctx, a, said.Number); !taken || err != nil {
		return nil, err
	}
	if may, err := i.may(ctx, said.Author); !may || err != nil {
		return nil, err
	}
	return &said, nil
}

// taken reports whether the bot took an acceptance for the bundle that it names.
func (i *importer) taken(ctx context.Context, a acceptance, place int64) (bool, error) {
	receipt, err := i.keeper.forge.Comment(ctx, i.keeper.repo, a.Receipt)
	if errors.Is(err, forge.ErrNotFound) {
		return false, nil
	}
	return err == nil && receipt.Number == place && !receipt.Edited() && a.isReceipt(i.keeper.repo, receipt), err
}

// isReceipt reports whether a comment is the bot's that took an acceptance.
func (a acceptance) isReceipt(repo forge.Repo, c forge.Comment) bool {
	return strings.EqualFold(c.Author, repo.Account) && strings.TrimSpace(normal(c.Body)) == a.receipt()
}

// may reports whether somebody may give commands in the mirror, by its policy.
func (i *importer) may(ctx context.Context, login string) (bool, error) {
	may, err := i.keeper.forge.Permission(ctx, i.keeper.repo, login)
	if errors.Is(err, forge.ErrUnauthorized) {
		i.keeper.Log.Error("permission not told", "repo", i.keeper.repo.String(), "err", err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	data, err := i.keeper.forge.File(ctx, i.keeper.repo, i.policyBranch, refresh.ConfigFile)
	if faults, others := faultsOf(err); errors.Is(err, forge.ErrNotFound) || len(faults) > 0 && !others {
		data, err = nil, nil
	}
	if err != nil {
		return false, err
	}
	policy, err := config.ParseRepo(refresh.ConfigFile, data)
	if err != nil {
		policy = config.DefaultRepo() // as when the comment was obeyed
	}
	return policy.Commands.Enabled && policy.Commands.Allow.May(login, may >= forge.MayWrite, may >= forge.MayAdminister), nil
}

// accept takes somebody's word for the removals or the drift of the bundle that a
// pull request or an issue of the bot's in a mirror is about, and imports it.
func (s *session) accept(ctx context.Context, t *talk, c command.Command) (answer, error) {
	m := s.mirrorHere()
	if m == nil {
		return answer{"there is nothing to accept here: this is no mirror of Enterprise that I fill.", true}, nil
	}
	var bundle string
	var known acceptances
	var save func(body string) error
	var body string
	switch {
	case s.ownImport(t) && t.pull.State == forge.Open:
		if c.Kind != command.Removals {
			return answer{"drift is accepted in the issue that tells of it, before there is a pull request.", true}, nil
		}
		if refusal, err := s.boundTo(ctx, t); refusal != "" || err != nil {
			return answer{refusal, true}, err
		}
		body = t.pull.Body
		save = func(body string) error {
			_, err := s.at.forge.EditPullRequest(ctx, s.repo, t.pull.Number, forge.Edit{Body: body})
			return err
		}
	default:
		issue, err := s.stopIssue(ctx, t)
		if err != nil {
			return answer{}, err
		}
		if issue == nil || c.Kind != command.Drift {
			return answer{"removals are accepted in my open pull request with a bundle, and drift in my open issue about one; this is neither.", true}, nil
		}
		body = issue.Body
		save = func(body string) error {
			_, err := s.at.forge.EditIssue(ctx, s.repo, issue.Number, forge.Edit{Body: body})
			return err
		}
	}
	if bundle, known = readBundle(body); bundle == "" {
		return answer{"I do not see any more which bundle this is about. `/refresh enterprise` in " + refresh.Code(m.For.String()) + " makes it anew.", true}, nil
	}
	word := acceptance{What: c.Kind, Bundle: bundle, Comment: t.ID}
	receipt, err := s.take(ctx, t, word)
	if err != nil {
		return answer{}, err
	}
	word.Receipt = receipt
	next := known.with(word)
	if err := save(bundlePattern.ReplaceAllLiteralString(body, strings.TrimPrefix(next.mark(bundle), "\n"))); err != nil {
		return answer{}, err
	}
	return s.importInto(ctx, t, m, bundle)
}

// take takes somebody's word by a comment, unless an earlier attempt has: its id.
func (s *session) take(ctx context.Context, t *talk, word acceptance) (int64, error) {
	all, err := s.at.forge.Comments(ctx, s.repo, t.Number)
	if err != nil {
		return 0, err
	}
	for _, c := range all {
		if word.isReceipt(s.repo, c) && !c.Edited() {
			return c.ID, nil
		}
	}
	made, err := s.at.forge.AddComment(ctx, s.repo, t.Number, word.receipt())
	return made.ID, err
}

// mirrorHere is the mirror that the session's repository is, or nil.
func (s *session) mirrorHere() *Mirror { return s.Bot.mirrorAt(s.at.forge, s.repo.Name) }

// ownImport reports whether a comment is on the bot's pull request of an import.
func (s *session) ownImport(t *talk) bool {
	return s.ownPull(t) && refresh.KindOf(t.pull.Head) == refresh.Enterprise
}

// stopIssue is the issue that a comment is on, if it is the bot's own, open, and
// about a bundle that is not imported.
func (s *session) stopIssue(ctx context.Context, t *talk) (*forge.Issue, error) {
	own, err := ownIssues(ctx, s.at.forge, s.repo)
	if err != nil {
		return nil, err
	}
	for i := range own {
		if own[i].Number == t.Number && tellsStop(own[i]) {
			return &own[i], nil
		}
	}
	return nil, nil //nolint:nilnil // there is none, and no fault
}

// importInto imports a bundle into a mirror, the newest one if none is named, for
// the repository that the mirror is kept for.
func (s *session) importInto(ctx context.Context, t *talk, m *Mirror, bundle string) (answer, error) {
	at := s.at
	at.subject, at.name = m.Subject, m.For
	done, err := s.run(ctx, at, Demand{Kinds: []refresh.Kind{refresh.Enterprise}, All: true, Foreign: true, Bundle: bundle})
	s.outcomes = append(s.outcomes, done.outcomes...)
	if err != nil {
		return answer{}, err
	}
	text, refused := outcomesInWords(t, done.outcomes)
	return answer{text, refused}, nil
}
