package forgegit_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/forgegit"
	"github.com/nuobit/odyssey/internal/forge/forgehttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// git runs the git command apart from the machine's configuration.
func git(t *testing.T, dir, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %q: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// newServer serves a bare repository that fast-import filled, by git's own
// HTTP backend. It returns the repository's directory and its remote.
func newServer(t *testing.T, stream string, config ...string) (string, *forgegit.Remote) {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "r.git")
	git(t, root, "", "init", "--quiet", "--bare", "--initial-branch=main", dir)
	if stream != "" {
		git(t, dir, stream, "fast-import", "--quiet")
	}
	for _, set := range append(config, "http.receivepack=true") {
		key, value, _ := strings.Cut(set, "=")
		git(t, dir, "", "config", key, value)
	}
	srv := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(git(t, root, "", "--exec-path"), "git-http-backend"),
		Env: []string{
			"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		},
		Stderr: io.Discard,
	})
	t.Cleanup(srv.Close)
	return dir, remote(t, srv.URL+"/r.git")
}

func remote(t *testing.T, url string) *forgegit.Remote {
	t.Helper()
	client := forgegit.Client(forgehttp.Options{Retries: 1, MinWait: time.Millisecond})
	t.Cleanup(client.CloseIdleConnections)
	return &forgegit.Remote{URL: url, HTTP: client, Auth: func(*http.Request) error { return nil }}
}

const submodule = "0123456789012345678901234567890123456789"

// stream is a repository for fast-import with one of everything.
func stream() string {
	large := strings.Repeat("0123456789abcdef", forge.MaxFile/16) + "!"
	var s strings.Builder
	s.WriteString("commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 1\nm\n")
	for _, file := range []struct{ mode, path, content string }{
		{"100644", "f", "content"},
		{"100755", "bin/x", "run"},
		{"120000", "link", "f"},
		{"100644", "large", large},
	} {
		s.WriteString("M " + file.mode + " inline " + file.path + "\ndata <<END_OF_FILE\n" + file.content + "\nEND_OF_FILE\n")
	}
	s.WriteString("M 160000 " + submodule + " sub\n")
	return s.String()
}

// A server that cannot leave out large files has them refused all the same.
func TestSnapshotOfEachKind(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{"with filter": "uploadpack.allowFilter=true", "without": "uploadpack.allowFilter=false"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, r := newServer(t, stream(), config)
			got, err := r.Snapshot(t.Context(), "main", []string{"f", "bin/x", "absent", "f/below"})
			if err != nil {
				t.Fatal(err)
			}
			want := forge.Snapshot{
				Commit: git(t, dir, "", "rev-parse", "main"),
				Files:  map[string][]byte{"f": []byte("content\n"), "bin/x": []byte("run\n")},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("snapshot (-want +got):\n%s", diff)
			}
			for path, reason := range map[string]string{
				"bin":   "is a directory",
				"link":  "is a symbolic link",
				"sub":   "is a submodule",
				"sub/x": "is below what is a submodule",
				"large": "is larger than 2 MiB",
				".":     "is no path inside a repository",
			} {
				_, err := r.Snapshot(t.Context(), "main", []string{path})
				var file *forge.FileError
				if !errors.As(err, &file) || err.Error() != path+": "+reason {
					t.Errorf("%s: error %v, want %q", path, err, reason)
				}
			}
		})
	}
}

// What git itself makes of a pushed commit: the objects are sound, and large
// files that were never fetched are still there.
func TestPushMakesSoundObjects(t *testing.T) {
	t.Parallel()
	dir, r := newServer(t, stream(), "uploadpack.allowFilter=true", "receive.fsckObjects=true")
	base := git(t, dir, "", "rev-parse", "main")
	sha, err := r.Push(t.Context(), forge.Change{
		Base: "main", BaseHead: base, Branch: "b",
		Files: map[string][]byte{
			"f": []byte("new"), "bin/x": []byte("new"), "bin.d/y": []byte("y"), "bin-z": []byte("new"), "a/b/c/d": nil,
		},
		Message: "Title\n\nBody", By: forge.Identity{Name: "Ö", Email: "o@example.org"},
		When: time.Date(2025, 6, 1, 12, 0, 0, 999, time.FixedZone("", 7200)),
	})
	if err != nil {
		t.Fatal(err)
	}
	git(t, dir, "", "fsck", "--strict", "--no-dangling")
	got := git(t, dir, "", "cat-file", "commit", "refs/heads/b")
	want := "tree " + git(t, dir, "", "rev-parse", sha+"^{tree}") + "\nparent " + base +
		"\nauthor Ö <o@example.org> 1748772000 +0000\ncommitter Ö <o@example.org> 1748772000 +0000\n\nTitle\n\nBody"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commit (-want +got):\n%s", diff)
	}
	changes := git(t, dir, "", "diff-tree", "-r", "--name-status", "main", "b")
	if want := "A\ta/b/c/d\nA\tbin-z\nA\tbin.d/y\nM\tbin/x\nM\tf"; changes != want {
		t.Errorf("changes\n%s\nwant\n%s", changes, want)
	}
	if modes := git(t, dir, "", "ls-tree", "-r", "--format=%(objectmode) %(path)", "b"); modes != strings.Join([]string{
		"100644 a/b/c/d", "100644 bin-z", "100644 bin.d/y", "100755 bin/x", "100644 f", "100644 large", "120000 link", "160000 sub",
	}, "\n") {
		t.Errorf("modes\n%s", modes)
	}
}

func TestPushIntoSubmoduleIsRefused(t *testing.T) {
	t.Parallel()
	dir, r := newServer(t, stream())
	for path, reason := range map[string]string{"sub": "sub: is a submodule", "sub/x": "sub: is no directory"} {
		_, err := r.Push(t.Context(), forge.Change{
			Base: "main", BaseHead: git(t, dir, "", "rev-parse", "main"), Branch: "b",
			Files: map[string][]byte{path: nil}, By: forge.Identity{Name: "O", Email: "o@example.org"},
		})
		if err == nil || err.Error() != reason {
			t.Errorf("%s: error %v, want %q", path, err, reason)
		}
	}
}

// A hook of the forge that says no is not a lost lease.
func TestPushDeclinedByHook(t *testing.T) {
	t.Parallel()
	dir, r := newServer(t, stream())
	hook := "#!/bin/sh\necho 'the rule says no' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "hooks", "pre-receive"), []byte(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	head := git(t, dir, "", "rev-parse", "main")
	err := r.DeleteBranch(t.Context(), "main", head)
	if !errors.Is(err, forge.ErrUnauthorized) || !strings.Contains(err.Error(), "the rule says no") {
		t.Errorf("error %v, want one that says why", err)
	}
}

func TestEmptyRepository(t *testing.T) {
	t.Parallel()
	_, r := newServer(t, "")
	got, err := r.Snapshot(t.Context(), "main", []string{"f"})
	if err != nil || got.Commit != "" || len(got.Files) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := r.DeleteBranch(t.Context(), "main", submodule); !errors.Is(err, forge.ErrLeaseLost) {
		t.Errorf("delete: error %v", err)
	}
}
