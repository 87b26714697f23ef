// Package gitserver serves git repositories on a loopback port the way a forge
// does: git's own http-backend, protocol version 2, any commit by its id,
// partial clone. It counts what it serves, and fails when told to.
//
//	srv := gitserver.New(t)
//	odoo := srv.Repo(t, "odoo")
//	id := odoo.Commit(t, "17.0", map[string]string{"README": "1\n"})
//	… odoo.URL …
package gitserver

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Server is a running server. Its methods may be called while it serves.
type Server struct {
	URL string // without a slash at the end
	Dir string // holds the repositories, NAME.git each

	http    *httptest.Server
	backend cgi.Handler
	quit    chan struct{} // ends the requests that hang

	mu             sync.Mutex
	requests       []*Request
	fault          Fault
	faults         int // requests that still get fault; -1: all
	user, password string
	oldProtocol    bool
	watch          func(r *http.Request)
}

// Request is one request, whatever the answer was.
type Request struct {
	Method, Path, Query string
	User                string // of basic authentication
	Received, Sent      int64  // bytes of the bodies as they went over the wire; 0 before it is served
}

// TB is the part of testing.TB that making repositories needs; a
// *testscript.TestScript has it, too.
type TB interface {
	Fatalf(format string, args ...any)
}

// New starts a server that lives as long as the test.
func New(t testing.TB) *Server {
	t.Helper()
	s, err := Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Start starts a server that keeps its repositories in dir.
func Start(dir string) (*Server, error) {
	execPath, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("git --exec-path: %w", err)
	}
	s := &Server{Dir: dir, quit: make(chan struct{})}
	s.backend = cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend"),
		Dir:  dir,
		Env:  append(slices.Clone(environment()), "GIT_PROJECT_ROOT="+dir, "GIT_HTTP_EXPORT_ALL=1"),
		// Both complain of every client that hangs up.
		Stderr: io.Discard,
		Logger: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
	}
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.http.Config.ErrorLog = s.backend.Logger
	s.http.Start()
	s.URL = s.http.URL
	return s, nil
}

// Stop ends the server and the requests that hang.
func (s *Server) Stop() {
	close(s.quit)
	s.http.CloseClientConnections()
	s.http.Close()
}

// Host is the server's address and port.
func (s *Server) Host() string { return strings.TrimPrefix(s.URL, "http://") }

// Fail gives the next n requests to fault instead of git; -1 means all of
// them, 0 none.
func (s *Server) Fail(n int, fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.fault = n, fault
}

// RequirePassword refuses requests without this user and password.
func (s *Server) RequirePassword(user, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user, s.password = user, password
}

// ForgetVersion2 makes the server one that knows protocol version 0 only.
func (s *Server) ForgetVersion2() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oldProtocol = true
}

// Watch has f called at the beginning of each request, while the client waits.
func (s *Server) Watch(f func(r *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = f
}

// Requests returns what was asked since the last call of it.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var requests []Request
	for _, r := range s.requests {
		requests = append(requests, *r)
	}
	s.requests = nil
	return requests
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	counted := &counter{ResponseWriter: w}
	body := &readCounter{ReadCloser: r.Body}
	r.Body = body
	user, _, _ := r.BasicAuth()
	request := &Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, User: user}
	s.mu.Lock()
	s.requests = append(s.requests, request)
	watch := s.watch
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		request.Received, request.Sent = body.n, counted.n
	}()
	if watch != nil {
		watch(r)
	}
	s.next(r)(s, counted, r)
}

// next decides what becomes of a request.
func (s *Server) next(r *http.Request) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	user, password, _ := r.BasicAuth()
	switch {
	case s.faults != 0:
		s.faults = max(s.faults-1, -1)
		return s.fault
	case user != s.user || password != s.password:
		return Status(http.StatusUnauthorized)
	case s.oldProtocol:
		r.Header.Del("Git-Protocol")
	}
	return serveGit
}

// maxChunked is the most that is read of a request whose length is not known.
const maxChunked = 64 << 20

func serveGit(s *Server, w http.ResponseWriter, r *http.Request) {
	// A client that asks for very many objects sends its list in chunks, which
	// CGI knows nothing of.
	if r.ContentLength < 0 {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxChunked))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	}
	backend := s.backend
	backend.Env = append(slices.Clone(backend.Env), "GIT_PROTOCOL="+r.Header.Get("Git-Protocol"))
	backend.ServeHTTP(w, r)
}

// environment is what every git here sees: nothing of the user's but PATH.
func environment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "LC_ALL=C", "TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_AUTHOR_DATE=1700000000 +0000",
		"GIT_COMMITTER_NAME=Cy", "GIT_COMMITTER_EMAIL=cy@example.com", "GIT_COMMITTER_DATE=1700000000 +0000",
	}
}
