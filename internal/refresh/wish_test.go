package refresh_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
)

// state reads repos.yaml and its lock, after which refs have moved to commits
// 11 and on.
func state(t *testing.T, config, repos string, moved ...string) *refresh.State {
	t.Helper()
	up := newUpstreams(t, repos)
	locked := up.lock(t, repos)
	up.move(t, 11, moved...)
	s, err := refresh.Read(t.Context(), refresh.Input{Files: files(config, repos, locked), URLs: gitname.Operator(false), Jobs: 2, Lookup: up})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func chose(dest, remote, ref, to string) refresh.Choice {
	return refresh.Choice{Dest: dest, Remote: remote, Ref: ref, To: to}
}

func TestState_Plan(t *testing.T) {
	t.Parallel()
	everything := []string{"odoo/odoo.git 17.0", "17.0-fix", "OCA/web.git 17.0", "pos.git 17.0"}
	const (
		odoo = `merges "./odoo" on odyssey/merge/odoo`
		web  = `merges "./oca/web" on odyssey/merge/oca+web`
		pos  = `merges "./oca/pos" on odyssey/merge/oca+pos`
		all  = `merges "all" on odyssey/merge/all`
	)
	others := []string{web, "  ./oca/web oca 17.0 4>13", pos, "  ./oca/pos oca 17.0 5>14"}
	for _, test := range []struct {
		name   string
		config string
		wishes refresh.Wishes
		onHold []string
		want   []string
	}{
		{name: "held", wishes: refresh.Wishes{Held: []string{"odoo"}}, onHold: []string{"./odoo"}, want: append(slices.Clone(others), "waiting odyssey/merge/odoo")},
		{name: "held in a group", config: "merges: {group: all}", wishes: refresh.Wishes{Held: []string{"./odoo", "./oca/web", "./none"}}, onHold: []string{"./odoo", "./oca/web"}, want: []string{
			all, "  ./oca/pos oca 17.0 5>14", "waiting odyssey/merge/all",
		}},
		{name: "one merge", wishes: refresh.Wishes{Choices: []refresh.Choice{chose("./odoo", "acme", "17.0-fix", "")}}, want: append([]string{
			odoo, "  ./odoo acme 17.0-fix 2>12",
		}, others...)},
		{name: "to a commit", wishes: refresh.Wishes{Choices: []refresh.Choice{chose("odoo/", "odoo", "17.0", id(77))}}, want: append([]string{
			odoo, "  ./odoo odoo 17.0 1>77",
		}, others...)},
		{name: "to a commit, where nothing is newer", wishes: refresh.Wishes{Choices: []refresh.Choice{chose("./odoo", "acme", "17.0-docs", id(77))}}, want: append([]string{
			odoo, "  ./odoo acme 17.0-docs 3>77",
		}, others...)},
		{name: "two", wishes: refresh.Wishes{Choices: []refresh.Choice{chose("./odoo", "acme", "17.0-fix", id(77)), chose("./odoo", "odoo", "17.0", "")}}, want: append([]string{
			odoo, "  ./odoo odoo 17.0 1>11", "  ./odoo acme 17.0-fix 2>77",
		}, others...)},
		{name: "what is locked", wishes: refresh.Wishes{Choices: []refresh.Choice{chose("./odoo", "odoo", "17.0", id(1))}}, want: others},
		{name: "nothing newer", wishes: refresh.Wishes{Choices: []refresh.Choice{chose("./odoo", "acme", "17.0-docs", "")}}, want: others},
		{name: "not declared any more", wishes: refresh.Wishes{Choices: []refresh.Choice{chose("./odoo", "acme", "16.0", id(77)), chose("./gone", "a", "b", "")}}, want: append([]string{
			odoo, "  ./odoo odoo 17.0 1>11", "  ./odoo acme 17.0-fix 2>12",
		}, others...)},
		{name: "in a group", config: "merges: {group: all}", wishes: refresh.Wishes{Choices: []refresh.Choice{chose("./odoo", "odoo", "17.0", "")}}, want: []string{
			all, "  ./odoo odoo 17.0 1>11",
		}},
		{name: "chosen and held", wishes: refresh.Wishes{Held: []string{"./odoo"}, Choices: []refresh.Choice{chose("./odoo", "odoo", "17.0", id(77))}}, onHold: []string{"./odoo"}, want: append(slices.Clone(others), "waiting odyssey/merge/odoo")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := state(t, test.config, repos, everything...)
			plan, err := s.Plan(test.wishes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, outline(plan)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.onHold, plan.OnHold); diff != "" || plan.Behind != 4 {
				t.Errorf("behind %d, on hold (-want +got):\n%s", plan.Behind, diff)
			}
			for i := range plan.Proposals { // what is proposed is what the lock becomes
				p := &plan.Proposals[i]
				got, err := lock.ParseLock("lock", p.New, gitname.Operator(false))
				old, err2 := lock.ParseLock("lock", p.Old, gitname.Operator(false))
				if err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
				if diff := cmp.Diff(p.Changes, lock.Changes(old, got)); diff != "" {
					t.Errorf("%s (-changes +lock):\n%s", p.Group, diff)
				}
			}
		})
	}
}

