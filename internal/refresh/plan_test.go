package refresh_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// outline is a plan in words: its proposals with their changes, by the numbers
// of the commits, and what waits.
func outline(p *refresh.Plan) []string {
	var lines []string
	for i := range p.Proposals {
		proposal := &p.Proposals[i]
		lines = append(lines, fmt.Sprintf("%s %q on %s", proposal.Kind, proposal.Group, proposal.Branch))
		for _, c := range proposal.Changes {
			lines = append(lines, fmt.Sprintf("  %s %s %s %s>%s", c.Dest, c.Remote, c.Ref, number(c.Old), number(c.New)))
		}
	}
	for _, dest := range p.Held {
		lines = append(lines, "held "+dest)
	}
	for _, branch := range slices.Sorted(maps.Keys(p.Waiting)) {
		lines = append(lines, "waiting "+branch)
	}
	return lines
}

// number is what an id is made from.
func number(id string) string { return strings.TrimLeft(strings.TrimSuffix(id, tail), "0") }

func TestMake(t *testing.T) {
	t.Parallel()
	everything := []string{"odoo/odoo.git 17.0", "17.0-fix", "OCA/web.git 17.0", "pos.git 17.0"}
	head, tail, _ := strings.Cut(repos, "./oca/pos")
	tail = "./oca/pos" + tail
	without := func(line string) string { return strings.Replace(repos, line, "", 1) }
	for _, test := range []struct {
		name   string
		config string
		moved  []string // to commits 11 and on
		repos  string   // what repos.yaml became after the lock was made
		want   []string
	}{
		{name: "nothing to do"},
		{name: "by destination", moved: everything, want: []string{
			`merges "./odoo" on odyssey/merge/odoo`, "  ./odoo odoo 17.0 1>11", "  ./odoo acme 17.0-fix 2>12",
			`merges "./oca/web" on odyssey/merge/oca+web`, "  ./oca/web oca 17.0 4>13",
			`merges "./oca/pos" on odyssey/merge/oca+pos`, "  ./oca/pos oca 17.0 5>14",
		}},
		{name: "one of three", moved: []string{"17.0-docs"}, want: []string{`merges "./odoo" on odyssey/merge/odoo`, "  ./odoo acme 17.0-docs 3>11"}},
		{name: "by merge", config: "merges: {group: merge}", moved: everything, want: []string{
			`merges "./odoo odoo 17.0" on odyssey/merge/odoo++odoo++17.0`, "  ./odoo odoo 17.0 1>11",
			`merges "./odoo acme 17.0-fix" on odyssey/merge/odoo++acme++17.0-fix`, "  ./odoo acme 17.0-fix 2>12",
			`merges "./oca/web oca 17.0" on odyssey/merge/oca+web++oca++17.0`, "  ./oca/web oca 17.0 4>13",
			`merges "./oca/pos oca 17.0" on odyssey/merge/oca+pos++oca++17.0`, "  ./oca/pos oca 17.0 5>14",
		}},
		{name: "all together", config: "merges: {group: all}", moved: everything, want: []string{
			`merges "all" on odyssey/merge/all`, "  ./odoo odoo 17.0 1>11", "  ./odoo acme 17.0-fix 2>12", "  ./oca/web oca 17.0 4>13", "  ./oca/pos oca 17.0 5>14",
		}},
		{name: "named, the others by destination", config: "merges: {group: {community: ['./oca/*']}}", moved: everything, want: []string{
			`merges "./odoo" on odyssey/merge/odoo`, "  ./odoo odoo 17.0 1>11", "  ./odoo acme 17.0-fix 2>12",
			`merges "community" on odyssey/merge/community`, "  ./oca/web oca 17.0 4>13", "  ./oca/pos oca 17.0 5>14",
		}},
		// One branch can hold one pull request only.
		{name: "named as a destination", config: "merges: {group: {odoo: ['./oca/*']}}", moved: everything, want: []string{
			`merges "./odoo" on odyssey/merge/odoo`, "  ./odoo odoo 17.0 1>11", "  ./odoo acme 17.0-fix 2>12", "  ./oca/web oca 17.0 4>13", "  ./oca/pos oca 17.0 5>14",
		}},
		{name: "out of sync", moved: everything, repos: without("    - acme 17.0-docs\n"), want: []string{
			`lock "lock" on odyssey/lock`, "  ./odoo acme 17.0-docs 3>",
			`merges "./oca/web" on odyssey/merge/oca+web`, "  ./oca/web oca 17.0 4>13",
			`merges "./oca/pos" on odyssey/merge/oca+pos`, "  ./oca/pos oca 17.0 5>14",
			"held ./odoo", "waiting odyssey/merge/odoo",
		}},
		{name: "out of sync, all together", config: "merges: {group: all}", moved: everything, repos: without("    - acme 17.0-docs\n"), want: []string{
			`lock "lock" on odyssey/lock`, "  ./odoo acme 17.0-docs 3>",
			`merges "all" on odyssey/merge/all`, "  ./oca/web oca 17.0 4>13", "  ./oca/pos oca 17.0 5>14",
			"held ./odoo", "waiting odyssey/merge/all",
		}},
		{name: "out of sync, and nothing newer", repos: without("    - odoo 17.0\n"), want: []string{
			`lock "lock" on odyssey/lock`, "  ./odoo odoo 17.0 1>", "held ./odoo",
		}},
		{name: "another ref", moved: []string{"17.0-fix"}, repos: strings.Replace(repos, "[oca 17.0]", "[oca 16.0]", 1), want: []string{
			`lock "lock" on odyssey/lock`, "  ./oca/web oca 16.0 >16", "  ./oca/web oca 17.0 4>",
			`merges "./odoo" on odyssey/merge/odoo`, "  ./odoo acme 17.0-fix 2>11", "held ./oca/web",
		}},
		{name: "a commit in repos.yaml", repos: strings.Replace(repos, "- acme 17.0-docs", "- acme "+id(77), 1), want: []string{
			`lock "lock" on odyssey/lock`, "  ./odoo acme " + id(77) + " >77", "  ./odoo acme 17.0-docs 3>", "held ./odoo",
		}},
		{name: "another target", repos: strings.Replace(repos, "target: odoo 17.0", "target: acme x", 1), want: []string{`lock "lock" on odyssey/lock`, "held ./odoo"}},
		{name: "a destination less", moved: []string{"OCA/web.git 17.0"}, repos: head, want: []string{
			`lock "lock" on odyssey/lock`, "  ./oca/pos oca 17.0 5>",
			`merges "./oca/web" on odyssey/merge/oca+web`, "  ./oca/web oca 17.0 4>11",
		}},
		{name: "another order", repos: tail + head, want: []string{`lock "lock" on odyssey/lock`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstreams(t, repos)
			locked := up.lock(t, repos)
			up.move(t, 11, test.moved...)
			up.commits["git@github.com:OCA/web.git 16.0"] = id(16)
			if test.repos == "" {
				test.repos = repos
			}
			plan := up.plan(t, test.config, test.repos, locked)
			if diff := cmp.Diff(test.want, outline(plan)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if plan.Behind != len(test.moved) || plan.Idle != "" {
				t.Errorf("behind %d, idle %q", plan.Behind, plan.Idle)
			}
			for url, n := range up.asked {
				if n > 1 {
					t.Errorf("%s was asked %d times", url, n)
				}
			}
			checkBranches(t, plan)
			settle(t, up, test.config, test.repos, locked)
		})
	}
}

// checkBranches: no two proposals share a branch, and Branches has each.
func checkBranches(t *testing.T, plan *refresh.Plan) {
	t.Helper()
	seen := map[string]bool{}
	for i := range plan.Proposals {
		branch := plan.Proposals[i].Branch
		if seen[branch] || !plan.Branches[branch] {
			t.Errorf("%s: seen %t, in %v", branch, seen[branch], plan.Branches)
		}
		seen[branch] = true
	}
	for branch := range plan.Waiting {
		if !plan.Branches[branch] {
			t.Errorf("%s waits, and is not in %v", branch, plan.Branches)
		}
	}
}

// settle merges the first proposal until none is left: each brings the lock
// nearer to the newest commits, and all of them to these.
func settle(t *testing.T, up *upstreams, config, repos, locked string) {
	t.Helper()
	for range 10 {
		plan := up.plan(t, config, repos, locked)
		if len(plan.Proposals) == 0 {
			if want := up.lock(t, repos); want != locked {
				t.Errorf("settles at (-want +got):\n%s", cmp.Diff(want, locked))
			}
			return
		}
		p := &plan.Proposals[0]
		if string(p.Old) != locked || string(p.New) == locked {
			t.Errorf("%s changes %q to %q", p.Group, p.Old, p.New)
		}
		locked = string(p.New)
	}
	t.Error("there is always something to propose")
}

// A move changes one line for each merge, and not one byte more.
func TestMake_smallestChange(t *testing.T) {
	t.Parallel()
	up := newUpstreams(t, repos)
	locked := up.lock(t, repos) + "\n# A hand was here.\n"
	up.move(t, 11, "17.0-fix")
	plan := up.plan(t, "", repos, locked)
	want := strings.Replace(locked, id(2), id(11), 1)
	if diff := cmp.Diff(want, string(plan.Proposals[0].New)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMake_firstLock(t *testing.T) {
	t.Parallel()
	for _, locked := range []string{"", "\n", "# nothing yet\n"} {
		up := newUpstreams(t, repos)
		plan := up.plan(t, "", repos, locked)
		want := []string{
			`lock "lock" on odyssey/lock`, "  ./odoo odoo 17.0 >1", "  ./odoo acme 17.0-fix >2", "  ./odoo acme 17.0-docs >3",
			"  ./oca/web oca 17.0 >4", "  ./oca/pos oca 17.0 >5", "held ./odoo", "held ./oca/web", "held ./oca/pos",
		}
		if diff := cmp.Diff(want, outline(plan)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := string(plan.Proposals[0].New); got != up.lock(t, repos) {
			t.Errorf("proposes %s", got)
		}
	}
}

func TestMake_idle(t *testing.T) {
	t.Parallel()
	up := newUpstreams(t, repos)
	for _, test := range []struct{ config, repos, want string }{
		{"", "", "there is no repos.yaml"},
		{"merges: {enabled: false}", repos, "merges are not enabled in .odyssey.yaml"},
		// Not even read.
		{"merges: {enabled: false}", "]", "merges are not enabled in .odyssey.yaml"},
	} {
		plan := up.plan(t, test.config, test.repos, "")
		if plan.Idle != test.want || len(outline(plan)) > 0 || len(up.asked) > 0 {
			t.Errorf("idle %q, want %q; %v; asked %v", plan.Idle, test.want, outline(plan), up.asked)
		}
	}
}

func TestMake_errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                  string
		config, repos, locked string
		want                  []string // parts of the message, in order
	}{
		{name: "configuration", config: "merges: {grup: all}\npullRequests: {limit: 0}\n", repos: repos, want: []string{".odyssey.yaml:1: merges: unknown key \"grup\"\n  did you mean group?", "\n.odyssey.yaml:2: "}},
		{name: "empty repos", repos: "\n", want: []string{"repos.yaml:1: declares no destination"}},
		{name: "repos", repos: "./odoo:\n  merges: [x]\n./a/../..:\n", want: []string{"repos.yaml:1: ", "repos.yaml:2: ", "repos.yaml:3: "}},
		{name: "protocol", repos: strings.Replace(repos, "git://git.example.org", "/srv", 1), want: []string{"repos.yaml:14: remote oca: /srv/pos.git: the file protocol is not allowed here"}},
		{name: "lock", repos: repos, locked: "<<<<<<< HEAD\n", want: []string{"repos.lock.yaml:1: has a merge conflict marker"}},
		{name: "lock by hand", repos: repos, locked: repos, want: []string{"repos.lock.yaml:7: ./odoo: the lock has odoo 17.0, which is no commit", "repos.lock.yaml:15: "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstreams(t, repos)
			_, err := refresh.Make(t.Context(), refresh.Input{Files: files(test.config, test.repos, test.locked), URLs: gitname.Operator(false), Lookup: up})
			if err == nil {
				t.Fatal("no error")
			}
			rest := err.Error()
			for _, part := range test.want {
				_, after, found := strings.Cut(rest, part)
				if rest = after; !found {
					t.Errorf("got %q, want %q in it", err, part)
				}
			}
			if fault := (*yamldoc.Error)(nil); !errors.As(err, &fault) || len(up.asked) > 0 {
				t.Errorf("%T; asked %v", err, up.asked)
			}
		})
	}
}

// The target is where a proposal leads, wherever it comes from.
func TestMake_target(t *testing.T) {
	t.Parallel()
	up := newUpstreams(t, repos)
	first := up.lock(t, repos)
	up.move(t, 11, "17.0-fix")
	second := up.lock(t, repos)
	up.move(t, 21, "17.0-fix", "pos.git 17.0")
	target := func(config, repos, locked string) string {
		t.Helper()
		plan := up.plan(t, config, repos, locked)
		if len(plan.Proposals) == 0 {
			t.Fatal("nothing is proposed")
		}
		return plan.Proposals[0].Target
	}
	want := target("", repos, first)
	if got := target("", repos, second); got != want {
		t.Error("another locked commit changes the target")
	}
	if got := target("", repos, first+"# a comment\n"); got != want {
		t.Error("a comment changes the target")
	}
	seen := map[string]string{want: "first"}
	for name, got := range map[string]string{
		"another group": target("merges: {group: all}", repos, first),
		"a sync":        target("", strings.Replace(repos, "    - acme 17.0-docs\n", "", 1), first),
		"a target":      target("", strings.Replace(repos, "target: odoo", "target: acme", 1), first),
		"a new target":  target("", strings.Replace(repos, "target: odoo 17.0", "target: acme 18.0", 1), first),
		"another sync":  target("", strings.Replace(repos, "    - acme 17.0-fix\n", "", 1), first),
	} {
		if other, taken := seen[got]; taken {
			t.Errorf("%s has the target of %s", name, other)
		}
		seen[got] = name
	}
	up.move(t, 31, "17.0-fix")
	if got := target("", repos, first); got == want {
		t.Error("a newer commit has the same target")
	}
}
