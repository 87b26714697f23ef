package forgetest

import (
	"context"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
)

func exerciseRepo(t *testing.T, b bench) {
	want := forge.Repo{Name: b.Repo, Account: b.Login, DefaultBranch: "main", WebURL: b.repo.WebURL, Changed: b.repo.Changed}
	wantEqual(t, "repository", b.repo, want)
	if !strings.HasSuffix(b.repo.WebURL, "/"+b.Repo.String()) {
		t.Errorf("web address %q", b.repo.WebURL)
	}
}

func exerciseEmptyRepo(t *testing.T, b bench) {
	repo, err := b.Forge.Repo(t.Context(), b.Human.EmptyRepo(t))
	if err != nil {
		t.Fatal(err)
	}
	if !repo.Empty {
		t.Error("the repository is not called empty")
	}
	got, err := b.Forge.Snapshot(t.Context(), repo, []string{"repos.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "snapshot", got, forge.Snapshot{Files: map[string][]byte{}})
}

func exerciseSnapshot(t *testing.T, b bench) {
	heads := b.Human.Push(t, Commit{Branch: "main", Message: "files", Files: map[string]File{
		"repos.yaml":        {Content: "a: 1\n"},
		"deep/er/ünï.txt":   {Content: "nested"},
		"run.sh":            {Content: "#!/bin/sh\n", Mode: "100755"},
		"empty":             {},
		"binary/with space": {Content: "\x00\xff\r\n"},
	}})
	paths := []string{
		"repos.yaml", "deep/er/ünï.txt", "run.sh", "empty", "binary/with space",
		"absent", "absent/too", "repos.yaml/below", "deep/absent",
	}
	got, err := b.Forge.Snapshot(t.Context(), b.repo, paths)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "snapshot", got, forge.Snapshot{Commit: heads[0], Files: map[string][]byte{
		"repos.yaml":        []byte("a: 1\n"),
		"deep/er/ünï.txt":   []byte("nested"),
		"run.sh":            []byte("#!/bin/sh\n"),
		"empty":             {},
		"binary/with space": []byte("\x00\xff\r\n"),
	}})
}

func exerciseSnapshotKinds(t *testing.T, b bench) {
	b.Human.Push(t, Commit{Branch: "main", Message: "kinds", Files: map[string]File{
		"dir/file": {Content: "x"},
		"link":     {Content: "README.md", Mode: "120000"},
	}})
	for path, reason := range map[string]string{
		"dir":       "is a directory",
		"link":      "is a symbolic link",
		"link/file": "is below what is a symbolic link",
		"../escape": "is no path inside a repository",
		"/abs":      "is no path inside a repository",
	} {
		_, err := b.Forge.Snapshot(t.Context(), b.repo, []string{path})
		wantFileError(t, err, path, reason)
	}
}

func exerciseTree(t *testing.T, b bench) {
	heads := b.Human.Push(t,
		Commit{Branch: "tree", Message: "1", Files: map[string]File{
			"deploy/a b/ünï.yaml": {Content: "x"},
			"deploy/run.sh":       {Content: "#!/bin/sh\n", Mode: "100755"},
			"link":                {Content: "README.md", Mode: "120000"},
		}},
		Commit{Branch: "tree", Message: "2", Files: map[string]File{"z": {Content: "z"}}},
	)
	for ref, want := range map[string][]string{
		heads[0]: {"README.md", "deploy/a b/ünï.yaml", "deploy/run.sh"},
		"tree":   {"README.md", "deploy/a b/ünï.yaml", "deploy/run.sh", "z"},
	} {
		got, err := b.Forge.Paths(t.Context(), b.repo, ref)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "files of "+ref, got, want)
	}
	for _, ref := range []string{"absent", strings.Repeat("0123456789", 4)} {
		_, err := b.Forge.Paths(t.Context(), b.repo, ref)
		wantIs(t, ref, err, forge.ErrNotFound)
	}
}

func exerciseFile(t *testing.T, b bench) {
	heads := b.Human.Push(t,
		Commit{Branch: "topic/one", Message: "1", Files: map[string]File{
			"dir/ä b.txt": {Content: "first\r\n\x00"},
			"link":        {Content: "README.md", Mode: "120000"},
		}},
		Commit{Branch: "topic/one", Message: "2", Files: map[string]File{"dir/ä b.txt": {Content: "second"}}},
	)
	wantEqual(t, "at the branch", b.file(t, "topic/one", "dir/ä b.txt"), "second")
	wantEqual(t, "at a commit", b.file(t, heads[0], "dir/ä b.txt"), "first\r\n\x00")

	for _, absent := range []struct{ ref, path string }{
		{"main", "dir/ä b.txt"},
		{"topic/one", "absent"},
		{"absent", "README.md"},
		{strings.Repeat("0123456789", 4), "README.md"},
	} {
		_, err := b.Forge.File(t.Context(), b.repo, absent.ref, absent.path)
		wantIs(t, absent.ref+":"+absent.path, err, forge.ErrNotFound)
	}
	for path, reason := range map[string]string{
		"dir":             "is a directory",
		"link":            "is a symbolic link",
		"../../../../api": "is no path inside a repository",
	} {
		_, err := b.Forge.File(t.Context(), b.repo, "topic/one", path)
		wantFileError(t, err, path, reason)
	}
}

