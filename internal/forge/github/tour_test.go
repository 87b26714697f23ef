package github_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/github"
)

// tour is what TestLive does on GitHub itself: each thing that the bot does, in
// a repository that may have had other guests. TestTour keeps it from rotting.
type tour struct {
	*testing.T
	*github.Forge
	repo   forge.Repo
	main   forge.Branch
	branch string
	app    bool
}

func newTour(t *testing.T, f *github.Forge, name forge.Name, app bool) *tour {
	t.Helper()
	repo, err := f.Repo(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	main, err := f.Branch(t.Context(), repo, repo.DefaultBranch)
	if err != nil {
		t.Fatal(err)
	}
	return &tour{t, f, repo, main, fmt.Sprintf("odyssey/live/%d", time.Now().UnixNano()), app}
}

func (t *tour) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// all goes through all of it, and takes away what can be taken away.
func (t *tour) all() {
	t.Helper()
	head := t.push()
	number := t.pull(head)
	t.talk(number)
	t.issue()
	if t.app {
		t.must(t.Check(t.Context(), t.repo, forge.Check{Name: "odyssey live", Head: head, Conclusion: forge.Neutral, Title: "Nothing to do", Summary: "This is a test."}))
		_, err := t.Redeliver(t.Context(), time.Now().Add(-time.Hour))
		t.must(err)
	}
	found, err := t.Repositories(t.Context(), forge.RepositoryQuery{Owner: t.repo.Owner})
	t.must(err)
	if !slices.ContainsFunc(found, func(r forge.Repo) bool { return r.Name == t.repo.Name }) {
		t.Errorf("%s is not among the %d repositories of its owner", t.repo.Name, len(found))
	}
	if _, err := t.Repo(t.Context(), forge.Name{Owner: t.repo.Owner, Name: "odyssey-live-none"}); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("a repository that is not there: error %v", err)
	}
	if err := t.DeleteBranch(t.Context(), t.repo, t.branch, t.main.Head); !errors.Is(err, forge.ErrLeaseLost) {
		t.Errorf("deleted at another head: error %v", err)
	}
	t.must(t.DeleteBranch(t.Context(), t.repo, t.branch, head))
	if _, err := t.Branch(t.Context(), t.repo, t.branch); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("a branch that was deleted: error %v", err)
	}
}

// push makes a branch with two files, replaces it, and returns its head.
func (t *tour) push() (head string) {
	t.Helper()
	c := forge.Change{
		Base: t.repo.DefaultBranch, BaseHead: t.main.Head, Branch: t.branch, Message: "One\n\nOdyssey-Live: 1",
		Files: map[string][]byte{"odyssey-live/a.txt": []byte("1\n"), "odyssey-live/b/c.txt": []byte("1\n")},
		By:    forge.Identity{Name: "Odyssey", Email: "odyssey@example.org"}, When: time.Now(),
	}
	first, err := t.Push(t.Context(), t.repo, c)
	t.must(err)
	if _, err := t.Push(t.Context(), t.repo, c); !errors.Is(err, forge.ErrLeaseLost) {
		t.Errorf("the branch made twice: error %v", err)
	}
	c.Lease, c.Message = t.main.Head, "Two\n\nOdyssey-Live: 2"
	if _, err := t.Push(t.Context(), t.repo, c); !errors.Is(err, forge.ErrLeaseLost) {
		t.Errorf("the branch replaced at another head: error %v", err)
	}
	c.Lease, c.Files["odyssey-live/a.txt"] = first, []byte("2\n")
	second, err := t.Push(t.Context(), t.repo, c)
	t.must(err)
	b, err := t.Branch(t.Context(), t.repo, t.branch)
	t.must(err)
	text, err := t.File(t.Context(), t.repo, t.branch, "odyssey-live/a.txt")
	t.must(err)
	if b.Head != second || string(text) != "2\n" {
		t.Errorf("the branch is at %s, want %s; the file is %q", b.Head, second, text)
	}
	snapshot, err := t.Snapshot(t.Context(), t.repo, []string{"README.md", "odyssey-live/a.txt"})
	t.must(err)
	if snapshot.Commit != t.main.Head || snapshot.Files["odyssey-live/a.txt"] != nil {
		t.Errorf("the default branch is at %s, want %s, with %d files", snapshot.Commit, t.main.Head, len(snapshot.Files))
	}
	return second
}

