package refresh_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
)

const jointRepos = `./a:
  remotes: {oca: https://git.example.org/OCA/web.git}
  merges: [oca 17.0]
./b:
  remotes: {web: "https://git.example.org/oca/web", own: https://git.example.org/own.git}
  merges: [own main, web 17.0, web refs/pull/7/head]
./c:
  remotes: {oca: https://git.example.org/OCA/web.git}
  merges: [oca refs/pull/7/head, oca 16.0]
./d:
  remotes: {own: https://git.example.org/own.git}
  merges: [own dev]
`

// advanced returns the lock of what all refs have, and gives each another commit.
func (u *upstreams) advanced(t *testing.T) string {
	t.Helper()
	locked := u.lock(t, jointRepos)
	for key := range u.commits {
		u.commits[key] = strings.Replace(u.commits[key], "00", "10", 1)
	}
	return locked
}

// What merges the same of the same repository moves together, however the policy
// groups it, and the text says why.
func TestTogether(t *testing.T) {
	t.Parallel()
	u := newUpstreams(t, jointRepos)
	locked := u.advanced(t)
	for group, want := range map[string]string{
		"destination":         "./a: ./a ./b ./b ./b ./c ./c, ./d: ./d",
		"merge":               "./a oca 17.0: ./a ./b, ./b own main: ./b, ./b web refs/pull/7/head: ./b ./c, ./c oca 16.0: ./c, ./d own dev: ./d",
		"{first: [./c, ./d]}": "./a: ./a ./b ./b ./b ./c ./c ./d",
		"all":                 "all: ./a ./b ./b ./b ./c ./c ./d",
	} {
		plan := u.plan(t, "merges: {group: "+group+"}", jointRepos, locked)
		var got []string
		for i := range plan.Proposals {
			var dests []string
			for _, c := range plan.Proposals[i].Changes {
				dests = append(dests, c.Dest)
			}
			got = append(got, plan.Proposals[i].Group+": "+strings.Join(dests, " "))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %q, want %s", group, got, want)
		}
		if plan.Proposals[0].Group != "./a" {
			continue
		}
		h := &historian{histories: map[string]git.History{}}
		for _, commit := range u.commits {
			h.histories[commit] = history(1)
		}
		text, err := plan.Proposals[0].Describe(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"**Together:** `./a` and `./b` merge the same, `oca 17.0`.", "**Together:** `./b` and `./c` merge the same, `web refs/pull/7/head`."} {
			if !strings.Contains(text.Body, want) {
				t.Errorf("text without %q:\n%s", want, text.Body)
			}
		}
	}
}

// While one of them is held, the other's merge of the same waits.
func TestTogether_held(t *testing.T) {
	t.Parallel()
	u := newUpstreams(t, jointRepos)
	locked := u.advanced(t)
	state, err := refresh.Read(t.Context(), refresh.Input{Files: files("", jointRepos, locked), URLs: gitname.Operator(false), Jobs: 2, Lookup: u})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := state.Plan(refresh.Wishes{Held: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	var moved []string
	for _, c := range plan.Proposals[0].Changes {
		moved = append(moved, c.Dest+" "+c.Remote+" "+c.Ref)
	}
	if want := []string{"./b own main", "./b web refs/pull/7/head", "./c oca refs/pull/7/head", "./c oca 16.0"}; !slices.Equal(moved, want) {
		t.Errorf("moves %q, want %q", moved, want)
	}
	if got, want := fmt.Sprint(plan.Reasons), "[{./b web 17.0 ./a merges the same, and is held}]"; got != want {
		t.Errorf("reasons %s, want %s", got, want)
	}
}
