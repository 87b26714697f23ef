package source_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/source"
	"github.com/nuobit/odyssey/test/gitserver"
)

// build materialises the text of a lock into a new directory.
func build(t testing.TB, text string) (src string, err error) {
	t.Helper()
	src = t.TempDir()
	_, err = source.Materialize(t.Context(), parse(t, text), options(t, t.TempDir(), src))
	return src, err
}

func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got  %v\nwant …%s…", err, part)
		}
	}
}

func wantEmpty(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("%s holds %v, %v", dir, entries, err)
	}
}

// What a tree may not hold is refused, and nothing is written.
func TestMaterialize_refused(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	link := func(name, target string) gitserver.Commit {
		return gitserver.Commit{Branch: "main", Files: map[string]string{name: target}, Modes: map[string]string{name: gitserver.Symlink}}
	}
	for _, test := range []struct {
		name   string
		commit gitserver.Commit
		want   []string
	}{
		{"submodule", gitserver.Commit{}, []string{"repos.lock.yaml:1: ./it: sub/module: submodules are not supported", "destination of its own"}},
		{"lfs", gitserver.Commit{Branch: "main", Files: map[string]string{"big.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("0", 64) + "\nsize 12345\n"}}, []string{"big.bin is a Git LFS pointer"}},
		{"lfs with line ends", gitserver.Commit{Branch: "main", Files: map[string]string{".gitattributes": "* text=auto eol=lf\n", "big.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("0", 64) + "\nsize 12345\n"}}, []string{"big.bin is a Git LFS pointer"}},
		{"link to root", link("l", "/etc/passwd"), []string{"point out of the source directory", "l -> /etc/passwd"}},
		{"link up", link("a/l", "../../../x"), []string{"a/l -> ../../../x"}},
		{"link through", link("l", "d/../../.."), []string{"l -> d/../../.."}},
		{"link without target", link("l", ""), []string{"l is a link with a target of 0 bytes"}},
		{"link with an endless target", link("l", strings.Repeat("x/", 3000)), []string{"l is a link with a target of 6000 bytes"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			repo := srv.Repo(t, strings.ReplaceAll(test.name, " ", "-"))
			var id string
			if test.name == "submodule" {
				id = fastImport(t, repo, "commit refs/heads/main\nmark :1\ncommitter a <a@example.com> 1700000000 +0000\ndata 1\nx\nM 160000 "+strings.Repeat("12", 20)+" sub/module\n\n", 1)[0]
			} else {
				id = repo.Add(t, test.commit)[0]
			}
			src, err := build(t, entry("./it", repo.URL+" "+id))
			wantError(t, err, test.want...)
			wantEmpty(t, src)
		})
	}
}

// Trees that git itself would not write: names that lead elsewhere, or twice.
func TestFault_G3_HostileTrees(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	for name, entries := range map[string]string{
		"dot-git":       "040000 tree %T\t.git\x00",
		"dot-GIT":       "040000 tree %T\t.GiT\x00",
		"git tilde":     "040000 tree %T\tgit~1\x00",
		"dots":          "040000 tree %T\t..\x00",
		"dot":           "100644 blob %B\t.\x00",
		"twice":         "100644 blob %B\ta\x00100644 blob %B\ta\x00",
		"link and tree": "120000 blob %L\ta\x00040000 tree %T\ta\x00",
		"tree and link": "040000 tree %T\ta\x00120000 blob %L\ta\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := srv.Repo(t, strings.ReplaceAll(name, " ", "-"))
			blob := repo.GitStdin(t, "x", "hash-object", "-w", "--stdin")
			target := repo.GitStdin(t, "/tmp", "hash-object", "-w", "--stdin")
			tree := repo.GitStdin(t, "100644 blob "+blob+"\tf\x00", "mktree", "-z")
			var raw strings.Builder
			for line := range strings.SplitSeq(strings.TrimSuffix(entries, "\x00"), "\x00") {
				head, path, _ := strings.Cut(line, "\t")
				mode, _, _ := strings.Cut(head, " ")
				id := map[bool]string{true: tree, false: blob}[strings.Contains(head, "%T")]
				if strings.Contains(head, "%L") {
					id = target
				}
				raw.WriteString(strings.TrimPrefix(mode, "0") + " " + path + "\x00" + unhex(t, id))
			}
			hostile := repo.GitStdin(t, raw.String(), "hash-object", "--literally", "-t", "tree", "-w", "--stdin")
			id := repo.Git(t, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit-tree", "-m", "x", hostile)
			repo.SetRef(t, "refs/heads/main", id)
			src, err := build(t, entry("./it", repo.URL+" "+id))
			if err == nil {
				t.Error("it was written")
			}
			wantEmpty(t, src)
		})
	}
}

func unhex(t testing.TB, id string) string {
	t.Helper()
	var out []byte
	for i := 0; i < len(id); i += 2 {
		out = append(out, byte(strings.IndexByte("0123456789abcdef", id[i])<<4|strings.IndexByte("0123456789abcdef", id[i+1])))
	}
	return string(out)
}

// The message names the two refs, the files, their addons and the commands.
func TestMaterialize_conflict(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "OCA/tools")
	file := "base_exception/models/base_exception.py"
	ids := repo.Add(t,
		gitserver.Commit{Branch: "17.0", Files: map[string]string{file: "1\n", "base_exception/__manifest__.py": "{}", "other": "1\n"}},
		gitserver.Commit{Branch: "17.0", Files: map[string]string{file: "2\n"}},
		gitserver.Commit{Branch: "fine", Parents: []string{":1"}, Files: map[string]string{"fine": "1\n", "other": "2\n"}},
		gitserver.Commit{Branch: "bad", Parents: []string{":1"}, Files: map[string]string{file: "3\n"}},
		gitserver.Commit{Branch: "worse", Parents: []string{":1"}, Files: map[string]string{"other": "3\n"}})
	text := func(last string) string {
		return "./oca/tools:\n  remotes:\n    oca: " + repo.URL + "\n  merges:\n  # locked-from: oca 17.0\n  - oca " + ids[1] +
			"\n  # locked-from: oca refs/pull/1/head\n  - oca " + ids[2] + "\n  # locked-from: oca refs/pull/3091/head\n  - oca " + last + "\n"
	}
	src, err := build(t, text(ids[3]))
	conflict := (*source.ConflictError)(nil)
	if !errors.As(err, &conflict) {
		t.Fatalf("got %v", err)
	}
	want := "repos.lock.yaml:1: ./oca/tools: oca refs/pull/3091/head at " + ids[3][:7] + " conflicts with oca 17.0 at " + ids[1][:7] + `
  base_exception/models/base_exception.py (addon base_exception): CONFLICT (content)
  to see it yourself:
    git init conflict && cd conflict
    git fetch ` + repo.URL + " " + ids[1] + ` && git reset --hard FETCH_HEAD
    git fetch ` + repo.URL + " " + ids[2] + ` && git merge --no-edit FETCH_HEAD
    git fetch ` + repo.URL + " " + ids[3] + " && git merge --no-edit FETCH_HEAD"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	wantEmpty(t, src)
	_, err = build(t, text(ids[4]))
	wantError(t, err, "conflicts with oca refs/pull/1/head at "+ids[2][:7])
}

func TestMaterialize_staging(t *testing.T) {
	t.Parallel()
	for _, dest := range []string{"./.odyssey-staging", ".odyssey-staging/x"} {
		src, err := build(t, entry(dest, "https://git.example/r.git "+strings.Repeat("ab", 20)))
		wantError(t, err, "repos.lock.yaml:1: "+dest+": is a directory that a build itself uses")
		wantEmpty(t, src)
	}
}

// All destinations that fail are reported, and the good ones are there.
func TestMaterialize_severalFaults(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", map[string]string{"a": "1"})
	gone := strings.Repeat("ab", 20)
	unrelated := repo.Add(t, gitserver.Commit{Branch: "other", Orphan: true, Files: map[string]string{"b": "1"}})[0]
	text := entry("./good", repo.URL+" "+id) +
		strings.Replace(entry("./gone", repo.URL+" "+gone), "  - r0", "  # locked-from: r0 17.0\n  - r0", 1) +
		entry("./missing", srv.URL+"/none.git "+id) + entry("./unrelated", repo.URL+" "+id, repo.URL+" "+unrelated)
	src, err := build(t, text)
	wantError(t, err,
		"./gone: "+repo.URL+": no such commit", gone, "lock-repos --refresh-merge ./gone r0 17.0",
		"./missing: "+srv.URL+"/none.git", "check the URL",
		"./unrelated: r0 "+unrelated[:7]+" has no history in common")
	if diff := cmp.Diff([]string{"good"}, names(t, src)); diff != "" {
		t.Error(diff)
	}
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// A recorded tree is checked: with the bases that stand in the lock, and with
// those that are found when these are wrong.
func TestMaterialize_recordedTree(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := repo.Add(t,
		gitserver.Commit{Branch: "main", Files: map[string]string{"f": lines(60, nil)}},
		gitserver.Commit{Branch: "main", Files: map[string]string{"f": lines(60, map[int]string{2: "main"})}},
		gitserver.Commit{Branch: "side", Parents: []string{":1"}, Files: map[string]string{"f": lines(60, map[int]string{40: "side"})}})
	text := entry("./it", repo.URL+" "+ids[1], repo.URL+" "+ids[2])
	file := parse(t, text)
	if err := source.Trees(t.Context(), file, options(t, t.TempDir(), "")); err != nil {
		t.Fatal(err)
	}
	d := &file.Destinations[0]
	if d.Merges[0].MergeBase != "" || d.Merges[1].MergeBase != ids[0] || len(d.Tree) != 40 {
		t.Fatalf("recorded %+v, tree %s", d.Merges, d.Tree)
	}
	tree := d.Tree
	srv.Requests()
	if _, err := source.Materialize(t.Context(), file, options(t, t.TempDir(), t.TempDir())); err != nil {
		t.Fatal(err)
	}
	if n := len(srv.Requests()); n > 4 {
		t.Errorf("%d requests for three commits of one repository", n)
	}

	d.Merges[1].MergeBase = ids[2]
	report, err := source.Materialize(t.Context(), file, options(t, t.TempDir(), t.TempDir()))
	if err != nil || report.Destinations[0].Tree != tree {
		t.Errorf("with a wrong base: %+v, %v", report, err)
	}

	d.Merges[1].MergeBase, d.Tree = ids[0], strings.Repeat("12", 20)
	src := t.TempDir()
	_, err = source.Materialize(t.Context(), file, options(t, t.TempDir(), src))
	wantError(t, err, "the merges give tree "+tree+", but the lock has "+d.Tree+" recorded", "lock-repos --record-trees")
	wantEmpty(t, src)
	wantError(t, source.Trees(t.Context(), file, options(t, t.TempDir(), "")), "the lock has "+d.Tree)
}

// What is in the way is named, and left alone.
func TestMaterialize_inTheWay(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	text := entry("./oca/web", repo.URL+" "+repo.Commit(t, "main", map[string]string{"a": "1"}))
	for name, put := range map[string]func(src string) error{
		"is in the way: it is no directory":         func(src string) error { return os.WriteFile(filepath.Join(src, "oca"), nil, 0o600) },
		"web is in the way":                         func(src string) error { return os.MkdirAll(filepath.Join(src, "oca"), 0o755) },
		"and holds other files than the lock gives": func(src string) error { return os.MkdirAll(filepath.Join(src, "oca", "web", "mine"), 0o755) },
		"oca is in the way":                         func(src string) error { return os.Symlink("/tmp", filepath.Join(src, "oca")) },
	} {
		src := t.TempDir()
		if err := put(src); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "web") {
			if err := os.Symlink("/tmp", filepath.Join(src, "oca", "web")); err != nil {
				t.Fatal(err)
			}
		}
		before := files(t, src)
		_, err := source.Materialize(t.Context(), parse(t, text), options(t, t.TempDir(), src))
		wantError(t, err, name)
		if diff := cmp.Diff(before, files(t, src)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A build that is broken off leaves what was there, and the next one works.
func TestFault_C3_BrokenOff(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	first := repo.Commit(t, "main", map[string]string{"a": "1"})
	cache, src := t.TempDir(), t.TempDir()
	o := options(t, cache, src)
	if _, err := source.Materialize(t.Context(), parse(t, entry("./it", repo.URL+" "+first)), o); err != nil {
		t.Fatal(err)
	}
	before := files(t, src)
	second := parse(t, entry("./it", repo.URL+" "+repo.Commit(t, "main", map[string]string{"a": "2"})))
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(e source.Event) {
		if e.Phase == "fetch" && e.Done {
			cancel()
		}
	}
	if _, err := source.Materialize(ctx, second, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, files(t, src)); diff != "" {
		t.Error(diff)
	}
	o.Progress = nil
	if _, err := source.Materialize(t.Context(), second, o); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(filepath.Join(src, "it", "a")); err != nil || string(data) != "2" {
		t.Errorf("%q, %v", data, err)
	}
}
