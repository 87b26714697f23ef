package gitea_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgetest"
	"github.com/nuobit/odyssey/internal/forge/gitea"
	"github.com/nuobit/odyssey/internal/secret"
)

// fault is what happens to one request on its way to Gitea.
type fault string

const (
	none        fault = ""
	status500   fault = "500"
	status502   fault = "502"
	resetBefore fault = "reset before Gitea sees the request"
	resetAfter  fault = "reset after Gitea answered"
)

// proxy stands in front of Gitea and does what choose says.
type proxy struct {
	*httptest.Server
	next *httputil.ReverseProxy

	mu     sync.Mutex
	choose func(*http.Request) fault
	seen   []string // method and path
}

func newProxy(t *testing.T, w world) *proxy {
	t.Helper()
	target, err := url.Parse(w.srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{next: httputil.NewSingleHostReverseProxy(target)}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) inject(choose func(*http.Request) fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.choose, p.seen = choose, nil
}

// took returns what was asked since inject, and stops the faults.
func (p *proxy) took() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.choose = nil
	return p.seen
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch p.faultFor(r) {
	case status500:
		http.Error(w, `{"message":"boom"}`, http.StatusInternalServerError)
	case status502:
		http.Error(w, "<html>bad\x00 gateway</html>", http.StatusBadGateway)
	case resetBefore:
		reset(w)
	case resetAfter:
		p.next.ServeHTTP(httptest.NewRecorder(), r)
		reset(w)
	default:
		p.next.ServeHTTP(w, r)
	}
}

// faultFor asks choose under the lock that inject and took hold, so that what
// choose counts may be read after took.
func (p *proxy) faultFor(r *http.Request) fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, r.Method+" "+r.URL.Path)
	if p.choose == nil {
		return none
	}
	return p.choose(r)
}

func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// through is a driver that goes through the proxy.
func (p *proxy) through(t *testing.T, w world) *gitea.Forge {
	t.Helper()
	f, err := gitea.New(gitea.Options{URL: p.URL, Token: secret.New(w.bot.Token), HTTP: quick()})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// stage is a driver behind a proxy with a repository that has a branch with
// an open pull request.
type stage struct {
	*proxy
	forgetest.Fixture
	repo   forge.Repo
	pr     forge.PullRequest
	issue  int64        // the human's
	said   int64        // the human's comment on it
	change forge.Change // makes another branch
}

func newStage(t *testing.T) stage {
	t.Helper()
	w := newWorld(t)
	s := stage{proxy: newProxy(t, w), Fixture: w.fixture(t)}
	s.Human.Push(t, forgetest.Commit{Branch: "topic", Message: "m", Files: map[string]forgetest.File{"f": {Content: "c"}}})
	s.issue = s.Human.OpenIssue(t, "Talk", "x")
	s.said = s.Human.Comment(t, s.issue, "/help")
	s.Forge = s.through(t, w)
	var err error
	if s.repo, err = s.Forge.Repo(t.Context(), s.Repo); err != nil {
		t.Fatal(err)
	}
	main, err := s.Forge.Branch(t.Context(), s.repo, "main")
	if err != nil {
		t.Fatal(err)
	}
	s.pr, err = s.Forge.CreatePullRequest(t.Context(), s.repo, forge.NewPullRequest{Head: "topic", Base: "main", Title: "T"})
	if err != nil {
		t.Fatal(err)
	}
	s.change = forge.Change{
		Base: "main", BaseHead: main.Head, Branch: "made", Files: map[string][]byte{"f": []byte("x")},
		Message: "made", By: forge.Identity{Name: "O", Email: "o@example.org"},
	}
	return s
}

func TestFault_F1_ReadsAreRetried(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, injected := range []fault{status500, status502, resetBefore, resetAfter} {
		for name, read := range forgetest.Reads(t.Context(), s.Fixture, s.repo, s.pr.Number, s.said) {
			faults := 2
			s.inject(func(r *http.Request) fault {
				if r.Method != http.MethodGet || faults == 0 {
					return none
				}
				faults--
				return injected
			})
			if err := read(); err != nil {
				t.Errorf("%s, %s: %v", name, injected, err)
			}
			if calls := s.took(); len(calls) < 3 {
				t.Errorf("%s, %s: no retry: %v", name, injected, calls)
			}
		}
	}
}

func TestFault_F1_ReadsGiveUp(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for name, read := range forgetest.Reads(t.Context(), s.Fixture, s.repo, s.pr.Number, s.said) {
		s.inject(func(*http.Request) fault { return status502 })
		if err := read(); !errors.Is(err, forge.ErrTransient) || strings.ContainsAny(err.Error(), "\x00\n") {
			t.Errorf("%s: error %q, want a transient one on one line", name, err)
		}
		if calls := s.took(); len(calls) != 5 {
			t.Errorf("%s: %d attempts, want 5", name, len(calls))
		}
	}
}

// A POST is sent once, so its effect happens once or not at all, and the
// error says that nobody knows.
func TestFault_F1_PostsAreNotRetried(t *testing.T) {
	t.Parallel()
	for injected, effects := range map[fault]int{status500: 0, status502: 0, resetBefore: 0, resetAfter: 1} {
		t.Run(string(injected), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.Human.Push(t, forgetest.Commit{Branch: "second", Message: "m", Files: map[string]forgetest.File{"g": {}}})
			for name, write := range map[string]func() error{
				"CreatePullRequest": func() error {
					_, err := s.Forge.CreatePullRequest(t.Context(), s.repo, forge.NewPullRequest{Head: "second", Base: "main", Title: "2"})
					return err
				},
				"AddComment": func() error { _, err := s.Forge.AddComment(t.Context(), s.repo, s.pr.Number, "hello"); return err },
				"CreateIssue": func() error {
					_, err := s.Forge.CreateIssue(t.Context(), s.repo, forge.NewIssue{Title: "I"})
					return err
				},
				"React": func() error { return s.Forge.React(t.Context(), s.repo, s.said, forge.Seen) },
				"RequestReviews": func() error {
					return s.Forge.RequestReviews(t.Context(), s.repo, s.pr.Number, []string{s.Human.Login()})
				},
				"Push": func() error { _, err := s.Forge.Push(t.Context(), s.repo, s.change); return err },
			} {
				sent := 0
				s.inject(func(r *http.Request) fault {
					if r.Method != http.MethodPost || strings.HasSuffix(r.URL.Path, "/git-upload-pack") {
						return none
					}
					sent++
					return injected
				})
				if err := write(); !errors.Is(err, forge.ErrTransient) {
					t.Errorf("%s: error %v, want a transient one", name, err)
				}
				s.took()
				if sent != 1 {
					t.Errorf("%s: sent %d times", name, sent)
				}
			}
			if diff := cmp.Diff([]int{effects, effects, effects, effects, effects, effects}, s.effects(t)); diff != "" {
				t.Errorf("pull requests, comments, reviews, branches, issues, reactions (-want +got):\n%s", diff)
			}
		})
	}
}

