package main

import (
	"testing"
	"time"

	"github.com/nuobit/odyssey/test/gitserver"
)

// What is measured is the same on every machine, and its branches merge.
func TestHistoryRepo(t *testing.T) {
	t.Parallel()
	o := historyOptions{seed: 7, modules: 2, commits: 20, fixes: 2, steps: 2}
	var refs []string
	for range 2 {
		server := gitserver.New(t)
		if err := historyRepo(t.Context(), server, "oca", o); err != nil {
			t.Fatal(err)
		}
		repo := &gitserver.Repo{Dir: server.Dir + "/oca.git"}
		refs = append(refs, repo.Git(t, "for-each-ref", "--format=%(refname:short) %(objectname)"))
		if n := repo.Git(t, "rev-list", "--count", "17.0"); n != "20" {
			t.Errorf("17.0 has %s commits", n)
		}
		if moved := repo.Git(t, "rev-parse", "step-2"); moved != repo.Head(t, "fix-1") || repo.Git(t, "rev-parse", "step-2~1") != repo.Head(t, "step-1") {
			t.Errorf("step-2 is %s, not the second commit on top of fix-1", moved)
		}
		for _, fix := range []string{"step-1", "fix-2"} {
			repo.Git(t, "merge-tree", "--write-tree", "17.0", fix)
		}
	}
	if refs[0] != refs[1] {
		t.Errorf("the refs are\n%s\nand\n%s", refs[0], refs[1])
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	runs := func(seconds ...int) (all []usage) {
		for _, s := range seconds {
			all = append(all, usage{wall: time.Duration(s) * time.Second})
		}
		return all
	}
	peers, ours := runs(30, 80, 40), runs(10, 20, 10) // ratios 3, 4, 4
	if err := compare(peers, ours, 4); err != nil {
		t.Error(err)
	}
	if err := compare(peers, ours, 4.1); err == nil {
		t.Error("a ratio below the floor is no error")
	}
}
