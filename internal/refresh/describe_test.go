package refresh_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/refresh"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing")

// golden compares text with testdata/NAME.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", path, diff)
	}
}

// describe writes the text of the first proposal that the moves lead to.
func describe(t *testing.T, config, repos string, moved map[string]git.History) (*refresh.Proposal, refresh.Text, *historian) {
	t.Helper()
	up := newUpstreams(t, repos)
	locked := up.lock(t, repos)
	h := &historian{histories: map[string]git.History{}}
	n := 11
	for _, ref := range slices.Sorted(maps.Keys(moved)) {
		up.move(t, n, ref)
		h.histories[id(n)] = moved[ref]
		n++
	}
	plan := up.plan(t, config, repos, locked)
	p := &plan.Proposals[0]
	text, err := p.Describe(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return p, text, h
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	one, far, back, rewritten := history(1), history(4096), git.History{Behind: 2}, history(3)
	far.AtLeast, far.Behind, far.Authors, far.Commits = true, 4096, 211, far.Commits[:2]
	rewritten.Behind = 1
	merged := history(3)
	merged.AtLeast = true
	gone := git.History{OldGone: true, Commits: history(1).Commits}
	const all = "merges: {group: all}"
	for _, test := range []struct {
		name   string // of the golden file
		config string
		moved  map[string]git.History
		title  string
	}{
		{"one-commit", "", map[string]git.History{"17.0-fix": one}, "Refresh `./odoo`: acme 17.0-fix +1 commit"},
		{"many-commits", "", map[string]git.History{"17.0-fix": history(1204)}, "Refresh `./odoo`: acme 17.0-fix +1,204 commits"},
		{"two-merges", "", map[string]git.History{"17.0-fix": history(3), "odoo/odoo.git 17.0": one}, "Refresh `./odoo`: 2 merges, +4 commits"},
		{"held", "merges: {group: merge}", map[string]git.History{"17.0-fix": one, "17.0-docs": one}, "Refresh `./odoo`: acme 17.0-fix +1 commit"},
		{"destinations", all, map[string]git.History{"17.0-fix": history(2), "web.git 17.0": one, "pos.git 17.0": one}, "Refresh all (3 destinations): 3 merges, +4 commits"},
		{"named", "merges: {group: {oca: ['./oca/*']}}", map[string]git.History{"pos.git 17.0": history(3)}, "Refresh `./oca/pos`: oca 17.0 +3 commits"},
		{"far", "", map[string]git.History{"odoo/odoo.git 17.0": far}, "Refresh `./odoo`: odoo 17.0 +4,096 commits or more"},
		{"at-least", "", map[string]git.History{"odoo/odoo.git 17.0": merged}, "Refresh `./odoo`: odoo 17.0 +3 commits or more"},
		{"gone", "", map[string]git.History{"17.0-fix": gone}, "Refresh `./odoo`: acme 17.0-fix (history rewritten)"},
		{"set-back", "", map[string]git.History{"17.0-fix": back}, "Refresh `./odoo`: acme 17.0-fix (set back)"},
		{"rewritten", "", map[string]git.History{"17.0-fix": rewritten}, "Refresh `./odoo`: acme 17.0-fix (history rewritten)"},
		{"all-at-once", all, map[string]git.History{"17.0-fix": back, "17.0-docs": gone, "web.git 17.0": rewritten, "pos.git 17.0": far}, "Refresh all (3 destinations): 4 merges (history rewritten)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, text, h := describe(t, test.config, repos, test.moved)
			if text.Title != test.title {
				t.Errorf("title %q, want %q", text.Title, test.title)
			}
			golden(t, test.name+".md", strings.ReplaceAll(text.Body, tail, ""))
			checkMessage(t, p, text)
			asked := map[string]int{}
			for _, url := range h.asked {
				if asked[url]++; asked[url] > 1 {
					t.Errorf("%s was asked again", url)
				}
			}
		})
	}
}