// effects counts what the writes left behind.
func (s stage) effects(t *testing.T) []int {
	t.Helper()
	open, err := s.Forge.OpenPullRequests(t.Context(), s.repo)
	if err != nil {
		t.Fatal(err)
	}
	comments, err := s.Forge.Comments(t.Context(), s.repo, s.pr.Number)
	if err != nil {
		t.Fatal(err)
	}
	branches := 1
	if _, err := s.Forge.Branch(t.Context(), s.repo, s.change.Branch); errors.Is(err, forge.ErrNotFound) {
		branches = 0
	}
	own, err := s.Forge.OwnIssues(t.Context(), s.repo)
	if err != nil {
		t.Fatal(err)
	}
	reactions := s.Human.Reactions(t, s.said)
	return []int{len(open) - 1, len(comments), len(s.Human.Inspect(t, s.pr.Number).Reviewers), branches, len(own), len(reactions)}
}

// A human pushes at the worst moment: when the bot's push, whose lease was
// right so far, is on its way.
func TestFault_F8_HumanPushesDuringPush(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	existing := s.change
	existing.Branch, existing.Lease = "topic", s.pr.HeadSHA
	for name, attempt := range map[string]struct {
		branch string
		push   func() error
	}{
		"new branch":     {"made", func() error { _, err := s.Forge.Push(t.Context(), s.repo, s.change); return err }},
		"replaced":       {"topic", func() error { _, err := s.Forge.Push(t.Context(), s.repo, existing); return err }},
		"deleted branch": {"old", nil},
	} {
		if attempt.push == nil {
			lease := s.Human.Push(t, forgetest.Commit{Branch: attempt.branch, Message: "old"})[0]
			attempt.push = func() error { return s.Forge.DeleteBranch(t.Context(), s.repo, attempt.branch, lease) }
		}
		var human string
		s.inject(func(r *http.Request) fault {
			if human == "" && strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
				human = s.Human.Push(t, forgetest.Commit{
					Branch: attempt.branch, Message: "human", Files: map[string]forgetest.File{"human": {Content: name}},
				})[0]
			}
			return none
		})
		if err := attempt.push(); !errors.Is(err, forge.ErrLeaseLost) {
			t.Errorf("%s: error %v, want a lost lease", name, err)
		}
		s.took()
		got, err := s.Forge.Branch(t.Context(), s.repo, attempt.branch)
		if err != nil || human == "" || got.Head != human {
			t.Errorf("%s: the branch is at %q (%v), want the human's %q", name, got.Head, err, human)
		}
	}
}
