// Package githubtest is a GitHub for tests: made of data, and held to GitHub's
// own description of its API. A request that the description does not allow
// fails the test that made it, and so does an answer of the fake's that GitHub
// would not give. GraphQL is held to GitHub's schema.
package githubtest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
)

// Options make a Server.
type Options struct {
	MaxPage int              // items of a page, however many are asked for; 100 when 0
	Now     func() time.Time // time.Now by default
}

// Server is a GitHub. Its methods may be called at the same time.
type Server struct {
	URL string // the API's base: "http://127.0.0.1:1234"; "/api/v3" below it works as well

	t           testing.TB
	description *description
	maxPage     int
	clock       func() time.Time
	http        *httptest.Server

	mu        sync.Mutex
	ids       int64
	accounts  []*account
	repos     []*repository
	apps      []*App
	tokens    map[string]*grant // of installations
	tokenLife time.Duration     // of those to come; 0: an hour
	intercept func(*http.Request) *Answer
	seen      []Request
	hooks     []hook
	sent      []*delivery
	pushes    int

	running sync.WaitGroup // deliveries
}

// Request is one that the server was asked.
type Request struct {
	Method, Path string // "/repos/o/r"; below "/api/v3" without that
	Query        string
	As           string // login, "" of nobody
	Status       int    // of the answer; 304 when the asker had it already
}

// Answer is given instead of the server's own.
type Answer struct {
	Status int
	Header map[string]string
	Body   string
	// Reset breaks the connection off; After does so, or gives this answer, only
	// when the server has done what it was asked to.
	Reset, After bool
}

// New starts a server, which ends with the test.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	d, err := describe()
	if err != nil {
		t.Fatal(err)
	}
	if o.MaxPage == 0 {
		o.MaxPage = 100
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{t: t, description: d, maxPage: o.MaxPage, clock: o.Now, tokens: map[string]*grant{}}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	t.Cleanup(func() {
		s.running.Wait()
		s.http.Close()
	})
	return s
}

// now is in whole seconds, as GitHub's times are.
func (s *Server) now() time.Time { return s.clock().UTC().Truncate(time.Second) }

func (s *Server) nextID() int64 {
	s.ids++
	return 1000 + s.ids
}

// AddUser makes a user and returns a token of theirs.
func (s *Server) AddUser(login string) (token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addAccount(login, "User").token
}

// AddOrganization makes an organisation.
func (s *Server) AddOrganization(login string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addAccount(login, "Organization")
}

func (s *Server) addAccount(login, kind string) *account {
	if known := s.account(login); known != nil {
		return known
	}
	a := &account{id: s.nextID(), login: login, kind: kind, token: "ghp_" + rand.Text()}
	s.accounts = append(s.accounts, a)
	return a
}

func (s *Server) account(login string) *account {
	for _, a := range s.accounts {
		if strings.EqualFold(a.login, login) {
			return a
		}
	}
	return nil
}

// AddRepo makes a repository with the default branch main, whose one commit
// holds README.md.
func (s *Server) AddRepo(name forge.Name) {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner := s.addAccount(name.Owner, "User")
	r := s.addRepo(name)
	by := sign(owner.identity(), s.now())
	files := map[string]entry{"README.md": {modeOf(""), r.git.blob([]byte("# " + name.Name + "\n"))}}
	r.branches["main"] = s.change(r, r.branches["main"], files, "Initial commit", by, by)
}

// Intercept sets a function that is asked for each request; an answer of its
// own is given instead of the server's. nil: none. It may use the server, for
// instance to push as a human at the worst moment.
func (s *Server) Intercept(hook func(*http.Request) *Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = hook
}

// Requests returns what was asked since the last call.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

// Rename renames a repository, or gives it to another owner; the old name leads
// to it.
func (s *Server) Rename(from, to forge.Name) {
	s.mustRepo(from, func(r *repository) { s.rename(r, to, s.account(from.Owner)) })
}

func (s *Server) rename(r *repository, to forge.Name, by *account) {
	from := r.name
	r.before, r.name = append(r.before, from), to
	if from.Owner != to.Owner {
		s.addAccount(to.Owner, "User")
		before := map[string]any{"user": s.user(s.account(from.Owner))}
		s.tell(r, "repository", "transferred", by, map[string]any{"changes": map[string]any{"owner": map[string]any{"from": before}}})
		return
	}
	s.tell(r, "repository", "renamed", by, map[string]any{"changes": map[string]any{"repository": map[string]any{"name": map[string]any{"from": from.Name}}}})
}

// Archive makes a repository one that is read only.
func (s *Server) Archive(name forge.Name) {
	s.mustRepo(name, func(r *repository) { r.archived = true })
}

// Private hides a repository from who was given no permission.
func (s *Server) Private(name forge.Name) {
	s.mustRepo(name, func(r *repository) { r.private = true })
}

// Dispatches returns the workflows' events of a repository so far.
func (s *Server) Dispatches(name forge.Name) (all []Dispatch) {
	s.mustRepo(name, func(r *repository) { all = append(all, r.starts...) })
	return all
}

// Check is a check run as a page shows it.
type Check struct{ Name, Head, Status, Conclusion, Title, Summary string }

// Checks returns the check runs of a repository, the oldest first.
func (s *Server) Checks(name forge.Name) (all []Check) {
	s.mustRepo(name, func(r *repository) {
		for _, c := range r.checks {
			all = append(all, Check{c.name, c.head, c.status, c.conclusion, c.title, c.summary})
		}
	})
	return all
}

// mustRepo acts on a repository that is there.
func (s *Server) mustRepo(name forge.Name, act func(*repository)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, _ := s.repo(name.Owner, name.Name)
	if r == nil {
		panic(fmt.Sprintf("githubtest: there is no repository %s", name))
	}
	act(r)
}
