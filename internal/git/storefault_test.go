package git_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// large is a repository with a commit of half a megabyte, and one that changes
// half of that.
func large(t testing.TB, srv *gitserver.Server) (repo *gitserver.Repo, first, second string) {
	t.Helper()
	repo = srv.Repo(t, "large")
	ids := repo.Add(t,
		gitserver.Commit{Branch: "main", Files: map[string]string{"a": noise(1, 300_000), "b": noise(2, 300_000)}},
		gitserver.Commit{Branch: "main", Files: map[string]string{"b": noise(3, 300_000)}})
	return repo, ids[0], ids[1]
}

// child runs a test of this program in a process of its own.
func child(t testing.TB, test string, environ ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+test+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), environ...)
	return cmd
}

// TestStoreChild is what child processes do: fetch into a store, and say so.
func TestStoreChild(t *testing.T) { //nolint:paralleltest // it is alone in its process
	dir, url := os.Getenv("ODYSSEY_TEST_STORE"), os.Getenv("ODYSSEY_TEST_URL")
	if dir == "" {
		t.Skip("for child processes")
	}
	o := options()
	o.CredentialsFile = os.Getenv("ODYSSEY_TEST_CREDENTIALS")
	s := openStore(t, o, dir)
	s.SetMaxPacks(3)
	for id := range strings.FieldsSeq(os.Getenv("ODYSSEY_TEST_COMMITS")) {
		fetch(t, s, url, nil, id)
		if got := commitContents(t, s, id); len(got) == 0 {
			t.Errorf("nothing is in %s", id)
		}
	}
}

// halfWritten lists what of a store's pool is no complete pack.
func halfWritten(t testing.TB, dir string) (odd []string) {
	t.Helper()
	for _, name := range below(t, filepath.Join(dir, "objects", "pack")) {
		base, ext, _ := strings.Cut(name, ".")
		_, err := os.Stat(filepath.Join(dir, "objects", "pack", base+".idx"))
		if !strings.HasPrefix(base, "pack-") || err != nil || !slices.Contains([]string{"pack", "idx", "rev"}, ext) {
			odd = append(odd, name)
		}
	}
	return odd
}

func TestFault_C3_KilledFetch(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"from nothing": false, "to what is there": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gitserver.New(t)
			repo, first, second := large(t, srv)
			dir := t.TempDir()
			if known {
				s := openStore(t, options(), dir)
				fetch(t, s, repo.URL, nil, first)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			srv.Fail(-1, gitserver.Posts(gitserver.StallAfter(150_000)))
			file, setting := credentials(t)
			cmd := child(t, "TestStoreChild", "ODYSSEY_TEST_STORE="+dir, "ODYSSEY_TEST_URL="+repo.URL, "ODYSSEY_TEST_COMMITS="+second, "ODYSSEY_TEST_CREDENTIALS="+file)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "a part of the pack", func() bool {
				packs, _ := filepath.Glob(filepath.Join(dir, "tmp", "run-*", "fetch-*", "objects", "pack", "tmp_pack_*"))
				return len(packs) > 0
			})
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if odd := halfWritten(t, dir); odd != nil {
				t.Errorf("in the pool: %q", odd)
			}
			left := runs(t, dir)
			if len(left) != 1 {
				t.Fatalf("left: %q", left)
			}
			long := time.Now().Add(-2 * time.Minute)
			if err := os.Chtimes(filepath.Join(dir, "tmp", left[0]), long, long); err != nil {
				t.Fatal(err)
			}
			srv.Fail(0, nil)
			s := openStore(t, options(), dir)
			if now := runs(t, dir); len(now) != 1 || now[0] == left[0] {
				t.Errorf("not swept away: %q", now)
			}
			if s.Has(repo.URL, second) {
				t.Error("what did not come counts as had")
			}
			fetch(t, s, repo.URL, nil, second)
			if got := commitContents(t, s, second); got["b"] != "100644 "+noise(3, 300_000) || got["a"] != "100644 "+noise(1, 300_000) {
				t.Error("the tree is another")
			}
			srv.Fail(-1, gitserver.Reset)
			srv.Drop()
			gone(t, setting)
		})
	}
}

// waitFor waits until something is so.
func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for range 500 {
		if is() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("there never was %s", what)
}

