package git_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

func TestResolve_retry(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault gitserver.Fault
	}{
		{"500", gitserver.Status(http.StatusInternalServerError)},
		{"502", gitserver.Status(http.StatusBadGateway)},
		{"429", gitserver.Status(http.StatusTooManyRequests)},
		{"reset", gitserver.Reset},
		{"hang", gitserver.Hang},
		{"cut short", gitserver.CutShort(20)},
		{"cut to nothing", gitserver.CutShort(0)},
		{"a stalled greeting", gitserver.Stall("001e# service=git-upload-pack\n0000000eversion 2\n", advertisement)},
		{"a garbled greeting", gitserver.Answer("001e# service=git-upload-pack\n0000000eversion 2\n00", advertisement)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			id := repo.Commit(t, "main", nil)
			file, setting := credentials(t)
			o := options()
			o.Timeout, o.CredentialsFile = time.Second, file
			for _, url := range []string{repo.URL, indirect(repo.URL)} {
				o.Attempts = 3
				srv.Fail(1, test.fault)
				got, err := git.New(o).Resolve(t.Context(), url, []string{"main"})
				if err != nil || got["main"] != id {
					t.Errorf("%s: got %v, %v", url, got, err)
				}
				gone(t, setting)

				o.Attempts = 2
				srv.Fail(-1, test.fault)
				_, err = git.New(o).Resolve(t.Context(), url, []string{"main"})
				if !errors.Is(err, git.ErrTransient) {
					t.Errorf("%s: %v is not transient", url, err)
				}
				gone(t, setting)
			}
		})
	}
}

// A fault in the second half of the conversation.
func TestResolve_retryPost(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]gitserver.Fault{
		"500": gitserver.Status(http.StatusInternalServerError), "reset": gitserver.Reset, "cut short": gitserver.CutShort(20), "hang": gitserver.Hang,
		"stall": gitserver.Stall("003d0000000000000000000000000000000000000000 refs/heads/other\n", result),
		"empty": gitserver.Answer("", result),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			id := repo.Commit(t, "main", nil)
			file, setting := credentials(t)
			o := options()
			o.Timeout, o.CredentialsFile = time.Second, file
			posts := 0
			srv.Watch(func(r *http.Request) {
				if r.Method == http.MethodPost {
					if posts++; posts == 1 {
						srv.Fail(1, fault)
					}
				}
			})
			got, err := git.New(o).Resolve(t.Context(), repo.URL, []string{"main"})
			if err != nil || got["main"] != id {
				t.Errorf("got %v, %v", got, err)
			}
			if posts != 2 {
				t.Errorf("%d posts", posts)
			}
			gone(t, setting)
		})
	}
}

// indirect is the URL with a user: git's own program then asks.
func indirect(url string) string { return strings.Replace(url, "://", "://ann@", 1) }

// pkt is a line of git's protocol.
func pkt(line string) string { return fmt.Sprintf("%04x%s", len(line)+4, line) }

const (
	advertisement = "application/x-git-upload-pack-advertisement"
	result        = "application/x-git-upload-pack-result"
	greeting      = "001e# service=git-upload-pack\n0000000eversion 2\n0000"
)

// saying is a server of version 2 that answers every command with lines, and
// then goes on for ever.
func saying(lines ...string) gitserver.Fault {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(pkt(line))
	}
	return func(s *gitserver.Server, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			gitserver.Answer(greeting, advertisement)(s, w, r)
		} else {
			gitserver.Stall(b.String(), result)(s, w, r)
		}
	}
}

// What no second attempt mends is not tried twice, and says what to do.
func TestResolve_refused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		fault    gitserver.Fault
		class    error
		want     string
		requests int
	}{
		{"401", gitserver.Status(http.StatusUnauthorized), git.ErrRefused, "terminal prompts disabled\n  the repository is private, or its name is wrong; name a credential-store file", 1},
		{"403", gitserver.Status(http.StatusForbidden), git.ErrRefused, "The requested URL returned error: 403\n  the repository is private, or its name is wrong; name a credential-store file", 1},
		{"404", gitserver.Status(http.StatusNotFound), git.ErrNoRepository, "not found\n  check the URL; if the repository is private, name a credential-store file", 1},
		{"said by the server", saying("ERR \x1b[31mRepository not found.\n"), git.ErrNoRepository, "[31mRepository not found.\n  check the URL", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			repo.Commit(t, "main", nil)
			srv.Fail(-1, test.fault)
			for _, url := range []string{repo.URL, indirect(repo.URL)} {
				_, err := git.New(options()).Resolve(t.Context(), url, []string{"main"})
				if !errors.Is(err, test.class) || errors.Is(err, git.ErrTransient) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got  %v\nwant %s", err, test.want)
				}
				// One more: what is not answered to us, or to a user without a password, is
				// git's to ask for again, and to say why.
				if requests := srv.Requests(); len(requests) > test.requests+1 {
					t.Errorf("%s: requests: %+v", url, requests)
				}
			}
		})
	}
}