func TestState_Choose(t *testing.T) {
	t.Parallel()
	pinned := strings.Replace(repos, "- acme 17.0-docs", "- acme "+id(77), 1)
	s := state(t, "", pinned)
	for _, test := range []struct {
		name     string
		in, want refresh.Choice
		err      string
	}{
		{"as declared", chose("./odoo", "acme", "17.0-fix", id(9)), chose("./odoo", "acme", "17.0-fix", id(9)), ""},
		{"spelled otherwise", chose("odoo//", "acme", "17.0-fix", ""), chose("./odoo", "acme", "17.0-fix", ""), ""},
		{"the base", chose("./odoo", "", "", id(9)), chose("./odoo", "odoo", "17.0", id(9)), ""},
		{"pinned", chose("./odoo", "acme", id(77), id(9)), chose("./odoo", "acme", id(77), id(9)), "is a commit in repos.yaml"},
		{"no such destination", chose("./odo", "", "", ""), chose("./odo", "", "", ""), "there is no destination ./odo\n  near: ./odoo\n  all: ./odoo, ./oca/web, ./oca/pos"},
		{"no such merge", chose("odoo", "acme", "17.0-fx", ""), chose("./odoo", "acme", "17.0-fx", ""), "there is no merge ./odoo acme 17.0-fx\n  near: ./odoo acme 17.0-fix"},
	} {
		got, err := s.Choose(test.in)
		if err == nil && test.err != "" || err != nil && (test.err == "" || !strings.HasPrefix(err.Error(), test.err)) {
			t.Errorf("%s: error %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	unknown := (*lock.NameError)(nil)
	if _, err := s.Destination("./wb"); !errors.As(err, &unknown) {
		t.Errorf("error %v", err)
	}
	if got := s.BranchesOf("oca/web"); !slices.Equal(got, []string{"odyssey/merge/oca+web"}) {
		t.Errorf("branches %q", got)
	}
}

func TestState_Standings(t *testing.T) {
	t.Parallel()
	up := newUpstreams(t, repos)
	locked := up.lock(t, strings.Replace(repos, "    - acme 17.0-docs\n", "", 1))
	up.move(t, 11, "17.0-fix")
	s, err := refresh.Read(t.Context(), refresh.Input{Files: files("", repos, locked), URLs: gitname.Operator(false), Jobs: 2, Lookup: up})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, at := range s.Standings() {
		got = append(got, strings.Join([]string{at.Dest, at.Remote, at.Ref, number(at.Locked), number(at.Newest)}, " "))
	}
	want := []string{"./odoo odoo 17.0 1 1", "./odoo acme 17.0-fix 2 11", "./odoo acme 17.0-docs  3", "./oca/web oca 17.0 4 4", "./oca/pos oca 17.0 5 5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The text says what was asked for, by whom, and what is unusual about it.
func TestDescribe_chosen(t *testing.T) {
	t.Parallel()
	s := state(t, "", repos, "odoo/odoo.git 17.0", "17.0-fix")
	choice := chose("./odoo", "odoo", "17.0", id(77))
	choice.By, choice.URL, choice.Outside = "a_na", "https://forge.example.org/acme/image/issues/1#issuecomment-5", true
	plan, err := s.Plan(refresh.Wishes{Choices: []refresh.Choice{choice}})
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Proposals[0]
	p.Commands = true
	text, err := p.Describe(t.Context(), &historian{histories: map[string]git.History{id(77): history(3)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| odoo 17.0 | [`0000001`]", "[3 commits]", "| acme 17.0-fix | [`0000002`]", "held by the lock",
		"⚠️ **`0000077` is not part of odoo 17.0**",
		"<sub>Asked for in a comment: ./odoo odoo 17.0 at `0000077` (by [a\\_na](https://forge.example.org/acme/image/issues/1#issuecomment-5)).",
		"Commands, in a comment: `/refresh` · `/rebase` · `/hold ./odoo` · `/help`.</sub>",
	} {
		if !strings.Contains(text.Body, want) {
			t.Errorf("lacks %q:\n%s", want, text.Body)
		}
	}
	if diff := cmp.Diff([]int{3}, text.Ahead); diff != "" {
		t.Errorf("ahead (-want +got):\n%s", diff)
	}
}

// M1: what a stranger can name cannot leave the place it is shown at.
func TestFault_M1_Link(t *testing.T) {
	t.Parallel()
	const ok = "https://forge.example.org:3000/a/b/pulls/1#issuecomment-5"
	if got := refresh.Link("x", ok); got != "[x]("+ok+")" {
		t.Errorf("%q", got)
	}
	for _, url := range []string{"", "javascript:alert(1)", "//x", "https://a b", "https://a)b", "https://a\nb", "https://a<b", "https://é", "https://a`b"} {
		if got := refresh.Link("x", url); got != "x" {
			t.Errorf("%q: %q", url, got)
		}
	}
}
