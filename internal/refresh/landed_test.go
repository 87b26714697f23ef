package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/test/gitserver"
)

// landedTree is a refresh.Tree made of data.
type landedTree map[string][]byte

func (t landedTree) Paths(context.Context) ([]string, error) { return nil, nil }

func (t landedTree) Files(context.Context, []string) (map[string][]byte, error) { return t, nil }

// pulls are upstream pull requests by number.
type pulls map[int64]refresh.UpstreamPull

func (p pulls) UpstreamPull(_ context.Context, url string, number int64) (refresh.UpstreamPull, bool, error) {
	pull, known := p[number]
	pull.URL = strings.TrimSuffix(url, ".git") + fmt.Sprintf("/pulls/%d", number)
	return pull, known, nil
}

// relock locks what repos declares, at its newest commits.
func (s *stacked) relock(t *testing.T) {
	t.Helper()
	s.locked = lockOf(t, s.repos, s.client)
}

func (s *stacked) landed(t *testing.T, l *refresh.Landed) refresh.Offer {
	t.Helper()
	l.URLs = gitname.Operator(false)
	if l.Rehearser == nil {
		l.Rehearser = s.client
	}
	offer, err := l.Offer(t.Context(), refresh.Repository{Policy: config.DefaultRepo(), Tree: landedTree(files("", s.repos, s.locked)), Lookup: s.client})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range offer.Drafts {
		if !l.Mine(d.Branch) || refresh.KindOf(d.Branch) != refresh.Merges {
			t.Errorf("branch %s", d.Branch)
		}
	}
	return offer
}

func (s *stacked) text(t *testing.T, name string, offer refresh.Offer) refresh.Draft {
	t.Helper()
	if len(offer.Drafts) != 1 {
		t.Fatalf("%d drafts: %+v", len(offer.Drafts), offer)
	}
	d := offer.Drafts[0]
	text, err := d.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(text.Message, refresh.Trailer+d.Target+"\n") {
		t.Errorf("message:\n%s", text.Message)
	}
	s.golden(t, name, text)
	return d
}

