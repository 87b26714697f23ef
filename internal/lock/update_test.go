package lock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/lock"
)

// id is a commit id that a test can write in short: id("a1") is a1a1a1….
func id(s string) string { return strings.Repeat(s, 40/len(s)) }

// remotes is a Resolver: URL -> ref -> commit. It remembers what it was asked.
type remotes struct {
	refs   map[string]map[string]string
	broken map[string]error

	mu    sync.Mutex
	asked []string // "URL ref ref"
}

func (r *remotes) Resolve(_ context.Context, url string, refs []string) (map[string]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, url+" "+strings.Join(refs, " "))
	if err := r.broken[url]; err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, ref := range refs {
		if commit := r.refs[url][ref]; commit != "" {
			found[ref] = commit
		}
	}
	return found, nil
}

func (r *remotes) Refs(_ context.Context, url string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, url+" *")
	var refs []string
	for ref := range r.refs[url] {
		refs = append(refs, ref)
	}
	slices.Sort(refs)
	return refs, nil
}

func (r *remotes) calls() []string {
	slices.Sort(r.asked)
	return r.asked
}

const repos = `
./odoo:
  remotes: {odoo: https://h/odoo, nuobit: https://h/nuobit}
  merges: [odoo 17.0, nuobit 17.0-fix]
  target: odoo 17.0
./web:
  remotes: {oca: https://h/web, nuobit: https://h/nuobit}
  merges: [oca 17.0, nuobit 17.0-fix, oca refs/pull/7/head]
`

const locked = `
./odoo:
  remotes: {odoo: https://h/odoo, nuobit: https://h/nuobit}
  target: odoo 17.0
  merges:
  # locked-from: odoo 17.0
  - odoo 1111111111111111111111111111111111111111
  # locked-from: nuobit 17.0-fix
  # merge-base: cccccccccccccccccccccccccccccccccccccccc
  - nuobit 2222222222222222222222222222222222222222
  # tree: dddddddddddddddddddddddddddddddddddddddd
./web:
  remotes: {oca: https://h/web, nuobit: https://h/nuobit}
  merges:
  # locked-from: oca 17.0
  - oca 3333333333333333333333333333333333333333
  # locked-from: nuobit 17.0-fix
  - nuobit 4444444444444444444444444444444444444444
  # locked-from: oca refs/pull/7/head
  - oca 5555555555555555555555555555555555555555
  # tree: eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee
`

func newest() *remotes {
	return &remotes{refs: map[string]map[string]string{
		"https://h/odoo":   {"17.0": id("a1"), "18.0": id("a2"), "16.0": id("a3")},
		"https://h/nuobit": {"17.0-fix": id("b1"), "17.0": id("b2")},
		"https://h/web":    {"17.0": id("c1"), "refs/pull/7/head": id("c2")},
	}}
}

// short is the merges of a file: "./odoo odoo 17.0 1111", and its records.
func short(f *lock.File) []string {
	var out []string
	for _, d := range f.Destinations {
		for _, m := range d.Merges {
			line := fmt.Sprintf("%s %s %s %.4s", d.Path, m.Remote, m.Ref, m.Commit)
			if m.MergeBase != "" {
				line += " base"
			}
			out = append(out, line)
		}
		if d.Tree != "" {
			out = append(out, d.Path+" tree")
		}
	}
	return out
}