func exerciseSizes(t *testing.T, b bench) {
	most := strings.Repeat("0123456789abcdef", forge.MaxFile/16)
	b.Human.Push(t, Commit{Branch: "main", Message: "sizes", Files: map[string]File{
		"most": {Content: most}, "more": {Content: most + "!"},
	}})
	got, err := b.Forge.Snapshot(t.Context(), b.repo, []string{"most"})
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Files["most"]) != most {
		t.Error("2 MiB are not read as they are")
	}
	if b.file(t, "main", "most") != most {
		t.Error("2 MiB are not read as they are")
	}
	_, err = b.Forge.Snapshot(t.Context(), b.repo, []string{"more"})
	wantFileError(t, err, "more", "is larger than 2 MiB")
	_, err = b.Forge.File(t.Context(), b.repo, "main", "more")
	wantFileError(t, err, "more", "is larger than 2 MiB")
}

func exerciseBranch(t *testing.T, b bench) {
	heads := b.Human.Push(t, Commit{
		Branch: "feature/ünï", Message: "Übung\n\nBody\n",
		By:    forge.Identity{Name: "Ada Lövelace", Email: "ada@example.org"},
		Files: map[string]File{"x": {Content: "x"}},
	})
	got, err := b.Forge.Branch(t.Context(), b.repo, "feature/ünï")
	if err != nil {
		t.Fatal(err)
	}
	got.Message = strings.TrimSpace(got.Message)
	wantEqual(t, "branch", got, forge.Branch{
		Name: "feature/ünï", Head: heads[0], Message: "Übung\n\nBody",
		Committer: forge.Identity{Name: "Ada Lövelace", Email: "ada@example.org"}, Vouched: b.Robot,
	})
	_, err = b.Forge.Branch(t.Context(), b.repo, "absent")
	wantIs(t, "absent branch", err, forge.ErrNotFound)
}

// exerciseNothing asks for what does not exist.
func exerciseNothing(t *testing.T, b bench) {
	name := forge.Name{Owner: b.Repo.Owner, Name: "no-such-repository"}
	nothing := forge.Repo{Name: name, DefaultBranch: "main"}
	const sha, number = "0123456789012345678901234567890123456789", 4711
	change := forge.Change{
		Base: "main", BaseHead: sha, Branch: "x", Files: map[string][]byte{"x": nil},
		By: forge.Identity{Name: "O", Email: "o@example.org"},
	}
	ctx := t.Context()
	for what, call := range map[string]func(forge.Repo) error{
		"repository":         func(r forge.Repo) error { _, err := b.Forge.Repo(ctx, r.Name); return err },
		"snapshot":           func(r forge.Repo) error { _, err := b.Forge.Snapshot(ctx, r, []string{"x"}); return err },
		"file":               func(r forge.Repo) error { _, err := b.Forge.File(ctx, r, "main", "x"); return err },
		"branch":             func(r forge.Repo) error { _, err := b.Forge.Branch(ctx, r, "main"); return err },
		"push":               func(r forge.Repo) error { _, err := b.Forge.Push(ctx, r, change); return err },
		"delete":             func(r forge.Repo) error { return b.Forge.DeleteBranch(ctx, r, "x", sha) },
		"open pull requests": func(r forge.Repo) error { _, err := b.Forge.OpenPullRequests(ctx, r); return err },
		"last pull request":  func(r forge.Repo) error { _, err := b.Forge.LastPullRequest(ctx, r, "x"); return err },
		"new pull request": func(r forge.Repo) error {
			_, err := b.Forge.CreatePullRequest(ctx, r, forge.NewPullRequest{Head: "x", Base: "main", Title: "t"})
			return err
		},
	} {
		wantIs(t, what, call(nothing), forge.ErrNotFound)
	}
	for what, call := range map[string]func() error{
		"edit": func() error {
			_, err := b.Forge.EditPullRequest(ctx, b.repo, number, forge.Edit{Title: "t"})
			return err
		},
		"reopen": func() error {
			_, err := b.Forge.EditPullRequest(ctx, b.repo, number, forge.Edit{State: forge.Open})
			return err
		},
		"review": func() error { return b.Forge.RequestReviews(ctx, b.repo, number, []string{b.Human.Login()}) },
		"snapshot of a branch": func() error {
			gone := b.repo
			gone.DefaultBranch = "gone"
			_, err := b.Forge.Snapshot(ctx, gone, []string{"x"})
			return err
		},
	} {
		wantIs(t, what, call(), forge.ErrNotFound)
	}
}

func exerciseCancelled(t *testing.T, b bench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Forge.Repo(ctx, b.Repo)
	wantIs(t, "repository", err, context.Canceled)
	_, err = b.Forge.Snapshot(ctx, b.repo, []string{"README.md"})
	wantIs(t, "snapshot", err, context.Canceled)
	_, err = b.Forge.Push(ctx, b.repo, b.change(t, "late", "x"))
	wantIs(t, "push", err, context.Canceled)
	wantEqual(t, "pushed branch", b.head(t, "late"), "")
}
