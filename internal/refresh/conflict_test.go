package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/test/gitserver"
)

// stacked are upstreams on a server, of a destination with three merges.
type stacked struct {
	srv           *gitserver.Server
	client        *both
	odoo, oca     *gitserver.Repo
	locked, repos string
}

func newUpstream(t *testing.T) *both {
	t.Helper()
	client := git.New(git.Options{Policy: gitname.Operator(false), Environ: os.Environ(), Backoff: time.Millisecond})
	kept, err := client.OpenPartials("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	return &both{asked{client}, kept}
}

// module is a file of an addon with so many lines, some of them changed.
func module(changes map[int]string) string {
	var b strings.Builder
	for i := range 40 {
		line, changed := changes[i]
		if !changed {
			line = fmt.Sprintf("line %d", i)
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

const model = "base_exception/models/base_exception.py"

func newStacked(t *testing.T) *stacked {
	t.Helper()
	s := &stacked{srv: gitserver.New(t), client: newUpstream(t)}
	s.oca, s.odoo = s.srv.Repo(t, "OCA/server-tools"), s.srv.Repo(t, "acme/server-tools")
	s.oca.Commit(t, "17.0", map[string]string{"base_exception/__manifest__.py": "{'name': 'x'}\n", model: module(nil), "README": module(nil)})
	s.odoo.Git(t, "fetch", "--quiet", s.oca.Dir, "17.0:refs/heads/17.0-docs", "17.0:refs/heads/17.0-fix")
	s.odoo.Commit(t, "17.0-fix", map[string]string{model: module(map[int]string{5: "fixed"})})
	s.odoo.Commit(t, "17.0-docs", map[string]string{"README": module(map[int]string{5: "explained"})})
	s.repos = "./oca/server-tools:\n  remotes:\n    oca: " + s.oca.URL + "\n    acme: " + s.odoo.URL + "\n  merges:\n    - oca 17.0\n    - acme 17.0-fix\n    - acme 17.0-docs\n"
	s.relock(t)
	return s
}

// grow puts commits on a branch, each with another number in a file of its own
// beside what is changed in the one at a place.
func (s *stacked) grow(t *testing.T, repo *gitserver.Repo, branch string, n, at int, files map[string]string) (ids []string) {
	t.Helper()
	for i := range n {
		all := map[string]string{"log": fmt.Sprintf("%s %d\n", branch, i)}
		if i == at {
			for path, content := range files {
				all[path] = content
			}
		}
		ids = append(ids, repo.Commit(t, branch, all))
	}
	return ids
}

// settled plans, settles, and describes the first proposal.
func (s *stacked) settled(t *testing.T, config string, r refresh.Rehearser, prepare func(p *refresh.Proposal)) (*refresh.Proposal, refresh.Text) {
	t.Helper()
	plan, err := refresh.Make(t.Context(), refresh.Input{Files: files(config, s.repos, s.locked), URLs: gitname.Operator(false), Jobs: 2, Lookup: s.client})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Proposals) == 0 {
		t.Fatal("nothing is proposed")
	}
	p := &plan.Proposals[0]
	if prepare != nil {
		prepare(p)
	}
	if err := p.Settle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if len(p.Changes) == 0 {
		return p, refresh.Text{}
	}
	text, err := p.Describe(t.Context(), s.client)
	if err != nil {
		t.Fatal(err)
	}
	return p, text
}

func (s *stacked) golden(t *testing.T, name string, text refresh.Text) {
	t.Helper()
	golden(t, name, text.Title+"\n\n"+strings.ReplaceAll(text.Body, s.srv.URL, "https://git.example.org"))
}

// moves are what a proposal proposes, by ref.
func moves(p *refresh.Proposal) map[string]string {
	all := map[string]string{}
	for _, c := range p.Changes {
		all[c.Ref] = c.New
	}
	return all
}

func want(t *testing.T, p *refresh.Proposal, refs map[string]string) {
	t.Helper()
	if got := fmt.Sprint(moves(p)); got != fmt.Sprint(refs) {
		t.Errorf("proposed %s, want %v; %+v", got, refs, p.Reasons)
	}
}

func TestSettle_applies(t *testing.T) {
	t.Parallel()
	s := newStacked(t)
	newest := s.oca.Commit(t, "17.0", map[string]string{model: module(map[int]string{30: "newer"})})
	p, text := s.settled(t, "", s.client, nil)
	want(t, p, map[string]string{"17.0": newest})
	s.golden(t, "applies.md", text)
	file, err := lock.ParseLock("lock", p.New, gitname.Operator(false))
	if err != nil {
		t.Fatal(err)
	}
	d := file.Destinations[0]
	if d.Tree == "" || d.Tree != p.Predictions[0].Tree || d.Merges[1].MergeBase == "" || d.Merges[2].MergeBase == "" {
		t.Errorf("the lock does not have the tree:\n%s", p.New)
	}
	if p.Target != p.Wanted {
		t.Error("all that is wanted is proposed, and the digests differ")
	}
	s.locked = string(p.New)
	if plan, err := refresh.Make(t.Context(), refresh.Input{Files: files("", s.repos, s.locked), URLs: gitname.Operator(false), Jobs: 2, Lookup: s.client}); err != nil || len(plan.Proposals) > 0 {
		t.Errorf("after the merge: %+v, %v", plan, err)
	}
	s.odoo.Commit(t, "17.0-docs", map[string]string{"more": "1\n"})
	p, _ = s.settled(t, "merges: {group: merge}", s.client, nil)
	if strings.Contains(string(p.New), "# tree:") {
		t.Errorf("where each merge has its own pull request, the tree is of none:\n%s", p.New)
	}
}

// The base moves to the furthest of its commits that a pull request, which did
// not move, applies to.
func TestSettle_furthest(t *testing.T) {
	t.Parallel()
	s := newStacked(t)
	ids := s.grow(t, s.oca, "17.0", 14, 9, map[string]string{model: module(map[int]string{5: "changed"})})
	p, text := s.settled(t, "", s.client, nil)
	want(t, p, map[string]string{"17.0": ids[8]})
	s.golden(t, "conflict.md", text)
	if p.Target == p.Wanted || len(p.Reasons) != 1 || p.Reasons[0].Ref != "17.0" {
		t.Errorf("target %s, wanted %s, reasons %+v", p.Target, p.Wanted, p.Reasons)
	}
	if !strings.Contains(string(p.New), ids[8]) || strings.Contains(string(p.New), ids[13]) {
		t.Errorf("the lock:\n%s", p.New)
	}
	again, second := s.settled(t, "", s.client, nil)
	if again.Target != p.Target || second.Body != text.Body {
		t.Error("the same state gives another proposal")
	}
	s.locked = string(p.New)
	p, _ = s.settled(t, "", s.client, nil)
	if len(p.Changes) != 0 || len(p.Reasons) != 1 {
		t.Errorf("beyond that: %+v, %+v", p.Changes, p.Reasons)
	}
	attempt := s.at(t, ids[9][:7])
	if c := attempt.Conflict; c == nil || c.Files[0].Addon != "base_exception" || attempt.At != 0 {
		t.Errorf("at the commit that conflicts: %+v", attempt)
	}
	golden(t, "conflict-at.txt", strings.ReplaceAll(strings.Join(attempt.Lines(), "\n")+"\n", s.srv.URL, "https://git.example.org"))
	if attempt := s.at(t, ids[8]); attempt.Conflict != nil || attempt.Tree == "" {
		t.Errorf("at the one before: %+v", attempt)
	}
	for _, wrong := range []string{"abc", "0123456", strings.Repeat("1", 40), "-x", "17.0"} {
		if _, err := s.state(t).At(t.Context(), s.client, "./oca/server-tools", wrong); !errors.Is(err, refresh.ErrCommit) {
			t.Errorf("--at %s: %v", wrong, err)
		}
	}
}

func (s *stacked) state(t *testing.T) *refresh.State {
	t.Helper()
	state, err := refresh.Read(t.Context(), refresh.Input{Files: files("", s.repos, s.locked), URLs: gitname.Operator(false), Jobs: 2, Lookup: s.client})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func (s *stacked) at(t *testing.T, commit string) *refresh.Attempt {
	t.Helper()
	attempt, err := s.state(t).At(t.Context(), s.client, "oca/server-tools", commit)
	if err != nil {
		t.Fatal(err)
	}
	return attempt
}

// Two merges moved into each other's way: one is held back, the rest moves.
func TestSettle_bothMove(t *testing.T) {
	t.Parallel()
	s := newStacked(t)
	base := s.oca.Commit(t, "17.0", map[string]string{model: module(map[int]string{20: "base"})})
	fix := s.grow(t, s.odoo, "17.0-fix", 3, 1, map[string]string{model: module(map[int]string{5: "fixed", 20: "fix"})})
	docs := s.odoo.Commit(t, "17.0-docs", map[string]string{"README": module(map[int]string{5: "explained", 9: "better"})})
	p, text := s.settled(t, "", s.client, nil)
	want(t, p, map[string]string{"17.0": base, "17.0-fix": fix[0], "17.0-docs": docs})
	s.golden(t, "conflict-both.md", text)
}

// A branch that was rewritten stays where it is locked when what it became does
// not apply.
func TestSettle_rewritten(t *testing.T) {
	t.Parallel()
	s := newStacked(t)
	root := s.oca.Git(t, "rev-parse", "17.0")
	base := s.oca.Commit(t, "17.0", map[string]string{model: module(map[int]string{20: "base"})})
	s.odoo.Add(t, gitserver.Commit{Branch: "17.0-fix", Parents: []string{root}, Files: map[string]string{model: module(map[int]string{5: "fixed", 20: "anew"})}})
	p, text := s.settled(t, "", s.client, nil)
	want(t, p, map[string]string{"17.0": base})
	s.golden(t, "conflict-rewritten.md", text)
	alone := s.odoo.Add(t, gitserver.Commit{Branch: "17.0-fix", Orphan: true, Files: map[string]string{"alone": "1"}})
	p, text = s.settled(t, "", s.client, nil)
	want(t, p, map[string]string{"17.0": base})
	s.golden(t, "conflict-unrelated.md", text)
	if !strings.Contains(p.Reasons[0].Why, alone[0][:7]) {
		t.Errorf("reasons: %+v", p.Reasons)
	}
}

// Where not even the locked state applies, nothing is proposed.
func TestSettle_stuck(t *testing.T) {
	t.Parallel()
	s := newStacked(t)
	broken := s.oca.Commit(t, "17.0", map[string]string{model: module(map[int]string{5: "changed"})})
	s.locked = strings.ReplaceAll(s.locked, s.oca.Git(t, "rev-parse", "17.0~1"), broken)
	s.oca.Commit(t, "17.0", map[string]string{"log": "1"})
	p, _ := s.settled(t, "", s.client, nil)
	if len(p.Changes) != 0 || len(p.Reasons) != 1 || !p.Predictions[0].Conflict.Stuck {
		t.Errorf("changes %+v, reasons %+v", p.Changes, p.Reasons)
	}
}

// Whose files nobody here may see are not named.
func TestSettle_private(t *testing.T) {
	t.Parallel()
	s := newStacked(t)
	s.grow(t, s.oca, "17.0", 3, 1, map[string]string{model: module(map[int]string{5: "changed"})})
	p, text := s.settled(t, "", s.client, func(p *refresh.Proposal) {
		p.Discretion = refresh.Discretion{Public: true, Private: []string{s.odoo.URL}}
	})
	s.golden(t, "conflict-private.md", text)
	if strings.Contains(text.Body+p.Reasons[0].Why, "base_exception") {
		t.Errorf("%s\n%s", text.Body, p.Reasons[0].Why)
	}
}

// broken is a Rehearser that cannot.
type broken struct{ err error }

func (b broken) Rehearse(context.Context, []git.Tip, []git.Tip) (*git.Rehearsal, error) {
	return nil, b.err
}

// What cannot be tried is proposed, and said.
func TestSettle_unknown(t *testing.T) {
	t.Parallel()
	s := newStacked(t)
	newest := s.oca.Commit(t, "17.0", map[string]string{model: module(map[int]string{30: "newer"})})
	p, text := s.settled(t, "", broken{errors.New("the server is @away\nsecond line")}, nil)
	want(t, p, map[string]string{"17.0": newest})
	s.golden(t, "not-tried.md", text)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	plan := s.state(t)
	again, err := plan.Plan(refresh.Wishes{})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Proposals[0].Settle(cancelled, s.client); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that ends: %v", err)
	}
}
