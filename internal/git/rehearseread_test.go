package git_test

import (
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// A file of what merges give is read, whichever server has it.
func TestRehearsal_File(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	start := files{"requirements.txt": numbered(30, nil), "same": "same\n", "theirs": "old\n", "big": strings.Repeat("x", 100)}
	base := commitTree(t, repo, "base", start)
	ours := commitTree(t, repo, "ours", start.with(files{"requirements.txt": strings.Replace(start["requirements.txt"], "line 3\n", "ours\n", 1)}), base)
	theirs := commitTree(t, repo, "theirs", start.with(files{"requirements.txt": strings.Replace(start["requirements.txt"], "line 25\n", "theirs\n", 1), "theirs": "new\n"}), base)
	tips := []git.Tip{forked(t, srv, repo, "file-ours", ours), forked(t, srv, repo, "file-theirs", theirs)}
	r := rehearse(t, options(), tips)
	trial, err := r.Try(t.Context(), tips)
	if err != nil || trial.Tree == "" {
		t.Fatalf("%+v, %v", trial, err)
	}
	merged := strings.NewReplacer("line 3\n", "ours\n", "line 25\n", "theirs\n").Replace(start["requirements.txt"])
	for path, want := range map[string]string{"requirements.txt": merged, "same": "same\n", "theirs": "new\n", "none": ""} {
		got, err := r.File(t.Context(), tips, trial.Tree, path, 1<<20)
		if err != nil || string(got) != want || path == "none" && got != nil {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if _, err := r.File(t.Context(), tips, trial.Tree, "big", 99); err == nil || !strings.Contains(err.Error(), "big has 100 bytes; 99 are read") {
		t.Error(err)
	}
}
