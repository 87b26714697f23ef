package git_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// files are a tree: content by path. A content may start with a mode and a
// colon: "755:…", "120000:…", "160000:ID".
type files map[string]string

// with returns the files with some changed; those whose content is "-" are
// taken away.
func (f files) with(changes files) files {
	all := maps.Clone(f)
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_, content string) bool { return content == "-" })
	return all
}

// sides is a merge to be made.
type sides struct{ base, ours, theirs files }

// commitTree makes a commit of exactly these files, on the branch.
func commitTree(t testing.TB, repo *gitserver.Repo, branch string, f files, parents ...string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "commit refs/heads/%s\nmark :1\ncommitter Cy <cy@example.com> 1700000000 +0000\ndata 2\nx\n", branch)
	for i, p := range parents {
		fmt.Fprintf(&b, "%s %s\n", []string{"from", "merge"}[min(i, 1)], p)
	}
	b.WriteString("deleteall\n")
	for _, path := range slices.Sorted(maps.Keys(f)) {
		mode, content := "100644", f[path]
		for short, long := range map[string]string{"755": "100755", "120000": "120000", "160000": "160000"} {
			if rest, ok := strings.CutPrefix(content, short+":"); ok {
				mode, content = long, rest
			}
		}
		if mode == "160000" {
			fmt.Fprintf(&b, "M 160000 %s %s\n", content, quoted(path))
			continue
		}
		fmt.Fprintf(&b, "M %s inline %s\ndata %d\n%s\n", mode, quoted(path), len(content), content)
	}
	b.WriteString("\nget-mark :1\n")
	return repo.GitStdin(t, b.String(), "fast-import", "--quiet", "--force")
}

// quoted quotes a path as git does.
func quoted(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\%03o`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`
}

// outcome is what came of a merge: a tree, or the paths in conflict.
type outcome struct {
	Tree      string
	Conflicts []string
}

// realMerge has git merge make merges in a work tree, one after the other, as
// git-aggregator does.
func realMerge(t testing.TB, repo *gitserver.Repo, ours string, others ...string) outcome {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "work")
	run := func(args ...string) (string, error) {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
			"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(args ...string) string {
		out, err := run(args...)
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return out
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	must("init", "--quiet", "--template=")
	put(t, filepath.Join(dir, ".git", "objects", "info", "alternates"), repo.Dir+"/objects\n")
	must("reset", "--quiet", "--hard", ours)
	theirs := others[0]
	if out, err := run("merge", "--quiet", "--no-edit", theirs); err == nil {
		for _, id := range others[1:] {
			must("merge", "--quiet", "--no-edit", id)
		}
		return outcome{Tree: strings.TrimSpace(must("rev-parse", "HEAD^{tree}"))}
	} else if !strings.Contains(out, "CONFLICT") && !strings.Contains(out, "Automatic merge failed") {
		t.Fatalf("git merge: %v\n%s", err, out)
	}
	o := outcome{}
	for _, entry := range strings.Split(must("ls-files", "--unmerged", "-z"), "\x00") {
		if _, path, ok := strings.Cut(entry, "\t"); ok {
			for _, label := range []string{"~HEAD", "~" + theirs} {
				path, _, _ = strings.Cut(path, label)
			}
			o.Conflicts = append(o.Conflicts, path)
		}
	}
	slices.Sort(o.Conflicts)
	o.Conflicts = slices.Compact(o.Conflicts)
	return o
}

// storeMerge makes the same merge in a store.
func storeMerge(t testing.TB, s *git.Store, url, base, ours, theirs string) git.MergeResult {
	t.Helper()
	fetch(t, s, url, nil, base, ours, theirs)
	entries, err := s.List(t.Context(), ours)
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := s.Attributes(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	result, err := s.MergeTrees(t.Context(), git.Three{Base: base, Ours: ours, Theirs: theirs}, attributes)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// compareMerge compares the two.
func compareMerge(t testing.TB, srv *gitserver.Server, s *git.Store, name string, m sides) outcome {
	t.Helper()
	repo := srv.Repo(t, name)
	base := commitTree(t, repo, "base", m.base)
	ours, theirs := commitTree(t, repo, "ours", m.ours, base), commitTree(t, repo, "theirs", m.theirs, base)
	want, got := realMerge(t, repo, ours, theirs), storeMerge(t, s, repo.URL, base, ours, theirs)
	if want.Tree != "" && (got.Tree != want.Tree || got.Conflicts != nil) {
		t.Errorf("got %+v, git merge makes %s of %v", got, want.Tree, m)
	}
	for _, path := range want.Conflicts {
		if !slices.ContainsFunc(got.Conflicts, func(c git.Conflict) bool { return c.Path == path && strings.HasPrefix(c.Text, "CONFLICT (") }) {
			t.Errorf("git merge has a conflict in %q, and %+v names none there, of %v", path, got.Conflicts, m)
		}
	}
	if (len(got.Conflicts) > 0) != (want.Tree == "") {
		t.Errorf("got %+v, git merge %+v, of %v", got, want, m)
	}
	return want
}
