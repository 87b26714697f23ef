package lock_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/lock"
)

func changes(all []lock.Change) []string {
	var out []string
	for _, c := range all {
		out = append(out, fmt.Sprintf("%s %s %s %.4s>%.4s %s", c.Dest, c.Remote, c.Ref, c.Old, c.New, c.URL))
	}
	return out
}

func TestChanges(t *testing.T) {
	t.Parallel()
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(locked) }
	bare := strings.NewReplacer("  # locked-from: nuobit 17.0-fix\n", "", "  # locked-from: odoo 17.0\n", "").Replace(locked)
	for _, test := range []struct {
		name, old, next string
		want            []string
	}{
		{"none", locked, locked, nil},
		{"moved", locked, replace(id("2"), id("a")), []string{"./odoo nuobit 17.0-fix 2222>aaaa https://h/nuobit"}},
		{"new", "", locked, []string{
			"./odoo odoo 17.0 >1111 https://h/odoo", "./odoo nuobit 17.0-fix >2222 https://h/nuobit", "./web oca 17.0 >3333 https://h/web", "./web nuobit 17.0-fix >4444 https://h/nuobit", "./web oca refs/pull/7/head >5555 https://h/web",
		}},
		{"gone", locked, "", []string{
			"./odoo odoo 17.0 1111> https://h/odoo", "./odoo nuobit 17.0-fix 2222> https://h/nuobit", "./web oca 17.0 3333> https://h/web", "./web nuobit 17.0-fix 4444> https://h/nuobit", "./web oca refs/pull/7/head 5555> https://h/web",
		}},
		{"another ref: one gone, one new", locked, replace("odoo 17.0\n  - odoo 1", "odoo 18.0\n  - odoo 9"), []string{"./odoo odoo 18.0 >9111 https://h/odoo", "./odoo odoo 17.0 1111> https://h/odoo"}},
		{"another destination", locked, replace("./odoo", "./o"), []string{
			"./o odoo 17.0 >1111 https://h/odoo", "./o nuobit 17.0-fix >2222 https://h/nuobit", "./odoo odoo 17.0 1111> https://h/odoo", "./odoo nuobit 17.0-fix 2222> https://h/nuobit",
		}},
		{"another URL", locked, replace("https://h/web", "https://mirror/web", id("3"), id("a")), []string{"./web oca 17.0 3333>aaaa https://mirror/web"}},
		{"without comments, by position", bare, replace(id("1"), id("a")), []string{"./odoo odoo 17.0 1111>aaaa https://h/odoo"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := lock.Changes(mustParseLock(t, test.old), mustParseLock(t, test.next))
			if diff := cmp.Diff(test.want, changes(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInSync(t *testing.T) {
	t.Parallel()
	more := locked + "  defaults: {depth: 10, a: [x, y], b: }\n"
	for _, test := range []struct {
		name, lock, next string
		want             bool
	}{
		{"same", more, more, true},
		{"layout and comments", more, strings.NewReplacer("{depth: 10, a: [x, y], b: }", "\n    'depth': 10 # c\n    a:\n    - \"x\"\n    - y\n    b: null", id("d"), id("e"), id("c"), id("9")).Replace(more), true},
		{"a lock without refs", strings.ReplaceAll(more, "# locked-from", "#"), more, true},
		{"not the other way round", more, strings.ReplaceAll(more, "# locked-from", "#"), false},
		{"commit", more, strings.ReplaceAll(more, id("2"), id("a")), false},
		{"ref", more, strings.ReplaceAll(more, "odoo 17.0\n  - ", "odoo 18.0\n  - "), false},
		{"URL", more, strings.ReplaceAll(more, "h/web", "h/x"), false},
		{"destination", more, strings.ReplaceAll(more, "./web", "./w"), false},
		{"target", more, strings.ReplaceAll(more, "target: odoo 17.0", "target: odoo x"), false},
		{"other key", more, strings.ReplaceAll(more, "depth: 10", "depth: 11"), false},
		{"number to text", more, strings.ReplaceAll(more, "depth: 10", "depth: '10'"), false},
		{"other key is gone", more, locked, false},
		{"a merge more", more, strings.ReplaceAll(more, "  - oca 5", "  - oca "+id("5")+"\n  - oca 5"), false},
		{"a destination less", more, strings.Split(more, "./web")[0], false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := lock.InSync(mustParseLock(t, test.lock), mustParseLock(t, test.next)); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	in := strings.NewReplacer("oca 17.0, nuobit 17.0-fix, oca refs/pull/7/head", "oca 17.0, oca 18.0", "target: odoo 17.0", "defaults: {depth: 1}").Replace(repos)
	resolver := newest()
	resolver.refs["https://h/web"]["18.0"] = id("c3")
	next, err := update(t, in, locked, lock.Refresh{All: true}, resolver)
	if err != nil {
		t.Fatal(err)
	}
	kept := lock.Keep(mustParseLock(t, locked), next)
	want := []string{"./odoo odoo 17.0 1111", "./odoo nuobit 17.0-fix 2222 base", "./odoo tree", "./web oca 17.0 3333", "./web oca 18.0 c3c3"}
	if diff := cmp.Diff(want, short(kept)); diff != "" {
		t.Error(diff)
	}
	if d := kept.Destinations[0]; d.Target != "" || len(d.Extra) != 1 {
		t.Errorf("the other keys are not those of repos.yaml: %+v", d)
	}
	if got := short(next)[0]; got != "./odoo odoo 17.0 a1a1" {
		t.Errorf("Keep changed its argument: %s", got)
	}
}

// A commit that stands in repos.yaml is locked as it is, whatever the lock has.
func TestKeep_commit(t *testing.T) {
	t.Parallel()
	const lockOf = "./a: {remotes: {o: https://h/o}, merges: [o %s]}\n"
	repos := mustParse(t, fmt.Sprintf(lockOf, id("b")))
	for _, old := range []string{"", fmt.Sprintf(lockOf, id("a")), fmt.Sprintf(lockOf, id("b"))} {
		locked := mustParseLock(t, old)
		kept := lock.Keep(locked, repos)
		if got := kept.Destinations[0].Merges[0].Commit; got != id("b") {
			t.Errorf("%q: kept %s", old, got)
		}
		if got, want := lock.InSync(locked, kept), strings.Contains(old, id("b")); got != want {
			t.Errorf("%q: in sync: %v", old, got)
		}
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	old := mustParseLock(t, locked)
	next, err := update(t, repos, locked, lock.Refresh{All: true}, newest())
	if err != nil {
		t.Fatal(err)
	}
	all := lock.Changes(old, next)
	for _, test := range []struct {
		name  string
		moves []lock.Change
		want  []string
	}{
		{"none", nil, short(old)},
		{"one", all[1:2], []string{
			"./odoo odoo 17.0 1111", "./odoo nuobit 17.0-fix b1b1",
			"./web oca 17.0 3333", "./web nuobit 17.0-fix 4444", "./web oca refs/pull/7/head 5555", "./web tree",
		}},
		{"a destination", all[2:], []string{
			"./odoo odoo 17.0 1111", "./odoo nuobit 17.0-fix 2222 base", "./odoo tree",
			"./web oca 17.0 c1c1", "./web nuobit 17.0-fix b1b1", "./web oca refs/pull/7/head c2c2",
		}},
		{"all", all, short(next)},
		{"what is new or gone is no move", []lock.Change{{Dest: "./odoo", Remote: "odoo", Ref: "17.0", New: id("9")}, {Dest: "./web", Remote: "oca", Ref: "17.0", Old: id("3")}}, short(old)},
		{"a move from elsewhere", []lock.Change{{Dest: "./x", Remote: "odoo", Ref: "17.0", Old: id("1"), New: id("9")}}, short(old)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, short(lock.Apply(old, test.moves))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestPatch: a lock that is laid out in its own way keeps that way.
func TestPatch(t *testing.T) {
	t.Parallel()
	old := mustParseLock(t, locked)
	next, err := update(t, repos, locked, lock.Refresh{All: true}, newest())
	if err != nil {
		t.Fatal(err)
	}
	all := lock.Changes(old, next)
	got, err := lock.Patch([]byte(locked), old, all[1:3], operator)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(id("2"), id("b1"), "  # merge-base: "+id("c")+"\n", "", "  # tree: "+id("d")+"\n", "", id("3"), id("c1"), "  # tree: "+id("e")+"\n", "").Replace(locked)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// TestPatch_anew: where the text cannot be patched, the whole is written.
func TestPatch_anew(t *testing.T) {
	t.Parallel()
	shared := "./a: &a\n  remotes: {o: https://h/o}\n  merges: [o " + id("1") + "]\n./b: *a\n"
	old := mustParseLock(t, shared)
	move := lock.Change{Dest: "./b", Remote: "o", Ref: "1", Old: id("1"), New: id("2")}
	got, err := lock.Patch([]byte(shared), old, []lock.Change{move}, operator)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"./a o  1111", "./b o 1 2222"}, short(mustParseLock(t, string(got)))); diff != "" {
		t.Error(diff)
	}
}