func update(t testing.TB, repos, old string, refresh lock.Refresh, resolver lock.Resolver) (*lock.File, error) {
	t.Helper()
	return lock.Update(t.Context(), mustParse(t, repos), mustParseLock(t, old), refresh, resolver, 4)
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	kept := []string{
		"./odoo odoo 17.0 1111", "./odoo nuobit 17.0-fix 2222 base", "./odoo tree",
		"./web oca 17.0 3333", "./web nuobit 17.0-fix 4444", "./web oca refs/pull/7/head 5555", "./web tree",
	}
	without := func(line string) string { // a lock without its comments
		var b strings.Builder
		for l := range strings.Lines(locked) {
			if !strings.HasPrefix(strings.TrimSpace(l), "#") {
				b.WriteString(l)
			}
		}
		return b.String() + line
	}
	replace := func(in string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(in) }
	for _, test := range []struct {
		name, repos, lock string
		refresh           lock.Refresh
		want, asked       []string
	}{
		{name: "nothing to do", repos: repos, lock: locked, want: kept},
		{name: "no lock", repos: repos, lock: "", want: []string{
			"./odoo odoo 17.0 a1a1", "./odoo nuobit 17.0-fix b1b1", "./web oca 17.0 c1c1", "./web nuobit 17.0-fix b1b1", "./web oca refs/pull/7/head c2c2",
		}, asked: []string{"https://h/nuobit 17.0-fix", "https://h/odoo 17.0", "https://h/web 17.0 refs/pull/7/head"}},
		{name: "one merge", repos: repos, lock: locked, refresh: lock.Refresh{Merges: []lock.MergeName{{Dest: "odoo/", Remote: "nuobit", Ref: "17.0-fix"}}}, want: []string{
			"./odoo odoo 17.0 1111", "./odoo nuobit 17.0-fix b1b1", "./web oca 17.0 3333", "./web nuobit 17.0-fix 4444", "./web oca refs/pull/7/head 5555", "./web tree",
		}, asked: []string{"https://h/nuobit 17.0-fix"}},
		{name: "one destination", repos: repos, lock: locked, refresh: lock.Refresh{Destinations: []string{"web"}}, want: []string{
			"./odoo odoo 17.0 1111", "./odoo nuobit 17.0-fix 2222 base", "./odoo tree", "./web oca 17.0 c1c1", "./web nuobit 17.0-fix b1b1", "./web oca refs/pull/7/head c2c2",
		}, asked: []string{"https://h/nuobit 17.0-fix", "https://h/web 17.0 refs/pull/7/head"}},
		{name: "all, each remote asked once", repos: repos, lock: locked, refresh: lock.Refresh{All: true}, want: []string{
			"./odoo odoo 17.0 a1a1", "./odoo nuobit 17.0-fix b1b1", "./web oca 17.0 c1c1", "./web nuobit 17.0-fix b1b1", "./web oca refs/pull/7/head c2c2",
		}, asked: []string{"https://h/nuobit 17.0-fix", "https://h/odoo 17.0", "https://h/web 17.0 refs/pull/7/head"}},
		{name: "a merge is new, one is gone", repos: replace(repos, "odoo 17.0, nuobit 17.0-fix]", "odoo 17.0, odoo 18.0]"), lock: locked, want: append([]string{
			"./odoo odoo 17.0 1111", "./odoo odoo 18.0 a2a2",
		}, kept[3:]...), asked: []string{"https://h/odoo 18.0"}},
		{name: "a destination is new, one is gone", repos: replace(repos, "./odoo", "./o"), lock: locked, want: append([]string{
			"./o odoo 17.0 a1a1", "./o nuobit 17.0-fix b1b1",
		}, kept[3:]...), asked: []string{"https://h/nuobit 17.0-fix", "https://h/odoo 17.0"}},
		{name: "a destination is spelled differently", repos: replace(repos, "./odoo", "odoo/"), lock: locked, want: append([]string{
			"odoo/ odoo 17.0 1111", "odoo/ nuobit 17.0-fix 2222 base", "odoo/ tree",
		}, kept[3:]...)},
		{name: "another URL keeps the commit", repos: replace(repos, "https://h/web", "https://mirror/web"), lock: locked, want: kept},
		{name: "a renamed remote is resolved anew", repos: replace(repos, "odoo: https://h/odoo", "upstream: https://h/odoo", "[odoo 17.0,", "[upstream 17.0,", "target: odoo 17.0", ""), lock: locked, want: append([]string{
			"./odoo upstream 17.0 a1a1", "./odoo nuobit 17.0-fix 2222",
		}, kept[3:]...), asked: []string{"https://h/odoo 17.0"}},
		{name: "another order", repos: replace(repos, "[oca 17.0, nuobit 17.0-fix, oca refs/pull/7/head]", "[nuobit 17.0-fix, oca refs/pull/7/head, oca 17.0]"), lock: locked, want: append(slices.Clone(kept[:3]),
			"./web nuobit 17.0-fix 4444", "./web oca refs/pull/7/head 5555", "./web oca 17.0 3333",
		)},
		{name: "order of destinations", repos: "./web:\n" + strings.Split(repos, "./web:\n")[1] + strings.Split(repos, "./web:")[0], lock: locked, want: append(slices.Clone(kept[3:]), kept[:3]...)},
		{name: "the same merge twice", repos: replace(repos, "[odoo 17.0,", "[odoo 17.0, odoo 17.0,"), lock: locked, want: append([]string{
			"./odoo odoo 17.0 1111", "./odoo odoo 17.0 a1a1", "./odoo nuobit 17.0-fix 2222",
		}, kept[3:]...), asked: []string{"https://h/odoo 17.0"}},
		{name: "a lock without comments, by position", repos: repos, lock: without(""), want: []string{
			"./odoo odoo 17.0 1111", "./odoo nuobit 17.0-fix 2222", "./web oca 17.0 3333", "./web nuobit 17.0-fix 4444", "./web oca refs/pull/7/head 5555",
		}},
		{name: "a lock without comments, another order", repos: replace(repos, "[odoo 17.0, nuobit 17.0-fix]", "[nuobit 17.0-fix, odoo 17.0]"), lock: without(""), want: []string{
			"./odoo nuobit 17.0-fix b1b1", "./odoo odoo 17.0 a1a1", "./web oca 17.0 3333", "./web nuobit 17.0-fix 4444", "./web oca refs/pull/7/head 5555",
		}, asked: []string{"https://h/nuobit 17.0-fix", "https://h/odoo 17.0"}},
		{name: "a commit is locked as it is", repos: replace(repos, "[odoo 17.0,", "[odoo "+id("f")+","), lock: locked, refresh: lock.Refresh{All: true}, want: []string{
			"./odoo odoo " + id("f") + " ffff", "./odoo nuobit 17.0-fix b1b1", "./web oca 17.0 c1c1", "./web nuobit 17.0-fix b1b1", "./web oca refs/pull/7/head c2c2",
		}, asked: []string{"https://h/nuobit 17.0-fix", "https://h/web 17.0 refs/pull/7/head"}},
		{name: "options and other keys change, commits stay", repos: replace(repos, "- oca", "- oca", "nuobit 17.0-fix]\n  target: odoo 17.0", "{remote: nuobit, ref: 17.0-fix, depth: 9}]\n  defaults: {depth: 1}"), lock: locked, want: kept},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			resolver := newest()
			got, err := update(t, test.repos, test.lock, test.refresh, resolver)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, short(got)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.asked, resolver.calls()); diff != "" {
				t.Errorf("asked: %s", diff)
			}
		})
	}
}