func TestLanded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string // of the golden text
		prepare func(t *testing.T, s *stacked)
		pulls   pulls
		gone    []string // refs
	}{
		{name: "landed-merged", gone: []string{"17.0-fix"}, prepare: func(t *testing.T, s *stacked) {
			t.Helper()
			fix := s.odoo.Head(t, "17.0-fix")
			s.oca.Git(t, "fetch", "--quiet", s.odoo.Dir, fix)
			s.oca.Add(t, gitserver.Commit{Branch: "17.0", Parents: []string{s.oca.Head(t, "17.0"), fix}, Files: map[string]string{model: module(map[int]string{5: "fixed"})}})
		}},
		{name: "landed-squashed", gone: []string{"17.0-docs"}, prepare: func(t *testing.T, s *stacked) {
			t.Helper()
			s.odoo.Commit(t, "17.0-docs", map[string]string{"README": module(map[int]string{5: "explained", 9: "better"})})
			s.oca.Commit(t, "17.0", map[string]string{"README": module(map[int]string{5: "explained", 9: "better"})})
		}},
		{name: "landed-picked", gone: []string{"17.0-fix"}, prepare: func(t *testing.T, s *stacked) {
			t.Helper()
			s.grow(t, s.oca, "17.0", 2, -1, nil)
			s.oca.Commit(t, "17.0", map[string]string{model: module(map[int]string{5: "fixed"})})
			s.oca.Commit(t, "17.0", map[string]string{model: module(map[int]string{5: "fixed better"})})
		}},
		{name: "landed-both", gone: []string{"17.0-fix", "17.0-docs"}, prepare: func(t *testing.T, s *stacked) {
			t.Helper()
			s.oca.Commit(t, "17.0", map[string]string{model: module(map[int]string{5: "fixed"}), "README": module(map[int]string{5: "explained"})})
		}},
		{name: "landed-closed", gone: []string{"refs/pull/7/head"}, pulls: pulls{7: {Closed: true}, 8: {}}, prepare: func(t *testing.T, s *stacked) {
			t.Helper()
			s.oca.Git(t, "fetch", "--quiet", s.odoo.Dir, "17.0-fix:refs/pull/7/head", "17.0-docs:refs/pull/8/head")
			s.repos = strings.NewReplacer("acme 17.0-fix", "oca refs/pull/7/head", "acme 17.0-docs", "oca refs/pull/8/head").Replace(s.repos)
		}},
		{name: "landed-branch-gone", gone: []string{"17.0-fix"}, prepare: func(t *testing.T, s *stacked) {
			t.Helper()
			s.grow(t, s.oca, "17.0", 2, 1, map[string]string{model: module(map[int]string{5: "fixed"})})
			s.relock(t)
			s.odoo.Git(t, "update-ref", "-d", "refs/heads/17.0-fix")
		}},
		{name: "", prepare: func(*testing.T, *stacked) {}, pulls: pulls{7: {Closed: true}}},
	} {
		t.Run("case "+test.name, func(t *testing.T) {
			t.Parallel()
			s := newStacked(t)
			s.repos = strings.Replace(s.repos, "    - acme 17.0-fix\n", "    # until upstream has it\n    - acme 17.0-fix\n", 1)
			test.prepare(t, s)
			if test.name != "landed-branch-gone" {
				s.relock(t)
			}
			offer := s.landed(t, &refresh.Landed{Pulls: test.pulls})
			if test.gone == nil {
				if len(offer.Drafts) > 0 || offer.Idle == "" {
					t.Fatalf("%+v", offer)
				}
				return
			}
			d := s.text(t, test.name+".md", offer)
			repos, locked := string(d.Files[0].New), string(d.Files[1].New)
			for _, ref := range test.gone {
				if strings.Contains(repos, ref) || strings.Contains(locked, ref) {
					t.Errorf("%s is there still:\n%s\n%s", ref, repos, locked)
				}
			}
			declared, err := lock.Parse("repos.yaml", d.Files[0].New, gitname.Operator(false))
			if err != nil {
				t.Fatal(err)
			}
			after, err := lock.ParseLock("lock", d.Files[1].New, gitname.Operator(false))
			if err != nil {
				t.Fatal(err)
			}
			if len(declared.Destinations[0].Merges) != 3-len(test.gone) || !lock.InSync(after, lock.Keep(after, declared)) {
				t.Errorf("not in sync:\n%s\n%s", repos, locked)
			}
		})
	}
}

// memory is a refresh.Memory.
type memory map[string][]byte

func (m memory) Put(_ context.Context, bucket, key string, value []byte) error {
	m[bucket+" "+key] = value
	return nil
}

func (m memory) Get(_ context.Context, bucket, key string) ([]byte, error) {
	return m[bucket+" "+key], nil
}

// What was found out is not found out again, and what cannot be found out now
// closes nothing.
func TestLanded_remembers(t *testing.T) {
	t.Parallel()
	s := newStacked(t)
	kept := memory{}
	s.landed(t, &refresh.Landed{Memory: kept})
	if len(kept) != 2 {
		t.Errorf("kept: %v", kept)
	}
	unreachable := broken{errors.New("no")}
	if offer := s.landed(t, &refresh.Landed{Memory: kept, Rehearser: unreachable}); len(offer.Waiting) != 0 {
		t.Errorf("asked again: %+v", offer)
	}
	var warned []string
	offer := s.landed(t, &refresh.Landed{Rehearser: unreachable, Warn: func(_, dest string, err error) { warned = append(warned, dest+" "+err.Error()) }})
	if offer.Waiting["odyssey/retire/oca+server-tools"] == "" || len(warned) != 1 {
		t.Errorf("%+v, warned %q", offer, warned)
	}
	s.repos = strings.Replace(s.repos, "acme 17.0-docs", "acme 17.0-more", 1)
	if offer := s.landed(t, &refresh.Landed{}); offer.Waiting["odyssey/retire/oca+server-tools"] == "" || len(offer.Drafts) > 0 {
		t.Errorf("out of sync: %+v", offer)
	}
}
