package git_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// trapped makes a user's home whose git configuration runs a program for all that
// git can run one for.
func trapped(t testing.TB, touched string) (home string) {
	t.Helper()
	home = t.TempDir()
	program := "touch " + touched + " ; cat"
	config := `[core]
	hooksPath = ` + home + `/hooks
	fsmonitor = ` + home + `/hooks/any
	attributesFile = ` + home + `/attributes
[filter "evil"]
	smudge = ` + program + `
	clean = ` + program + `
	required = true
[diff "evil"]
	textconv = ` + program + `
	command = ` + program + `
[merge]
	default = evil
[merge "evil"]
	driver = ` + program + ` %A %B
[submodule]
	recurse = true
[protocol "file"]
	allow = always
[init]
	templateDir = ` + home + `
`
	hook := "#!/bin/sh\ntouch " + touched + "\n"
	for name, text := range map[string]string{".gitconfig": config, ".config/git/config": config, "attributes": "* filter=evil merge=evil\n", ".config/git/attributes": "* filter=evil merge=evil\n", "config": config} {
		put(t, filepath.Join(home, name), text)
	}
	for _, name := range []string{"any", "post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman", "post-merge", "pre-merge-commit"} {
		put(t, filepath.Join(home, "hooks", name), hook)
	}
	return home
}

// put writes a program's file, and the directories above it.
func put(t testing.TB, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o755)); err != nil {
		t.Fatal(err)
	}
}

// Nothing that a repository, the user's configuration or the environment names
// is run.
func TestFault_G3_Store(t *testing.T) {
	t.Parallel()
	touched := filepath.Join(t.TempDir(), "touched")
	home := trapped(t, touched)
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	files := map[string]string{
		".gitattributes": "*.txt filter=evil diff=evil merge=evil\n*.bat eol=crlf filter=evil\n[attr]all filter=evil\n* all\n",
		".gitconfig":     "[filter \"evil\"]\n\tsmudge = touch " + touched + "\n\trequired = true\n[merge \"evil\"]\n\tdriver = touch " + touched + "\n",
		".gitmodules":    "[submodule \"m\"]\n\tpath = m\n\turl = ../m.git\n\tupdate = !touch " + touched + "\n",
		"f.txt":          "1\n2\n3\n4\n5\n", "g.bat": "a\n", "config": "[core]\n\tfsmonitor = touch " + touched + "\n", "hooks/post-checkout": "#!/bin/sh\ntouch " + touched + "\n",
		"HEAD": "ref: refs/heads/main\n", "objects/x": "", "refs/x": "",
	}
	base := repo.Add(t, gitserver.Commit{Branch: "main", Files: files, Modes: map[string]string{"hooks/post-checkout": gitserver.Executable}})[0]
	ids := repo.Add(t,
		gitserver.Commit{Branch: "a", Parents: []string{base}, Files: map[string]string{"f.txt": "a\n2\n3\n4\n5\n"}},
		gitserver.Commit{Branch: "b", Parents: []string{base}, Files: map[string]string{"f.txt": "1\n2\n3\n4\nb\n"}})

	// The trap works.
	trap := exec.Command("git", "clone", "--quiet", repo.URL, filepath.Join(t.TempDir(), "clone"))
	trap.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}
	if out, err := trap.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Remove(touched); err != nil {
		t.Fatalf("the trap does not work: %v", err)
	}

	o := options()
	o.Environ = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home+"/.config", "GIT_CONFIG_GLOBAL="+home+"/.gitconfig", "GIT_CONFIG_SYSTEM="+home+"/.gitconfig",
		"GIT_TEMPLATE_DIR="+home, "GIT_CONFIG_PARAMETERS='core.hooksPath'='"+home+"/hooks'", "GIT_EXTERNAL_DIFF=touch "+touched, "GIT_PAGER=touch "+touched, "GIT_EDITOR=touch "+touched)
	s := openStore(t, o, t.TempDir())
	fetch(t, s, repo.URL, nil, base)
	fetch(t, s, repo.URL, []string{base}, ids...)
	entries, err := s.List(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := s.Attributes(t.Context(), entries)
	if err != nil || len(attributes) != 1 {
		t.Fatalf("%q, %v", attributes, err)
	}
	merged, err := s.MergeTrees(t.Context(), git.Three{Base: base, Ours: ids[0], Theirs: ids[1]}, attributes)
	if err != nil || merged.Conflicts != nil {
		t.Fatalf("%+v, %v", merged, err)
	}
	dir := filepath.Join(t.TempDir(), "checkout")
	if err := errors.Join(os.Mkdir(dir, 0o755), s.Checkout(t.Context(), merged.Tree, dir)); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "f.txt")); err != nil || string(got) != "a\n2\n3\n4\nb\n" {
		t.Errorf("%q, %v", got, err)
	}
	remove, err := s.Worktree(t.Context(), merged.Tree, dir, map[string]string{"oca": repo.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
	crossed, ours, theirs := crossed(t, srv, "crossed")
	for name, err := range everything(t.Context(), s, crossed.URL, ours, theirs, nil) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.SetMaxPacks(1)
	if err := s.Tidy(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(touched); !os.IsNotExist(err) {
		t.Errorf("a program ran: %v", err)
	}
}

// A work tree is one that commands can work with, and nothing stays of it.
func TestStore_Worktree(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", map[string]string{"a": "1\n", "d/b": "2\n"})
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
	remove, err := s.Worktree(t.Context(), tree, dir, map[string]string{"oca": repo.URL, "übung.x": "https://git.example/ü"})
	if err != nil {
		t.Fatal(err)
	}
	patch := filepath.Join(t.TempDir(), "patch")
	put(t, patch, "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+one\n")
	for _, step := range []struct {
		want string
		args []string
	}{
		{"", []string{"status", "--porcelain"}},
		{"oca\nübung.x\n", []string{"remote"}},
		{"https://git.example/ü\n", []string{"remote", "get-url", "übung.x"}},
		{"", []string{"apply", "--index", patch}},
		{"M  a\n", []string{"status", "--porcelain"}},
		{"1\n", []string{"rev-list", "--count", "HEAD"}},
		{"", []string{"fetch", "--quiet", "oca", "main"}},
		{"", []string{"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message=x"}},
		{"one\n", []string{"show", "HEAD:a"}},
	} {
		cmd := exec.Command("git", step.args...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != step.want {
			t.Errorf("git %q: %v\ngot  %q\nwant %q", step.args, err, out, step.want)
		}
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(below(t, dir)); got != "[a d/b]" {
		t.Errorf("left: %s", got)
	}
}
