package forgetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

func exercisePush(t *testing.T, b bench) {
	c := b.change(t, "odyssey/one", "one\n")
	c.Files["new/dir/ünï file"] = []byte("\x00\xffbinary")
	c.Message = "Ünï title\n\nBody"
	sha := b.push(t, c)

	got, err := b.Forge.Branch(t.Context(), b.repo, c.Branch)
	if err != nil {
		t.Fatal(err)
	}
	want := forge.Branch{Name: c.Branch, Head: sha, Committer: c.By, Message: c.Message}
	if b.Robot {
		want.Committer, want.Vouched, want.Own = got.Committer, true, true
	}
	wantEqual(t, "branch", got, want)
	for path, content := range c.Files {
		wantEqual(t, path, b.file(t, c.Branch, path), string(content))
	}
	wantEqual(t, "untouched file", b.file(t, c.Branch, "README.md"), b.file(t, "main", "README.md"))
	wantEqual(t, "modes", b.Human.Modes(t, c.Branch), map[string]string{
		"README.md": "100644", "made.txt": "100644", "new/dir/ünï file": "100644",
	})

	c.Lease, c.Files = sha, map[string][]byte{"other.txt": []byte("replaced")}
	second := b.push(t, c)
	wantEqual(t, "head", b.head(t, c.Branch), second)
	b.Human.Push(t, Commit{Branch: c.Branch, Message: c.Message, Files: map[string]File{"human": {}}})
	if got, err := b.Forge.Branch(t.Context(), b.repo, c.Branch); err != nil || got.Own || got.Committer == c.By {
		t.Errorf("a human's commit is called the bot's: %+v, %v", got, err)
	}
	human := b.Human.Push(t, Commit{Branch: c.Branch, Message: c.Message, By: c.By})[0]
	if got, err := b.Forge.Branch(t.Context(), b.repo, c.Branch); err != nil || got.Own || got.Vouched != b.Robot {
		t.Errorf("a human's commit in the bot's name is called the bot's: %+v, %v", got, err)
	}
	c.Lease = human
	b.push(t, c)
	wantEqual(t, "modes after replacing", b.Human.Modes(t, c.Branch), map[string]string{
		"README.md": "100644", "other.txt": "100644",
	})
}

func exerciseModes(t *testing.T, b bench) {
	b.Human.Push(t, Commit{Branch: "main", Message: "modes", Files: map[string]File{
		"bin/run.sh":   {Content: "old", Mode: "100755"},
		"bin/other.sh": {Content: "other", Mode: "100755"},
		"link":         {Content: "README.md", Mode: "120000"},
	}})
	c := b.change(t, "modes", "x")
	c.Files["bin/run.sh"] = []byte("new")
	b.push(t, c)
	wantEqual(t, "modes", b.Human.Modes(t, "modes"), map[string]string{
		"README.md": "100644", "made.txt": "100644", "link": "120000",
		"bin/run.sh": "100755", "bin/other.sh": "100755",
	})
	wantEqual(t, "content", b.file(t, "modes", "bin/run.sh"), "new")
}

func exerciseDeterminism(t *testing.T, b bench) {
	c := b.change(t, "first", "same")
	first := b.push(t, c)
	if b.Robot {
		c.Lease, c.When = first, c.When.Add(time.Second)
		wantEqual(t, "the same change again", b.push(t, c), first)
		return
	}
	c.Branch = "second"
	c.When = c.When.In(time.UTC)
	wantEqual(t, "the same change", b.push(t, c), first)
	c.Lease = first
	wantEqual(t, "the same change again", b.push(t, c), first)
	c.Branch, c.Lease, c.When = "third", "", c.When.Add(time.Second)
	if b.push(t, c) == first {
		t.Error("another time makes the same commit")
	}
}

// exerciseLeases: no push, and no deletion, undoes what somebody else did.
func exerciseLeases(t *testing.T, b bench) {
	human := func(message string, amend bool) string {
		return b.Human.Push(t, Commit{
			Branch: "bot", Message: message, Amend: amend, Files: map[string]File{"human.txt": {Content: message}},
		})[0]
	}
	lost := func(what string, c forge.Change, want string) {
		t.Helper()
		_, err := b.Forge.Push(t.Context(), b.repo, c)
		wantIs(t, what, err, forge.ErrLeaseLost)
		wantEqual(t, what+": head", b.head(t, "bot"), want)
	}
	first := human("a human has the name", false)
	lost("the branch exists", b.change(t, "bot", "x"), first)

	c := b.change(t, "bot", "x")
	c.Lease = first
	second := human("a human adds", false)
	lost("the branch has moved", c, second)

	c.Lease = second
	third := human("a human amends", true)
	lost("the branch was rewritten", c, third)

	c.Lease = third
	b.Human.Push(t, Commit{Branch: "main", Message: "main moves", Files: map[string]File{"m": {Content: "m"}}})
	lost("the base has moved", c, third)

	c = b.change(t, "bot", "x")
	c.Lease = third
	b.Human.DeleteBranch(t, "bot")
	lost("the branch is gone", c, "")

	c.Base, c.Lease = "gone", ""
	lost("the base is gone", c, "")
}