// checkMessage: the commit message begins with the title and ends with the
// line by which the bot knows it.
func checkMessage(t *testing.T, p *refresh.Proposal, text refresh.Text) {
	t.Helper()
	first, rest, _ := strings.Cut(text.Message, "\n\n")
	if first != strings.ReplaceAll(text.Title, "`", "") {
		t.Errorf("the message begins with %q", first)
	}
	want := ""
	for _, c := range p.Changes {
		want += fmt.Sprintf("%s %s %s\n  from %s\n  to   %s\n", c.Dest, c.Remote, c.Ref, c.Old, c.New)
	}
	if diff := cmp.Diff(want+"\nOdyssey-Target: "+p.Target+"\n", rest); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestDescribe_sync(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, repos, locked, title string }{
		{"first-lock", repos, "", "Lock what repos.yaml declares: 5 merges added"},
		{"added-and-dropped", strings.Replace(repos, "[oca 17.0]", "[oca 16.0]", 1), repos, "Lock what repos.yaml declares: 1 merge added, 1 dropped"},
		{"dropped", strings.Replace(repos, "    - odoo 17.0\n", "", 1), repos, "Lock what repos.yaml declares: 1 merge dropped"},
		{"another-target", strings.Replace(repos, "target: odoo", "target: acme", 1), repos, "Lock what repos.yaml declares: no commit changes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstreams(t, repos)
			if test.locked != "" {
				test.locked = up.lock(t, test.locked)
			}
			up.commits["git@github.com:OCA/web.git 16.0"] = id(16)
			plan := up.plan(t, "", test.repos, test.locked)
			text, err := plan.Proposals[0].Describe(t.Context(), &historian{})
			if err != nil {
				t.Fatal(err)
			}
			if text.Title != test.title {
				t.Errorf("title %q, want %q", text.Title, test.title)
			}
			message, _, _ := strings.Cut(text.Message, "Odyssey-Target")
			golden(t, "sync-"+test.name+".md", strings.ReplaceAll(text.Body+"\n---\n\n"+message, tail, ""))
		})
	}
}