// A lock whose only fault is that its commits moved keeps no records of trees.
func TestUpdate_records(t *testing.T) {
	t.Parallel()
	resolver := newest()
	resolver.refs["https://h/odoo"]["17.0"] = id("1") // as locked
	resolver.refs["https://h/nuobit"]["17.0-fix"] = id("2")
	got, err := update(t, repos, locked, lock.Refresh{Destinations: []string{"./odoo"}}, resolver)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"./odoo odoo 17.0 1111", "./odoo nuobit 17.0-fix 2222 base", "./odoo tree"}
	if diff := cmp.Diff(want, short(got)[:3]); diff != "" {
		t.Error(diff)
	}
}

func TestUpdate_names(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		refresh lock.Refresh
		want    string
	}{
		{"destination", lock.Refresh{Destinations: []string{"./odo"}}, "there is no destination ./odo\n  near: ./odoo\n  all: ./odoo, ./web"},
		{"nothing near", lock.Refresh{Destinations: []string{"enterprise"}}, "there is no destination enterprise\n  all: ./odoo, ./web"},
		{"destination of a merge", lock.Refresh{Merges: []lock.MergeName{{Dest: "./wep", Remote: "oca", Ref: "17.0"}}}, "there is no destination ./wep\n  near: ./web\n  all: ./odoo, ./web"},
		{"ref", lock.Refresh{Merges: []lock.MergeName{{Dest: "./odoo", Remote: "odoo", Ref: "17.O"}}}, "there is no merge ./odoo odoo 17.O\n  near: ./odoo odoo 17.0\n  all: ./odoo odoo 17.0, ./odoo nuobit 17.0-fix"},
		{"remote", lock.Refresh{Merges: []lock.MergeName{{Dest: "odoo", Remote: "nuobi", Ref: "17.0-fix"}}}, "there is no merge odoo nuobi 17.0-fix\n  near: ./odoo nuobit 17.0-fix\n  all: ./odoo odoo 17.0, ./odoo nuobit 17.0-fix"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			resolver := newest()
			_, err := update(t, repos, locked, test.refresh, resolver)
			name := (*lock.NameError)(nil)
			if !errors.As(err, &name) || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if len(resolver.asked) > 0 {
				t.Errorf("remotes were asked: %q", resolver.asked)
			}
		})
	}
}

// Every fault of every remote is in the error, in the order of the lines.
func TestUpdate_faults(t *testing.T) {
	t.Parallel()
	resolver := newest()
	resolver.broken = map[string]error{"https://h/nuobit": errors.New("connection refused")}
	in := strings.NewReplacer("[odoo 17.0,", "[odoo 17.O,", "[oca 17.0,", "[oca 1,", "refs/pull/7/head", "refs/pull/8/head").Replace(repos)
	_, err := update(t, in, "", lock.Refresh{}, resolver)
	want := `repos.yaml:3: remote nuobit: connection refused
repos.yaml:4: ./odoo: merge "odoo 17.O" not found on https://h/odoo
  near: 17.0, 16.0, 18.0
repos.yaml:8: ./web: merge "oca 1" not found on https://h/web
repos.yaml:8: ./web: merge "oca refs/pull/8/head" not found on https://h/web
  near: refs/pull/7/head`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	remote := (*lock.RemoteError)(nil)
	if !errors.As(err, &remote) || remote.Line != 3 || remote.Name != "nuobit" || errors.Unwrap(remote).Error() != "connection refused" {
		t.Errorf("remote error %+v", remote)
	}
}

func TestUpdate_cancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := lock.Update(ctx, mustParse(t, repos), &lock.File{}, lock.Refresh{}, newest(), 1)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// blocking answers when as many are asked at once as it waits for.
type blocking struct {
	*remotes
	arrived sync.WaitGroup
}

func (b *blocking) Resolve(ctx context.Context, url string, refs []string) (map[string]string, error) {
	b.arrived.Done()
	b.arrived.Wait()
	return b.remotes.Resolve(ctx, url, refs)
}

func TestUpdate_concurrent(t *testing.T) {
	t.Parallel()
	resolver := &blocking{remotes: newest()}
	resolver.arrived.Add(3)
	if _, err := update(t, repos, "", lock.Refresh{}, resolver); err != nil {
		t.Error(err)
	}
}
