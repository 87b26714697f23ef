package git_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// openStore opens a store that is closed at the end of the test.
func openStore(t testing.TB, o git.Options, dir string) *git.Store {
	t.Helper()
	s, err := git.New(o).OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

// wantsOf are commits of no known ref.
func wantsOf(ids ...string) (wants []git.Want) {
	for _, id := range ids {
		wants = append(wants, git.Want{Commit: id})
	}
	return wants
}

// fetch fetches commits and returns how many bytes came.
func fetch(t testing.TB, s *git.Store, url string, bases []string, ids ...string) int64 {
	t.Helper()
	n, err := s.Fetch(t.Context(), url, wantsOf(ids...), bases, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// contents are the files of a tree of the store: mode and content by path.
func contents(t testing.TB, s *git.Store, tree string) map[string]string {
	t.Helper()
	entries, err := s.List(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	ids, all := []string{}, map[string]string{}
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	err = s.Blobs(t.Context(), ids, func(i int, size int64, content io.Reader) error {
		data, err := io.ReadAll(content)
		if int64(len(data)) != size {
			t.Errorf("%s has %d bytes, of %d", entries[i].Path, len(data), size)
		}
		all[entries[i].Path] = entries[i].Mode + " " + string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// commitContents are the files of a commit of the store.
func commitContents(t testing.TB, s *git.Store, commit string) map[string]string {
	t.Helper()
	tree, err := s.TreeOf(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	return contents(t, s, tree)
}

// below lists the files below a directory, directories left out.
func below(t testing.TB, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		// A running process has the pool's own HEAD there.
		if err == nil && !e.IsDir() && !strings.HasSuffix(name, "/pool/HEAD") {
			rel, _ := filepath.Rel(dir, name)
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// runs are the directories of processes in a store.
func runs(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestOpenStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b c")
	s := openStore(t, options(), dir)
	if s.Dir() != dir || len(runs(t, dir)) != 1 {
		t.Errorf("%s: %q", s.Dir(), runs(t, dir))
	}
	if err := s.Close(); err != nil || len(runs(t, dir)) != 0 {
		t.Errorf("%v: %q", err, runs(t, dir))
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "x"), t.TempDir() + "/a\nb"} {
		if _, err := git.New(options()).OpenStore(bad); err == nil || !strings.HasPrefix(err.Error(), "cache: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// What a process left that died is swept away, once it is no longer young; what
// another process holds stays.
func TestOpenStore_sweeps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	live := openStore(t, options(), dir)
	held := runs(t, dir)[0]
	long := time.Now().Add(-time.Hour)
	for _, name := range []string{"run-dead", "run-young"} {
		if err := os.MkdirAll(filepath.Join(dir, "tmp", name, "fetch-1"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"run-dead", held} {
		if err := os.Chtimes(filepath.Join(dir, "tmp", name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	s := openStore(t, options(), dir)
	left := runs(t, dir)
	if len(left) != 3 || !slices.Contains(left, held) || !slices.Contains(left, "run-young") {
		t.Errorf("left: %q, and %q is in use", left, held)
	}
	if err := errors.Join(live.Remember("k", "v"), s.Remember("l", "w")); err != nil {
		t.Error(err)
	}
}

func TestStore_memory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, options(), dir)
	for _, key := range []string{"", "a", "a\nb", strings.Repeat("x", 10_000), "../../x"} {
		if got := s.Recall(key); got != "" {
			t.Errorf("%.20q: %q", key, got)
		}
		if err := s.Remember(key, "value of "+key[:min(1, len(key))]); err != nil {
			t.Error(err)
		}
	}
	again := openStore(t, options(), dir)
	if got := again.Recall("a\nb"); got != "value of a" {
		t.Errorf("got %q", got)
	}
	for _, commit := range []string{"", "..", "../../HEAD", "HEAD", strings.Repeat("A", 40)} {
		if s.Has("https://git.example/r", commit) {
			t.Errorf("it has %q", commit)
		}
	}
}

// Nothing that is no object id reaches git, where it could be an option.
func TestFault_G1_ObjectIDs(t *testing.T) { //nolint:paralleltest // the PATH is the process's
	s := openStore(t, options(), t.TempDir())
	called := decoys(t)
	ctx, id := t.Context(), strings.Repeat("a", 40)
	for _, bad := range []string{"", "-x", "--upload-pack=touch canary", "--output=x", "HEAD", "$(id)", id + "\n" + id, id + "^", "../" + id, strings.Repeat("A", 40)} {
		tip := []git.Tip{{URL: "https://git.example/r", Want: git.Want{Commit: bad}}}
		_, list := s.List(ctx, bad)
		_, treeOf := s.TreeOf(ctx, bad)
		_, fetch := s.Fetch(ctx, "https://git.example/r", []git.Want{{Commit: bad}}, nil, nil)
		_, bases := s.Fetch(ctx, "https://git.example/r", []git.Want{{Commit: id}}, []string{bad}, nil)
		_, graph := s.Graph(ctx, tip)
		_, replay := s.Replay(ctx, tip)
		_, worktree := s.Worktree(ctx, bad, t.TempDir(), nil)
		_, base := s.MergeTrees(ctx, git.Three{Base: bad, Ours: id, Theirs: id}, nil)
		for name, err := range map[string]error{
			"List": list, "TreeOf": treeOf, "Fetch": fetch, "bases": bases, "Graph": graph, "Replay": replay, "Worktree": worktree, "MergeTrees": base,
			"Checkout": s.Checkout(ctx, bad, t.TempDir()),
			"Blobs":    s.Blobs(ctx, []string{id, bad}, func(int, int64, io.Reader) error { return nil }),
		} {
			if err == nil || !strings.Contains(err.Error(), "is no object id") {
				t.Errorf("%s: %q: %v", name, bad, err)
			}
		}
	}
	for _, ref := range []string{"-x", "--upload-pack=touch canary", "$(id)", "a\nb", "a:refs/heads/b", "+a", "a b", "a..b"} {
		want := git.Want{Commit: id, Ref: ref}
		tip := []git.Tip{{URL: "https://git.example/r", Want: want}}
		_, fetch := s.Fetch(ctx, "https://git.example/r", []git.Want{want}, nil, nil)
		_, graph := s.Graph(ctx, tip)
		_, replay := s.Replay(ctx, tip)
		for name, err := range map[string]error{"Fetch": fetch, "Graph": graph, "Replay": replay} {
			if err == nil || !strings.Contains(err.Error(), "ref") {
				t.Errorf("%s: %q: %v", name, ref, err)
			}
		}
	}
	for _, url := range []string{"-x", "--upload-pack=touch canary", "ext::touch canary", "https://ann:secret@git.example/r", "https://git.example/a\nb"} {
		tip := []git.Tip{{URL: url, Want: git.Want{Commit: id}}}
		_, fetch := s.Fetch(ctx, url, []git.Want{{Commit: id}}, nil, nil)
		_, graph := s.Graph(ctx, tip)
		_, replay := s.Replay(ctx, tip)
		for name, err := range map[string]error{"Fetch": fetch, "Graph": graph, "Replay": replay} {
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %q: %v", name, url, err)
			}
		}
	}
	for words := range strings.Lines(called()) {
		if strings.Contains(words, "fetch") || strings.Contains(words, "canary") {
			t.Errorf("git was called with %s", words)
		}
	}
}

// A cache that somebody has taken objects out of says so.
func TestStore_damaged(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", map[string]string{"a": "1"})
	dir := t.TempDir()
	s := openStore(t, options(), dir)
	fetch(t, s, repo.URL, nil, id)
	if err := os.RemoveAll(filepath.Join(s.Dir(), "objects", "pack")); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, options(), dir) // another process: this one keeps what it fetched
	want := "the cache " + s.Dir() + " is damaged; remove it and build again"
	if _, err := s.TreeOf(t.Context(), id); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("TreeOf: %v", err)
	}
	if err := s.Blobs(t.Context(), []string{id}, func(int, int64, io.Reader) error { return nil }); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Blobs: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.TreeOf(ctx, id); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Checkout writes what git checkout would: line ends, $Id$.
func TestStore_Checkout(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Add(t, gitserver.Commit{
		Branch: "main",
		Files: map[string]string{
			".gitattributes": "*.bat text eol=crlf\n*.v ident\n", "d/.gitattributes": "*.bat -text\n", "a.bat": "a\nb\n", "d/a.bat": "a\nb\n", "x.v": "$Id$\n",
			"run": "x", "link": "run",
		},
		Modes: map[string]string{"run": gitserver.Executable, "link": gitserver.Symlink},
	})[0]
	s := openStore(t, options(), t.TempDir())
	fetch(t, s, repo.URL, nil, id)
	tree, err := s.TreeOf(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := s.Checkout(t.Context(), tree, dir); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range below(t, dir) {
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || info.Mode()&fs.ModeSymlink != 0 {
			got[name], _ = os.Readlink(filepath.Join(dir, name))
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = string(data)
	}
	want := map[string]string{
		".gitattributes": "*.bat text eol=crlf\n*.v ident\n", "d/.gitattributes": "*.bat -text\n", "a.bat": "a\r\nb\r\n", "d/a.bat": "a\nb\n",
		"x.v": fmt.Sprintf("$Id: %s $\n", repo.Git(t, "rev-parse", id+":x.v")), "run": "x", "link": "run",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(filepath.Join(dir, "run")); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("run: %v, %v", info.Mode(), err)
	}
	if below(t, filepath.Join(s.Dir(), "tmp")) != nil {
		t.Errorf("left in tmp: %q", below(t, filepath.Join(s.Dir(), "tmp")))
	}
}