func TestFault_C3_CancelledFetch(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo, first, second := large(t, srv)
	file, setting := credentials(t)
	o := options()
	o.CredentialsFile = file
	s := openStore(t, o, t.TempDir())
	srv.Fail(-1, gitserver.Posts(gitserver.StallAfter(150_000)))
	for _, id := range []string{first, second} { // the second time to what is there
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			waitFor(t, "a part of the pack", func() bool {
				packs, _ := filepath.Glob(filepath.Join(s.Dir(), "tmp", "run-*", "fetch-*", "objects", "pack", "tmp_pack_*"))
				return len(packs) > 0
			})
			cancel()
		}()
		start := time.Now()
		if _, err := s.Fetch(ctx, repo.URL, []git.Want{{Commit: id}}, nil, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		gone(t, setting)
		if got := below(t, filepath.Join(s.Dir(), "tmp")); got != nil || halfWritten(t, s.Dir()) != nil {
			t.Errorf("left: %q", got)
		}
		if id == first {
			srv.Fail(0, nil)
			fetch(t, s, repo.URL, nil, first)
			srv.Fail(-1, gitserver.Posts(gitserver.StallAfter(150_000)))
		}
	}
	if err := s.Close(); err != nil || len(runs(t, s.Dir())) > 0 {
		t.Errorf("%v, left: %q", err, runs(t, s.Dir()))
	}
}

func TestStore_Fetch_retry(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]gitserver.Fault{
		"502": gitserver.Status(http.StatusBadGateway), "reset": gitserver.Reset, "cut short": gitserver.CutShort(100_000), "cut at once": gitserver.CutShort(10),
		"stalled": gitserver.StallAfter(100_000), "silent": gitserver.Hang,
	} {
		for part, fault := range map[string]gitserver.Fault{"all": fault, "posts": gitserver.Posts(fault)} {
			t.Run(name+", "+part, func(t *testing.T) {
				t.Parallel()
				srv := gitserver.New(t)
				repo, first, second := large(t, srv)
				file, setting := credentials(t)
				o := options()
				o.FetchTimeout, o.Attempts, o.CredentialsFile = 3*time.Second, 2, file
				s := openStore(t, o, t.TempDir())
				for i, id := range []string{first, second} { // the first in one request, the second by git
					srv.Fail(1+i, fault)
					if part == "all" {
						srv.Fail(1, fault)
					}
					fetch(t, s, repo.URL, nil, id)
					if len(commitContents(t, s, id)) != 2 {
						t.Error("the tree is another")
					}
				}
				gone(t, setting)
				srv.Fail(-1, fault)
				third := repo.Commit(t, "main", map[string]string{"c": noise(5, 200_000)})
				_, err := s.Fetch(t.Context(), repo.URL, []git.Want{{Commit: third}}, nil, nil)
				if !errors.Is(err, git.ErrTransient) || !strings.HasPrefix(err.Error(), repo.URL+": ") || s.Has(repo.URL, third) {
					t.Errorf("got %v", err)
				}
				gone(t, setting)
			})
		}
	}
}

// mountSmall mounts a file system of some bytes; resize makes it larger.
func mountSmall(t *testing.T, dir, size string) (resize func(size string)) {
	t.Helper()
	mount := func(flags uintptr, size string) error {
		return syscall.Mount("tmpfs", dir, "tmpfs", flags, "mode=0755,size="+size)
	}
	if err := mount(0, size); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return func(size string) {
		if err := mount(syscall.MS_REMOUNT, size); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFault_R2_FullDisk(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo, first, second := large(t, srv)
	dir := t.TempDir()
	resize := mountSmall(t, dir, "300k")
	s := openStore(t, options(), dir)
	for _, id := range []string{first, second} { // the second time to what is there
		srv.Requests()
		_, err := s.Fetch(t.Context(), repo.URL, []git.Want{{Commit: id}}, nil, nil)
		if err == nil || !strings.Contains(err.Error(), "no space left on device") || errors.Is(err, git.ErrTransient) || s.Has(repo.URL, id) {
			t.Errorf("got %v", err)
		}
		if n := fetches(srv); n > 2 {
			t.Errorf("a full disk is tried again: %d posts", n)
		}
		if left := below(t, filepath.Join(dir, "tmp")); left != nil || halfWritten(t, dir) != nil {
			t.Errorf("left: %q, %q", left, halfWritten(t, dir))
		}
		if id == first {
			resize("3m")
			fetch(t, s, repo.URL, nil, first)
			resize("700k")
		}
	}
	resize("3m")
	fetch(t, s, repo.URL, nil, second)
	if len(commitContents(t, s, second)) != 2 {
		t.Error("the tree is another")
	}
}
