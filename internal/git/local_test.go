package git_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
)

func TestLocal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := git.New(options())
	if _, err := c.OpenLocal(t.Context(), dir); !errors.Is(err, git.ErrNoLocal) {
		t.Errorf("a plain directory: %v", err)
	}
	local := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b", "GIT_COMMITTER_DATE=@1000000000 +0000")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	files := map[string]string{"a/x": "one\n", "a/\xff": "", "b": "three"}
	local("init", "-q")
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	local("add", ".")
	local("commit", "-q", "-m", "one")
	l, err := c.OpenLocal(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var ids, paths []string
	if err := l.Files(t.Context(), "HEAD", "", nil, func(e git.Entry) { ids, paths = append(ids, e.ID), append(paths, e.Path) }); err != nil {
		t.Fatal(err)
	}
	blobs, err := l.Blobs(t.Context(), ids)
	if err != nil || len(blobs) != 3 {
		t.Fatal(len(blobs), err)
	}
	for i, p := range paths {
		if string(blobs[i]) != files[p] {
			t.Errorf("%q holds %q", p, blobs[i])
		}
		one, err := l.Blob(t.Context(), ids[i], 5)
		if err != nil || !bytes.Equal(one, blobs[i]) {
			t.Errorf("%q alone: %q, %v", p, one, err)
		}
	}
	if _, err := l.Blob(t.Context(), ids[2], 4); err == nil {
		t.Error("a blob of 5 bytes has no more than 4")
	}
	if _, err := l.Blobs(t.Context(), []string{"0000000000000000000000000000000000000000"}); err == nil {
		t.Error("a blob that is not there was read")
	}
	below := 0
	if err := l.Files(t.Context(), "HEAD", "", []string{"a"}, func(git.Entry) { below++ }); err != nil || below != 2 {
		t.Errorf("%d files below a, %v", below, err)
	}
	if when, err := l.When(t.Context(), "HEAD"); err != nil || when.Unix() != 1_000_000_000 {
		t.Errorf("%s, %v", when, err)
	}
	// Hooks of the repository are not run.
	hook := filepath.Join(dir, ".git", "hooks", "reference-transaction")
	if err := errors.Join(os.MkdirAll(filepath.Dir(hook), 0o755), os.WriteFile(hook, []byte("#!/bin/sh\nexit 1\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Line(t.Context(), "update-ref", "refs/heads/other", "HEAD"); err != nil {
		t.Errorf("with a hook that refuses: %v", err)
	}
}
