package bot_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/refresh"
)

// step is a part of the story: what happens, and what a run then does.
type step struct {
	name string
	act  func(*scene)
	want []string
}

// story is a pull request's life, from the first proposal to the end.
func story() []step {
	return []step{
		{"open", func(s *scene) { s.git.commits[acme] = id(11) }, []string{"./odoo opened"}},
		{"nothing new", func(*scene) {}, []string{"./odoo unchanged"}},
		{"newer", func(s *scene) { s.git.commits[acme] = id(12) }, []string{"./odoo updated"}},
		{"closed by a human", func(s *scene) {
			_, err := s.fake.EditPullRequest(s.t.Context(), s.repo, 1, forge.Edit{State: forge.Closed})
			must(s.t, err)
		}, []string{"./odoo held"}},
		{"newer again", func(s *scene) { s.git.commits[acme] = id(13) }, []string{"./odoo reopened"}},
		{"elsewhere", func(s *scene) { s.push("main", map[string]string{"README.md": "news\n"}) }, []string{"./odoo unchanged"}},
		{"conflict", func(s *scene) {
			s.push("main", map[string]string{refresh.LockFile: strings.Replace(s.main(), id(2), id(7), 1)})
		}, []string{"./odoo updated"}},
		{"two", func(s *scene) { s.git.commits[web] = id(21) }, []string{"./odoo unchanged", "./web opened"}},
		{"human push", func(s *scene) {
			s.push(branch, map[string]string{"NOTES": "because\n"})
			s.git.commits[acme] = id(14)
		}, []string{"./odoo held", "./web unchanged"}},
		{"handed back", func(s *scene) { s.human.DeleteBranch(s.t, branch) }, []string{"./odoo opened", "./web unchanged"}},
		{"out of sync", func(s *scene) {
			s.push("main", map[string]string{refresh.ReposFile: strings.Replace(repos, "odoo 17.0, ", "", 1)})
		}, []string{"lock opened", "./web unchanged", "./odoo held"}},
		{"in sync", func(s *scene) { s.push("main", map[string]string{refresh.ReposFile: repos}) }, []string{"lock closed", "./odoo unchanged", "./web unchanged"}},
		{"arrived", func(s *scene) { s.push("main", map[string]string{refresh.LockFile: s.newest()}) }, []string{"merge/web closed", "merge/odoo closed"}},
		{"the end", func(*scene) {}, []string{"idle"}},
	}
}

// main is the lock on the default branch.
func (s *scene) main() string {
	s.t.Helper()
	content, err := s.fake.File(s.t.Context(), s.repo, "main", refresh.LockFile)
	must(s.t, err)
	return string(content)
}

// tell plays the story and returns the state after each step. The one calls of
// the bot that fails are those for which fail returns true, before or after
// their effect; n counts them from 1. As if it was killed then, the run ends and
// the next one begins.
func tell(t testing.TB, fail func(n int, method string, after bool) bool) (states []state, calls int) {
	t.Helper()
	errKilled := errors.New("killed")
	s := newScene(t, "")
	hook := func(after bool) func(string) error {
		return func(method string) error {
			if !after {
				calls++
			}
			if fail(calls, method, after) {
				return errKilled
			}
			return nil
		}
	}
	for _, step := range story() {
		step.act(s)
		s.fake.FailBefore(hook(false))
		s.fake.FailAfter(hook(true))
		outcomes, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
		if err == nil {
			if diff := cmp.Diff(slices.Sorted(slices.Values(step.want)), inWords(outcomes)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.name, diff)
			}
		}
		for ; err != nil; _, err = s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{}) {
			if !errors.Is(err, errKilled) {
				t.Fatalf("%s: %v", step.name, err)
			}
		}
		states = append(states, s.look())
	}
	return states, calls
}

func never(int, string, bool) bool { return false }

func TestStory(t *testing.T) {
	t.Parallel()
	states, calls := tell(t, never)
	t.Logf("%d calls", calls)
	last := states[len(states)-1]
	if diff := cmp.Diff(state{Branches: map[string]string{}, Comments: []int{1, 1, 1}}, last); diff != "" {
		t.Errorf("the end (-want +got):\n%s", diff)
	}
	if now := states[0]; len(now.Branches) != 1 || len(now.Open) != 1 || !strings.Contains(now.Branches[branch], id(11)) {
		t.Errorf("opened: %+v", now)
	}
}

// F1, F2, C5, C6, C8: the process is killed at each call of the forge, before
// or after its effect, and once more in the run after. What there is in the end
// is what there is without: one branch, one pull request, one comment.
func TestFault_F1_F2_KilledAtEachCall(t *testing.T) {
	t.Parallel()
	want, calls := tell(t, never)
	for n := 1; n <= calls; n++ {
		for _, first := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, after %t", n, first), func(t *testing.T) {
				t.Parallel()
				again := 1 + n%9
				for _, second := range []string{"not", []string{"before", "after"}[n/9%2]} {
					var what []string
					got, _ := tell(t, func(i int, method string, after bool) bool {
						hit := i == n && after == first || i == n+again && (after && second == "after" || !after && second == "before")
						if hit {
							what = append(what, fmt.Sprintf("%s, after %t", method, after))
						}
						return hit
					})
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("killed at %q (-want +got):\n%s", what, diff)
					}
				}
			})
		}
	}
}