// exerciseRace: of pushes with the same lease at the same time one wins, and
// the branch is what that one made it.
func exerciseRace(t *testing.T, b bench) {
	c := b.change(t, "race", "before")
	c.Lease = b.push(t, c)
	const pushes = 4
	var shas [pushes]string
	var errs [pushes]error
	var wg sync.WaitGroup
	for i := range pushes {
		wg.Go(func() {
			mine := c
			mine.Files = map[string][]byte{"made.txt": fmt.Append(nil, i)}
			shas[i], errs[i] = b.Forge.Push(t.Context(), b.repo, mine)
		})
	}
	wg.Wait()
	var winners []string
	for i, err := range errs {
		switch {
		case err == nil:
			winners = append(winners, shas[i])
		case !errors.Is(err, forge.ErrLeaseLost):
			t.Errorf("push %d: %v", i, err)
		}
	}
	if len(winners) != 1 {
		t.Fatalf("%d pushes won, want 1", len(winners))
	}
	wantEqual(t, "head", b.head(t, "race"), winners[0])
}

func exercisePaths(t *testing.T, b bench) {
	b.Human.Push(t, Commit{Branch: "main", Message: "kinds", Files: map[string]File{
		"dir/file": {Content: "x"},
		"link":     {Content: "dir", Mode: "120000"},
	}})
	for path, refused := range map[string]struct{ path, reason string }{
		"dir":            {"dir", "is a directory"},
		"link":           {"link", "is a symbolic link"},
		"link/file":      {"link", "is no directory"},
		"dir/file/below": {"dir/file", "is no directory"},
		"../escape":      {"../escape", "is no path inside a repository"},
		"/abs":           {"/abs", "is no path inside a repository"},
		".git/config":    {".git/config", "is no path inside a repository"},
		"a/.GIT/hooks/x": {"a/.GIT/hooks/x", "is no path inside a repository"},
	} {
		c := b.change(t, "refused", "x")
		c.Files = map[string][]byte{path: []byte("x")}
		_, err := b.Forge.Push(t.Context(), b.repo, c)
		wantFileError(t, err, refused.path, refused.reason)
	}
	for what, spoil := range map[string]func(*forge.Change){
		"no files":         func(c *forge.Change) { c.Files = nil },
		"header injection": func(c *forge.Change) { c.By.Name = "x <y@z> 0 +0000\nparent " },
		"branch":           func(c *forge.Change) { c.Branch = "a..b" },
		"option":           func(c *forge.Change) { c.BaseHead = "--upload-pack=x" },
	} {
		c := b.change(t, "refused", "x")
		spoil(&c)
		if _, err := b.Forge.Push(t.Context(), b.repo, c); err == nil {
			t.Errorf("%s: pushed", what)
		}
	}
	wantEqual(t, "pushed branch", b.head(t, "refused"), "")
}

func exerciseDelete(t *testing.T, b bench) {
	first := b.push(t, b.change(t, "done/with", "x"))
	second := b.Human.Push(t, Commit{Branch: "done/with", Message: "human", Files: map[string]File{"h": {Content: "h"}}})[0]

	err := b.Forge.DeleteBranch(t.Context(), b.repo, "done/with", first)
	wantIs(t, "moved branch", err, forge.ErrLeaseLost)
	wantEqual(t, "head", b.head(t, "done/with"), second)

	if err := b.Forge.DeleteBranch(t.Context(), b.repo, "done/with", second); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "head", b.head(t, "done/with"), "")

	err = b.Forge.DeleteBranch(t.Context(), b.repo, "done/with", second)
	wantIs(t, "branch that is gone", err, forge.ErrLeaseLost)
	if err := b.Forge.DeleteBranch(t.Context(), b.repo, "main", ""); err == nil {
		t.Error("a branch is deleted without a lease")
	}
}
