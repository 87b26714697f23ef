package git_test

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// How a fetch went: in one request over HTTP, or by git's transport, which begins with
// a GET.
func directly(requests []gitserver.Request) bool {
	return len(requests) == 1 && requests[0].Method == http.MethodPost
}

// A server is asked once for each pack, over one connection.
func TestStore_Fetch_direct(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	s := openStore(t, options(), t.TempDir())
	var mu sync.Mutex
	var from []string
	srv.Watch(func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		from = append(from, r.RemoteAddr)
	})
	for i := range 5 {
		repo := srv.Repo(t, fmt.Sprint("r", i))
		ids := repo.Add(t, gitserver.Commit{Branch: "main", Files: map[string]string{"a": "1", "b": "2"}}, gitserver.Commit{Branch: "main", Files: map[string]string{"a": "2"}})
		fetch(t, s, repo.URL, nil, ids[1])
		if len(commitContents(t, s, ids[1])) != 2 {
			t.Error("the tree is another")
		}
		if requests := srv.Requests(); !directly(requests) {
			t.Errorf("asked for %+v", requests)
		}
	}
	if len(slices.Compact(from)) != 1 {
		t.Errorf("over connections from %q", from)
	}
}

// What is not plain is git's.
func TestStore_Fetch_indirect(t *testing.T) {
	t.Parallel()
	html := gitserver.Answer("<html>", "text/html")
	for _, test := range []struct {
		name  string
		setUp func(srv *gitserver.Server, o *git.Options)
		want  error // of a commit that is there
	}{
		{"a password", func(srv *gitserver.Server, o *git.Options) {
			srv.RequirePassword("ann", "secret")
			o.CredentialsFile, _ = credentials(t, strings.Replace(srv.URL, "://", "://ann:secret@", 1))
		}, nil},
		{"a password that is not known", func(srv *gitserver.Server, _ *git.Options) { srv.RequirePassword("ann", "secret") }, git.ErrRefused},
		{"an old server", func(srv *gitserver.Server, _ *git.Options) { srv.ForgetVersion2() }, nil},
		{"a proxy", func(srv *gitserver.Server, o *git.Options) { o.Environ = append(o.Environ, "http_proxy="+srv.URL) }, nil},
		{"certificates that cannot be read", func(_ *gitserver.Server, o *git.Options) {
			o.Environ = append(slices.DeleteFunc(slices.Clone(o.Environ), func(kv string) bool { return strings.HasPrefix(kv, "GIT_SSL_CAINFO=") }), "GIT_SSL_CAINFO=/nonexistent")
		}, nil},
		{"an error", func(srv *gitserver.Server, _ *git.Options) {
			srv.Fail(1, gitserver.Status(http.StatusInternalServerError))
		}, nil},
		{"a redirect", func(srv *gitserver.Server, _ *git.Options) { srv.Fail(1, gitserver.Redirect(srv.URL+"/other")) }, nil},
		{"no git server", func(srv *gitserver.Server, _ *git.Options) { srv.Fail(1, html) }, nil},
		{"nonsense", func(srv *gitserver.Server, _ *git.Options) { srv.Fail(1, gitserver.Answer("hello", result)) }, nil},
		{"an error of git's", func(srv *gitserver.Server, _ *git.Options) { srv.Fail(1, saying("ERR go away\n")) }, nil},
		{"lines without end", func(srv *gitserver.Server, _ *git.Options) {
			srv.Fail(1, gitserver.Answer(strings.Repeat("0009abcde", 5000), result))
		}, nil},
		{"nothing", func(srv *gitserver.Server, _ *git.Options) { srv.Fail(1, gitserver.Answer("", result)) }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo := srv.Repo(t, "r")
			id := repo.Commit(t, "main", map[string]string{"a": "1"})
			o := options()
			o.Attempts = 1
			test.setUp(srv, &o)
			s := openStore(t, o, t.TempDir())
			_, err := s.Fetch(t.Context(), repo.URL, []git.Want{{Commit: id}}, nil, nil)
			if !errors.Is(err, test.want) || s.Has(repo.URL, id) != (test.want == nil) {
				t.Errorf("got %v", err)
			}
			if requests := srv.Requests(); directly(requests) || len(requests) == 0 {
				t.Errorf("git did not ask: %+v", requests)
			}
		})
	}
}

// No credential is sent unasked, and none but by git.
func TestFault_T1_Direct(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", nil)
	o := options()
	o.CredentialsFile, _ = credentials(t, strings.Replace(srv.URL, "://", "://ann:"+canary+"@", 1))
	srv.Watch(func(r *http.Request) {
		if r.Header.Get("Authorization") != "" || strings.Contains(fmt.Sprint(r.Header, r.URL), canary) {
			t.Errorf("sent: %v %v", r.URL, r.Header)
		}
	})
	fetch(t, openStore(t, o, t.TempDir()), repo.URL, nil, id)
}