// A server that answers nonsense.
func TestResolve_hostile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, line, want string }{
		{"no ref in a line", "hello\n", `the server lists "hello\n", which is no ref`},
		{"nothing in a line", "\n", `the server lists "\n", which is no ref`},
		{"a short id", "abcdef refs/heads/main\n", "which is no ref"},
		{"a long line", strings.Repeat("x", 60_000), `xxx", which is no ref`},
		{"an error", "ERR \x1b[2Jupload-pack: no", "[2Jupload-pack: no"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			file, setting := credentials(t)
			srv.Fail(-1, saying(test.line))
			o := options()
			o.CredentialsFile = file
			start := time.Now()
			_, err := git.New(o).Resolve(t.Context(), repo.URL, []string{"main"})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("got %q, want %s", err, test.want)
			}
			// The server goes on for ever; who has heard enough does not wait.
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			gone(t, setting)
		})
	}
}

// A server without an end.
func TestFault_Y1_EndlessRefs(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	file, setting := credentials(t)
	many := pkt(strings.Repeat("0a", 20) + " refs/heads/main" + strings.Repeat("x", 60_000) + "\n")
	srv.Fail(-1, func(s *gitserver.Server, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			gitserver.Answer(greeting, advertisement)(s, w, r)
			return
		}
		w.Header().Set("Content-Type", result)
		for {
			if _, err := io.WriteString(w, many); err != nil {
				return
			}
		}
	})
	o := options()
	o.CredentialsFile = file
	_, err := git.New(o).Resolve(t.Context(), repo.URL, []string{"main"})
	if err == nil || err.Error() != "the answer is longer than 64 MiB" {
		t.Errorf("got %v", err)
	}
	gone(t, setting)
}

func TestFault_Y1_EndlessOutput(t *testing.T) { //nolint:paralleltest // the PATH is the process's
	program(t, `exec yes "0123456789012345678901234567890123456789 refs/heads/main"`, "git")
	file, setting := credentials(t)
	o := options()
	o.CredentialsFile = file
	_, err := git.New(o).Resolve(t.Context(), "git://git.example/r", []string{"main"})
	if err == nil || err.Error() != "the answer is longer than 64 MiB" {
		t.Errorf("got %v", err)
	}
	gone(t, setting)
}

func TestResolve_timeout(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	file, setting := credentials(t)
	srv.Fail(-1, gitserver.Hang)
	seen := make(chan int, 1)
	srv.Watch(func(*http.Request) {
		select {
		case seen <- len(processes(t, setting)):
		default:
		}
	})
	o := options()
	o.Timeout, o.Attempts, o.CredentialsFile = 500*time.Millisecond, 1, file
	start := time.Now()
	_, err := git.New(o).Resolve(t.Context(), indirect(repo.URL), []string{"main"})
	if !errors.Is(err, git.ErrTransient) || err.Error() != "no answer in time" {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if n := <-seen; n < 1 {
		t.Errorf("%d processes ran: git's helper is not known by %s", n, setting)
	}
	gone(t, setting)
}

func TestResolve_cancelled(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	file, setting := credentials(t)
	o := options()
	o.CredentialsFile, o.Backoff = file, time.Hour
	for name, fault := range map[string]gitserver.Fault{"while asked": gitserver.Hang, "while waiting": gitserver.Status(http.StatusBadGateway)} {
		ctx, cancel := context.WithCancel(t.Context())
		srv.Fail(-1, fault)
		srv.Watch(func(*http.Request) { time.AfterFunc(200*time.Millisecond, cancel) })
		start := time.Now()
		_, err := git.New(o).Resolve(ctx, repo.URL, []string{"main"})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
		gone(t, setting)
	}
}

func TestNoGit(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := git.New(options()).Resolve(context.Background(), "https://git.example/r", []string{"x"})
	if err == nil || !strings.HasPrefix(err.Error(), "git is not installed: ") {
		t.Errorf("got %v", err)
	}
}
