package bot

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/bot/command"
	"github.com/nuobit/odyssey/internal/enterprise/intake"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// acceptance is somebody's word for what a bundle brings. It is remembered in the
// text of the bot's own pull request or issue in the mirror.
type acceptance struct {
	What   string `json:"what"`   // refresh.Removals or refresh.Drift
	Bundle string `json:"bundle"` // SHA-256
	By     string `json:"by"`     // login
	URL    string `json:"url,omitempty"`
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

// accepted reads what was accepted in the mirror.
func (i *importer) accepted() (all acceptances) {
	add := func(body string) {
		_, found := readBundle(body)
		for _, a := range found {
			if !strings.HasPrefix(a.URL, i.keeper.repo.WebURL+"/") {
				a.URL = ""
			}
			all = all.with(a)
		}
	}
	if pr, isOpen := i.keeper.open[i.request.Branch]; isOpen {
		add(pr.Body)
	}
	for _, issue := range i.issues {
		if issue.State == forge.Open && stopPattern.MatchString(issue.Body) {
			add(issue.Body)
		}
	}
	return all
}

const stopMark = "<!-- odyssey enterprise stopped -->"

var stopPattern = regexp.MustCompile(`(?m)^` + stopMark + `\r?$`)

// tell keeps the issue in the mirror that says why a bundle is not imported: one
// for each bundle, so that a word in it is about that one alone.
func (i *importer) tell(ctx context.Context, got *intake.Result, text *refresh.Import) error {
	title, body, url := "", "", ""
	if got.Stop != nil {
		title, body = text.Stopped()
		body += "\n" + stopMark
		if got.SHA256 != "" {
			body += acceptances{}.mark(got.SHA256)
		}
		body += "\n"
	}
	for _, issue := range i.issues {
		if issue.State != forge.Open || !stopPattern.MatchString(issue.Body) {
			continue
		}
		if bundle, _ := readBundle(issue.Body); got.Stop != nil && bundle == got.SHA256 && url == "" {
			url = issue.URL
			if normal(issue.Body) == normal(body) && issue.Title == title {
				continue
			}
			if _, err := i.keeper.forge.EditIssue(ctx, i.keeper.repo, issue.Number, forge.Edit{Title: title, Body: body}); err != nil {
				return err
			}
			continue
		}
		if _, err := i.keeper.forge.EditIssue(ctx, i.keeper.repo, issue.Number, forge.Edit{State: forge.Closed}); err != nil {
			return err
		}
	}
	if got.Stop == nil {
		return nil
	}
	if url == "" {
		made, err := i.keeper.forge.CreateIssue(ctx, i.keeper.repo, forge.NewIssue{Title: title, Body: body})
		if err != nil && !errors.Is(err, forge.ErrNotFound) && !errors.Is(err, forge.ErrConflict) {
			return err // else issues are switched off
		}
		url = made.URL
	}
	i.outcomes = append(i.outcomes, Outcome{
		Repo: i.mirror.Name.String(), Group: string(refresh.Enterprise), Action: Held, URL: url, Title: "nothing is imported", Reason: got.Stop.Reason,
	})
	return nil
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
	next := known.with(acceptance{What: c.Kind, Bundle: bundle, By: t.Author, URL: t.URL})
	if err := save(bundlePattern.ReplaceAllLiteralString(body, strings.TrimPrefix(next.mark(bundle), "\n"))); err != nil {
		return answer{}, err
	}
	return s.importInto(ctx, t, m, bundle)
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
		if own[i].Number == t.Number && own[i].State == forge.Open && stopPattern.MatchString(own[i].Body) {
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