// Certificates are checked, with those that the environment names.
func TestStore_Fetch_certificates(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", nil)
	behind, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(behind))
	front.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	front.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	front.StartTLS()
	t.Cleanup(front.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Attempts, o.Environ = 1, []string{"PATH=" + os.Getenv("PATH"), "GIT_SSL_CAINFO=" + file}
	fetch(t, openStore(t, o, t.TempDir()), front.URL+"/r.git", nil, id)
	if requests := srv.Requests(); !directly(requests) {
		t.Errorf("asked for %+v", requests)
	}
	o.Environ = o.Environ[:1]
	if _, err := openStore(t, o, t.TempDir()).Fetch(t.Context(), front.URL+"/r.git", []git.Want{{Commit: id}}, nil, nil); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody has signed: %v", err)
	}
	if requests := srv.Requests(); len(requests) > 0 {
		t.Errorf("asked for %+v", requests)
	}
}

// A redirect of the request takes nothing to a server that is not allowed.
func TestFault_G4_DirectRedirect(t *testing.T) {
	t.Parallel()
	allowed, second := gitserver.New(t), gitserver.New(t)
	repo := allowed.Repo(t, "r")
	id := repo.Commit(t, "main", nil)
	allowed.Fail(-1, gitserver.Redirect(second.URL))
	s, err := bot(t, allowed.URL).OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Fetch(t.Context(), repo.URL, []git.Want{{Commit: id}}, nil, nil); err == nil {
		t.Error("a redirect was followed")
	}
	if requests := second.Requests(); len(requests) > 0 {
		t.Errorf("the second server was asked: %+v", requests)
	}
}

// A line that is dead is given up, before the answer and in it.
func TestStore_Fetch_deadLine(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]gitserver.Fault{"silent": gitserver.Hang, "stalled": gitserver.StallAfter(100_000)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo, first, _ := large(t, srv)
			o := options()
			o.Attempts = 1
			s := openStore(t, o, t.TempDir())
			s.SetPatience(300 * time.Millisecond)
			srv.Fail(-1, fault)
			start := time.Now()
			_, err := s.Fetch(t.Context(), repo.URL, []git.Want{{Commit: first}}, nil, nil)
			if !errors.Is(err, git.ErrTransient) || !strings.Contains(err.Error(), "500 bytes a second") || time.Since(start) > 10*time.Second {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Of a pack that is not what it should be, nothing gets into the store, whether it is
// read here or by git.
func TestStore_Fetch_badPack(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	id := repo.Commit(t, "main", map[string]string{"a": noise(1, 5000), "b": noise(2, 5000)})
	whole := madePack(t, repo, "--revs", id+"\n")
	changed := slices.Clone(whole)
	changed[len(changed)/2] ^= 1
	for name, pack := range map[string][]byte{
		"cut off": whole[:len(whole)/2], "changed": changed, "something behind": append(slices.Clone(whole), "x"...),
		"a file is missing": madePack(t, repo, "", id+"\n"+repo.Git(t, "rev-parse", id+"^{tree}")+"\n"),
		"nothing":           madePack(t, repo, "", ""),
		"no commit":         madePack(t, repo, "", repo.Git(t, "rev-parse", id+":a")+"\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := gitserver.New(t)
			from := bad.Repo(t, "r").URL
			bad.Fail(-1, gitserver.Posts(gitserver.Answer(inPackets(pack), result)))
			o := options()
			o.Attempts = 1
			s := openStore(t, o, t.TempDir())
			if _, err := s.Fetch(t.Context(), from, []git.Want{{Commit: id}}, nil, nil); err == nil || s.Has(from, id) {
				t.Errorf("got %v", err)
			}
			if got := below(t, filepath.Join(s.Dir(), "objects", "pack")); got != nil {
				t.Errorf("in the pool: %q", got)
			}
			if got := runs(t, s.Dir()); len(got) != 1 || below(t, s.Dir()+"/tmp/"+got[0]) != nil {
				t.Errorf("left behind: %q", below(t, s.Dir()+"/tmp"))
			}
		})
	}
	t.Run("good", func(t *testing.T) {
		t.Parallel()
		good := gitserver.New(t)
		from := good.Repo(t, "r").URL
		good.Fail(-1, gitserver.Posts(gitserver.Answer(inPackets(whole), result)))
		s := openStore(t, options(), t.TempDir())
		fetch(t, s, from, nil, id)
		if len(commitContents(t, s, id)) != 2 {
			t.Error("the tree is another")
		}
	})
}

// madePack has git make a pack of objects, or of all that revisions lead to.
func madePack(t *testing.T, repo *gitserver.Repo, option, input string) []byte {
	t.Helper()
	args := []string{"-C", repo.Dir, "pack-objects", "--quiet", "--stdout"}
	if option != "" {
		args = append(args, option)
	}
	cmd := exec.Command("git", args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// inPackets is a server's answer with a pack.
func inPackets(pack []byte) string {
	answer := packetOf("packfile\n")
	for part := range slices.Chunk(pack, 1000) {
		answer += packetOf("\x01" + string(part))
	}
	return answer + "0000"
}

func packetOf(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }
