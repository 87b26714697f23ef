package source_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/source"
	"github.com/nuobit/odyssey/test/gitserver"
)

func materialize(t testing.TB, o source.Options, text string) *source.Report {
	t.Helper()
	report, err := source.Materialize(t.Context(), parse(t, text), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// What is in place is not written again, and nothing is asked of the server;
// whatever was changed in it is noticed.
func TestMaterialize_inPlace(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Add(t, gitserver.Commit{Branch: "main", Files: map[string]string{"a": "1", "d/b": "2", "l": "a", "x": "run"}, Modes: map[string]string{"l": gitserver.Symlink, "x": gitserver.Executable}})[0]
	text := entry("./it", repo.URL+" "+id)
	src := t.TempDir()
	o := options(t, t.TempDir(), src)
	materialize(t, o, text)
	want := files(t, src)
	in := func(name string) string { return filepath.Join(src, "it", name) }
	old := time.Unix(1_600_000_000, 0)
	for _, test := range []struct {
		name   string
		change func() error
		kept   bool
	}{
		{"nothing", func() error { return nil }, true},
		{"bytecode", func() error {
			if err := os.Mkdir(in("d/__pycache__"), 0o755); err != nil {
				return err
			}
			return os.WriteFile(in("d/__pycache__/b.pyc"), nil, 0o644)
		}, true},
		{"content", func() error { return os.WriteFile(in("a"), []byte("9"), 0o644) }, false},
		{"content with its times set back", func() error {
			if err := os.WriteFile(in("a"), []byte("9"), 0o644); err != nil {
				return err
			}
			return os.Chtimes(in("a"), old, old)
		}, false},
		{"mode", func() error { return os.Chmod(in("a"), 0o600) }, false},
		{"gone", func() error { return os.Remove(in("d/b")) }, false},
		{"all gone", func() error { return os.RemoveAll(in("")) }, false},
		{"another link", func() error {
			if err := os.Remove(in("l")); err != nil {
				return err
			}
			return os.Symlink("d", in("l"))
		}, false},
		{"mode of a directory", func() error { return os.Chmod(in("d"), 0o700) }, false},
		{"one more directory", func() error { return os.Mkdir(in("d/evil"), 0o755) }, false},
		{"more", func() error { return os.WriteFile(in("d/more"), nil, 0o644) }, false},
		{"a link for a directory", func() error {
			if err := os.Rename(in("d"), in("e")); err != nil {
				return err
			}
			return os.Symlink("e", in("d"))
		}, false},
	} {
		if err := test.change(); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		srv.Requests()
		report := materialize(t, o, text)
		if n := len(srv.Requests()); n != 0 || report.Destinations[0].InPlace != test.kept || report.Files != 4 || report.Fetched != 0 {
			t.Errorf("%s: %d requests, %+v", test.name, n, report)
		}
		if diff := cmp.Diff(want, files(t, src)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

// A source directory is taken over with a new cache, and where it was copied
// to, as long as it holds what the lock gives.
func TestMaterialize_adopt(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Add(t, gitserver.Commit{Branch: "main", Files: map[string]string{"a": "1", "d/b": "", "l": "a", "x": "run"}, Modes: map[string]string{"l": gitserver.Symlink, "x": gitserver.Executable}})[0]
	text := entry("./it", repo.URL+" "+id)
	src := t.TempDir()
	materialize(t, options(t, t.TempDir(), src), text)
	in := func(name string) string { return filepath.Join(src, "it", name) }
	if report := materialize(t, options(t, t.TempDir(), src), text); !report.Destinations[0].InPlace {
		t.Errorf("it was written again: %+v", report)
	}
	for name, change := range map[string]func() error{
		"more":    func() error { return os.WriteFile(in("d/more"), nil, 0o600) },
		"less":    func() error { return os.Remove(in("d/b")) },
		"content": func() error { return os.WriteFile(in("a"), []byte("2"), 0o644) },
		"mode":    func() error { return os.Chmod(in("x"), 0o644) },
		"link":    func() error { return os.Rename(in("a"), in("l")) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		before := files(t, src)
		_, err := source.Materialize(t.Context(), parse(t, text), options(t, t.TempDir(), src))
		wantError(t, err, "it is there, and holds other files than the lock gives")
		if diff := cmp.Diff(before, files(t, src)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if err := os.RemoveAll(in("")); err != nil {
			t.Fatal(err)
		}
		materialize(t, options(t, t.TempDir(), src), text)
	}
}

// Destinations that the lock has no more are removed with the directories that
// they leave empty; what others put there stays.
func TestMaterialize_gone(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	commit := repo.URL + " " + repo.Commit(t, "main", map[string]string{"a": "1"})
	src := t.TempDir()
	o := options(t, t.TempDir(), src)
	materialize(t, o, entry("./a", commit)+entry("./b/one", commit)+entry("./b/two", commit)+entry("./c/d/e", commit))
	if err := os.WriteFile(filepath.Join(src, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// b/two goes, c/d/e becomes c, and a becomes the parent of one.
	materialize(t, o, entry("./a/x", commit)+entry("./b/one", commit)+entry("./c", commit))
	var got []string
	for name := range files(t, src) {
		got = append(got, name)
	}
	want := []string{".", "a", "a/x", "a/x/a", "b", "b/one", "b/one/a", "c", "c/a", "mine"}
	if diff := cmp.Diff(strings.Join(want, " "), strings.Join(slices.Sorted(slices.Values(got)), " ")); diff != "" {
		t.Error(diff)
	}
}

// What people put in the place of a destination is theirs: it is neither
// overwritten nor removed.
func TestMaterialize_theirs(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	commit := repo.URL + " " + repo.Commit(t, "main", map[string]string{"a": "1"})
	src := t.TempDir()
	o := options(t, t.TempDir(), src)
	materialize(t, o, entry("./one", commit)+entry("./two", commit))
	for _, name := range []string{"one", "two"} {
		if err := os.RemoveAll(filepath.Join(src, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(src, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(src, name, "precious"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := files(t, src)
	_, err := source.Materialize(t.Context(), parse(t, entry("./one", commit)), o)
	wantError(t, err, "one is there, and holds other files")
	if err := os.RemoveAll(filepath.Join(src, "one")); err != nil {
		t.Fatal(err)
	}
	materialize(t, o, entry("./one", commit))
	after := files(t, src)
	if after["two/precious"] != before["two/precious"] || after["one/a"] == "" {
		t.Errorf("%v", after)
	}
}

// A build that fails removes nothing of an earlier lock.
func TestMaterialize_failsFirst(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", map[string]string{"a": "1"})
	src := t.TempDir()
	o := options(t, t.TempDir(), src)
	materialize(t, o, entry("./one", repo.URL+" "+id)+entry("./two", repo.URL+" "+id))
	before := files(t, src)
	_, err := source.Materialize(t.Context(), parse(t, entry("./one", srv.URL+"/none.git "+id)), o)
	wantError(t, err, "./one: ")
	if diff := cmp.Diff(before, files(t, src)); diff != "" {
		t.Error(diff)
	}
}

// Bytecode that a repository has is left out, and the rest stays in place.
func TestMaterialize_bytecode(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	text := entry("./it", repo.URL+" "+repo.Commit(t, "main", map[string]string{"m/a.py": "1", "m/__pycache__/a.pyc": "x"}))
	src := t.TempDir()
	o := options(t, t.TempDir(), src)
	materialize(t, o, text)
	if got := names(t, filepath.Join(src, "it", "m")); len(got) != 1 {
		t.Errorf("got %q", got)
	}
	if report := materialize(t, o, text); !report.Destinations[0].InPlace {
		t.Error("it was written again")
	}
}

// Commands of the lock are refused unless allowed, and see a work tree that is
// gone afterwards.
func TestMaterialize_shell(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", map[string]string{"a": "1\n", "d/b": "2\n"})
	text := func(commands string) string {
		return entry("./it", repo.URL+" "+id) + "  shell_command_after:\n" + commands
	}
	patch := text("  - echo 2 > a && git add a && git commit -qm patch && git rev-parse --is-inside-work-tree > inside\n  - git remote get-url r0 > url && git status --porcelain > status && rm d/b\n")
	src := t.TempDir()
	o := options(t, t.TempDir(), src)
	_, err := source.Materialize(t.Context(), parse(t, patch), o)
	wantError(t, err, "repos.lock.yaml:1: ./it: has shell_command_after", "--allow-shell-commands")
	if n := len(srv.Requests()); n != 0 {
		t.Errorf("%d requests before the refusal", n)
	}
	wantEmpty(t, src)
	o.AllowShellCommands = true
	materialize(t, o, patch)
	for name, want := range map[string]string{"a": "2\n", "inside": "true\n", "url": repo.URL + "\n", "status": "?? inside\n?? status\n?? url\n"} {
		if data, err := os.ReadFile(filepath.Join(src, "it", name)); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for _, name := range []string{".git", "d/b"} {
		if _, err := os.Lstat(filepath.Join(src, "it", name)); !os.IsNotExist(err) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
	if report := materialize(t, o, patch); !report.Destinations[0].InPlace {
		t.Error("the commands ran again")
	}
	before := files(t, src)
	_, err = source.Materialize(t.Context(), parse(t, text("  - echo said so; false\n")), o)
	wantError(t, err, "./it: shell_command_after echo said so; false: exit status 1", "said so")
	if diff := cmp.Diff(before, files(t, src)); diff != "" {
		t.Error(diff)
	}
}

// Destinations of one URL share what is fetched; a commit that came from one
// URL does not count for another.
func TestMaterialize_oneCache(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo, public := srv.Repo(t, "private"), srv.Repo(t, "public")
	first := repo.Commit(t, "main", map[string]string{"a": incompressible(50_000), "b": "1"})
	second := repo.Commit(t, "main", map[string]string{"b": "2"})
	public.Commit(t, "main", map[string]string{"c": "1"})
	cache := t.TempDir()
	o := options(t, cache, t.TempDir())
	report := materialize(t, o, entry("./one", repo.URL+" "+first)+entry("./two", repo.URL+" "+second)+entry("./three", repo.URL+" "+first))
	if report.Fetched < 50_000 || report.Fetched > 60_000 {
		t.Errorf("%d bytes fetched for a file of 50,000 that three destinations have: %+v", report.Fetched, report.Destinations)
	}
	_, err := source.Materialize(t.Context(), parse(t, entry("./one", public.URL+" "+first)), options(t, cache, t.TempDir()))
	wantError(t, err, "no such commit")
}

// incompressible is text of so many bytes, the same each time.
func incompressible(n int) string {
	random := rand.New(rand.NewPCG(1, 2))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(random.Uint32())
	}
	return string(out)
}