// F1: a fault that passes is retried within the run, at whatever call.
func TestFault_F1_TransientAtEachCall(t *testing.T) {
	t.Parallel()
	for first, class := range []error{forge.ErrTransient, &forge.RateLimitError{RetryAfter: 7}, forge.ErrLeaseLost} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, after %t", class, after), func(t *testing.T) {
				t.Parallel()
				// Every sixth call each; all of them together.
				start := 1 + first
				if after {
					start += 3
				}
				for n, more := start, true; more; n += 6 {
					more = stumble(t, n, class, after)
				}
			})
		}
	}
}

// stumble plays the story with a fault at the nth call. It returns false when
// there is none.
func stumble(t *testing.T, n int, class error, after bool) bool {
	t.Helper()
	calls := 0
	s := newScene(t, "")
	for _, step := range story() {
		step.act(s)
		s.fake.FailBefore(func(string) error {
			if calls++; calls == n && !after {
				return class
			}
			return nil
		})
		s.fake.FailAfter(func(string) error {
			if calls == n && after {
				return class
			}
			return nil
		})
		if _, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{}); err != nil {
			t.Fatalf("call %d, %s: %v", n, step.name, err)
		}
		s.look()
	}
	if diff := cmp.Diff([]int{1, 1, 1}, s.look().Comments); diff != "" {
		t.Errorf("call %d: comments (-want +got):\n%s", n, diff)
	}
	return calls >= n
}

// F8: a human does something at each moment of each run. The human's commits
// stay, there are never two pull requests for one branch, and the bot settles:
// another run writes nothing.
func TestFault_F8_HumanAtEachCall(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(s *scene) (commit string){
		"pushes to the bot's branch": func(s *scene) string { return s.push(branch, map[string]string{"NOTES": "mine\n"}) },
		"amends the bot's commit": func(s *scene) string {
			if s.head() == "" {
				return ""
			}
			return s.human.Push(s.t, forgetest.Commit{Branch: branch, Amend: true, Message: "Mine\n\n" + refresh.Trailer + "x\n", Files: map[string]forgetest.File{"NOTES": {Content: "mine\n"}}})[0]
		},
		"pushes to main": func(s *scene) string { s.push("main", map[string]string{"README.md": "mine\n"}); return "" },
		"locks by hand":  func(s *scene) string { s.push("main", map[string]string{refresh.LockFile: s.newest()}); return "" },
		// No human, but another bot that knows nothing of this one.
		"another bot runs": func(s *scene) string {
			if _, err := s.bot.Run(s.t.Context(), s.fake, s.name, bot.Demand{}); err != nil {
				s.t.Errorf("the other bot: %v", err)
			}
			return ""
		},
		"deletes the branch": func(s *scene) string { s.human.DeleteBranch(s.t, branch); return "" },
		"closes": func(s *scene) string {
			for _, pr := range s.open() {
				_, err := s.fake.EditPullRequest(s.t.Context(), s.repo, pr.Number, forge.Edit{State: forge.Closed})
				must(s.t, err)
			}
			return ""
		},
		"merges": func(s *scene) string {
			for _, pr := range s.open() {
				s.human.Merge(s.t, pr.Number)
			}
			return ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, more := 1, true; more; n++ {
				more = meddle(t, n, act)
			}
		})
	}
}

// meddle plays the first steps of the story, has a human act before the nth
// call, and checks what comes of it. It returns false when there is no nth call.
func meddle(t *testing.T, n int, act func(*scene) string) bool {
	t.Helper()
	s := newScene(t, "")
	calls, commit := 0, ""
	for _, step := range story()[:3] {
		step.act(s)
		acting := false // what the human does is no call of the bot
		s.fake.FailBefore(func(string) error {
			if acting {
				return nil
			}
			if calls++; calls == n {
				acting = true
				commit = act(s)
				acting = false
			}
			return nil
		})
		if _, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{}); err != nil {
			t.Fatalf("call %d, %s: %v", n, step.name, err)
		}
		now := s.look()
		if len(now.Open) > 1 {
			t.Errorf("call %d, %s: two are open: %v", n, step.name, now.Open)
		}
		if commit != "" && s.head() != commit {
			t.Errorf("call %d, %s: the branch is at %s, the human's commit was %s", n, step.name, s.head(), commit)
		}
	}
	_, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{})
	must(t, err)
	before := len(s.fake.Writes())
	if _, err := s.bot.Run(t.Context(), s.fake, s.name, bot.Demand{}); err != nil || len(s.fake.Writes()) != before {
		t.Errorf("call %d: does not settle: %v, %+v", n, err, s.fake.Writes()[before:])
	}
	return calls >= n
}