// pull opens a pull request, edits it, and closes it.
func (t *tour) pull(head string) (number int64) {
	t.Helper()
	wish := forge.NewPullRequest{Head: t.branch, Base: t.repo.DefaultBranch, Title: "A live test", Body: "Text.", Labels: []string{"odyssey-live"}}
	pr, err := t.CreatePullRequest(t.Context(), t.repo, wish)
	t.must(err)
	open, err := t.OpenPullRequests(t.Context(), t.repo)
	t.must(err)
	if !slices.ContainsFunc(open, func(o forge.PullRequest) bool {
		return o.Number == pr.Number && o.HeadSHA == head && o.Author == t.repo.Account
	}) {
		t.Errorf("#%d at %s of %s is not among %+v", pr.Number, head, t.repo.Account, open)
	}
	since := t.since(pr.Number, head)
	if of, err := t.PullRequest(t.Context(), t.repo, pr.Number); err != nil || since.IsZero() || time.Since(since).Abs() > 10*time.Minute {
		t.Errorf("%+v has its head since %s, error %v", of, since, err)
	}
	edited, err := t.EditPullRequest(t.Context(), t.repo, pr.Number, forge.Edit{Title: "A live test, edited", State: forge.Closed})
	t.must(err)
	last, err := t.LastPullRequest(t.Context(), t.repo, t.branch)
	t.must(err)
	if edited.State != forge.Closed || last.Number != pr.Number || last.Title != "A live test, edited" || last.Body != "Text." {
		t.Errorf("edited %+v, last %+v", edited, last)
	}
	return pr.Number
}

// since asks since when a pull request has its head, until GitHub has taken the
// push in.
func (t *tour) since(number int64, head string) time.Time {
	t.Helper()
	for tries := 0; ; tries++ {
		since, err := t.HeadSince(t.Context(), t.repo, number, head)
		if !errors.Is(err, forge.ErrTransient) || tries == 30 {
			t.must(err)
			return since
		}
		time.Sleep(time.Second)
	}
}

// talk comments and reacts.
func (t *tour) talk(number int64) {
	t.Helper()
	before := time.Now().Add(-time.Hour)
	said, err := t.AddComment(t.Context(), t.repo, number, "Hello")
	t.must(err)
	t.must(t.EditComment(t.Context(), t.repo, said.ID, "Hello, there"))
	got, err := t.Comment(t.Context(), t.repo, said.ID)
	t.must(err)
	if got.Body != "Hello, there" || got.Number != number || !got.OnPull || got.Author != t.repo.Account || got.Bot != t.app {
		t.Errorf("comment %+v", got)
	}
	all, err := t.Comments(t.Context(), t.repo, number)
	t.must(err)
	page, err := t.CommentsSince(t.Context(), t.repo, before)
	t.must(err)
	is := func(c forge.Comment) bool { return c.ID == said.ID }
	if !slices.ContainsFunc(all, is) || !page.More && !slices.ContainsFunc(page.Comments, is) {
		t.Errorf("the comment is not among %d, or not among %d", len(all), len(page.Comments))
	}
	for _, r := range []forge.Reaction{forge.Seen, forge.Done, forge.Done} {
		t.must(t.React(t.Context(), t.repo, said.ID, r))
	}
	reactions, err := t.Reactions(t.Context(), t.repo, said.ID)
	t.must(err)
	slices.Sort(reactions)
	if diff := cmp.Diff([]forge.Reaction{forge.Seen, forge.Done}, reactions); diff != "" {
		t.Errorf("reactions (-want +got):\n%s", diff)
	}
	may, err := t.Permission(t.Context(), t.repo, t.repo.Owner)
	t.must(err)
	if may == forge.MayNothing {
		t.Errorf("%s may do nothing in %s", t.repo.Owner, t.repo.Name)
	}
}

// issue opens an issue and closes it.
func (t *tour) issue() {
	t.Helper()
	issue, err := t.CreateIssue(t.Context(), t.repo, forge.NewIssue{Title: "A live test", Body: "Text.", Labels: []string{"odyssey-live"}})
	t.must(err)
	is := func(i forge.Issue) bool { return i.Number == issue.Number && i.State == forge.Open }
	own, err := t.OwnIssues(t.Context(), t.repo)
	t.must(err)
	if !slices.ContainsFunc(own, is) {
		t.Errorf("the issue is not among %+v", own)
	}
	closed, err := t.EditIssue(t.Context(), t.repo, issue.Number, forge.Edit{State: forge.Closed})
	t.must(err)
	if closed.State != forge.Closed {
		t.Errorf("closed, the issue is %+v", closed)
	}
}

// TestTour is TestLive without GitHub.
func TestTour(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, fixture := range map[string]func() (*github.Forge, forge.Name){
		"token": func() (*github.Forge, forge.Name) {
			f := w.withToken(t)
			driver, _ := f.Forge.(*github.Forge)
			return driver, f.Repo
		},
		"App": func() (*github.Forge, forge.Name) {
			f := w.withApp(t)
			driver, _ := f.Forge.(*github.Forge)
			return driver, f.Repo
		},
	} {
		f, repo := fixture()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newTour(t, f, repo, name == "App").all()
		})
	}
}