// Two refs of one remote at the same commit: the row of the one that moves is
// its own.
func TestDescribe_sameCommit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, config string
		byPosition   bool     // the lock has no refs
		moved        []string // from one commit to one other
		proposal     int
		want         []string // of the third and fourth row's cells the first and last
	}{
		{"one moves", "", false, []string{"17.0-docs"}, 0, []string{"acme 17.0-fix: nothing newer", "acme 17.0-docs: [1 commit]"}},
		{"one moves, a lock without refs", "", true, []string{"17.0-docs"}, 0, []string{"acme 17.0-fix: nothing newer", "acme 17.0-docs: [1 commit]"}},
		{"both move", "", false, []string{"17.0-fix", "17.0-docs"}, 0, []string{"acme 17.0-fix: [1 commit]", "acme 17.0-docs: [1 commit]"}},
		{"both move, each alone", "merges: {group: merge}", false, []string{"17.0-fix", "17.0-docs"}, 1, []string{"acme 17.0-fix: held by the lock", "acme 17.0-docs: [1 commit]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstreams(t, repos)
			up.move(t, 2, "17.0-docs")
			locked := up.lock(t, repos)
			if test.byPosition {
				locked = strings.ReplaceAll(locked, "# locked-from:", "#")
			}
			for _, ref := range test.moved {
				up.move(t, 11, ref)
			}
			plan := up.plan(t, test.config, repos, locked)
			text, err := plan.Proposals[test.proposal].Describe(t.Context(), &historian{histories: map[string]git.History{id(11): history(1)}})
			if err != nil {
				t.Fatal(err)
			}
			var rows []string
			for line := range strings.Lines(text.Body) {
				if cells := strings.Split(line, " | "); len(cells) == 4 {
					note, _, _ := strings.Cut(strings.TrimSuffix(cells[3], " |\n"), "(")
					rows = append(rows, strings.TrimPrefix(cells[0], "| ")+": "+note)
				}
			}
			if diff := cmp.Diff(append([]string{"merge: |\n", "odoo 17.0: nothing newer"}, test.want...), rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// M2: however much there is to say, the text stays within what forges take,
// and whole.
func TestFault_M2_BodyIsBounded(t *testing.T) {
	t.Parallel()
	long := history(10_000)
	hostile := history(10_000)
	for i := range long.Commits {
		long.Commits[i].Subject = strings.Repeat("a long subject ", 1000)
		hostile.Commits[i].Subject, hostile.Commits[i].Author = strings.Repeat("*@&", 1000), strings.Repeat("[", 1000)
	}
	rewritten := hostile
	rewritten.Behind = 1
	for _, test := range []struct {
		name    string
		merges  int
		url     string
		history git.History
		listed  bool // there is still place for some commits
	}{
		{"one merge", 1, "https://git.example.org/acme/", long, true},
		{"40 merges", 40, "https://git.example.org/acme/", long, true},
		{"40 hostile merges", 40, "https://git.example.org/acme/", hostile, false},
		{"180 merges", 180, "https://git.example.org/acme/", long, false},
		{"180 rewritten merges", 180, "https://git.example.org/acme/", rewritten, false},
		{"long addresses", 40, "https://git.example.org/" + strings.Repeat("a", 950) + "/", rewritten, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			moved := map[string]git.History{}
			for i := range test.merges {
				fmt.Fprintf(&b, "./oca/repo-%03d:\n  remotes: {oca: '%srepo-%03d.git'}\n  merges: [oca 17.0]\n", i, test.url, i)
				moved[fmt.Sprintf("repo-%03d.git 17.0", i)] = test.history
			}
			p, text, _ := describe(t, "merges: {group: all}", b.String(), moved)
			switch body := text.Body; {
			case len(body) > 60_000 || !utf8.ValidString(body):
				t.Errorf("%d bytes", len(body))
			case strings.Count(body, "<details>") != strings.Count(body, "</details>") || test.listed != strings.Contains(body, "<details>"):
				t.Errorf("%d are folded, %d unfolded", strings.Count(body, "<details>"), strings.Count(body, "</details>"))
			case !strings.HasSuffix(body, "how it is grouped.</sub>\n") || !strings.Contains(body, count(test.merges)):
				t.Errorf("the body is cut: …%s", body[len(body)-200:])
			}
			if test.merges > 40 && !strings.Contains(text.Body, " more merges | | | |\n") {
				t.Error("the table does not say that it goes on")
			}
			checkMessage(t, p, text)
		})
	}
}

func count(merges int) string {
	if merges == 1 {
		return "Nothing but 1 commit id in"
	}
	return fmt.Sprintf("Nothing but %d commit ids in", merges)
}

// M1: a title is within what forges take, and inert.
func TestFault_M1_Title(t *testing.T) {
	t.Parallel()
	ref := "f/@#@#" + strings.Repeat("@#", 100)
	repos := "./" + strings.Repeat("@", 150) + ":\n  remotes: {oca: https://git.example.org/r.git}\n  merges: ['oca " + ref + "']\n"
	_, text, _ := describe(t, "", repos, map[string]git.History{ref: history(1)})
	if n := utf8.RuneCountInString(text.Title); n > 250 {
		t.Errorf("a title of %d characters", n)
	}
	if strings.Contains(text.Title+text.Message, "@@") || strings.Contains(text.Title+text.Message, "@#") {
		t.Errorf("not inert: %q", text.Title)
	}
}

func TestDescribe_error(t *testing.T) {
	t.Parallel()
	up := newUpstreams(t, repos)
	locked := up.lock(t, repos)
	up.move(t, 11, "17.0-fix")
	plan := up.plan(t, "", repos, locked)
	_, err := plan.Proposals[0].Describe(t.Context(), noHistory{})
	if !errors.Is(err, git.ErrTransient) || !strings.HasPrefix(err.Error(), "read the history of https://git.example.org/acme/odoo.git: ") {
		t.Errorf("got %v", err)
	}
}

type noHistory struct{}

func (noHistory) Histories(context.Context, string, []git.Range) ([]git.History, error) {
	return nil, git.ErrTransient
}
