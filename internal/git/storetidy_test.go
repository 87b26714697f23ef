package git_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// packs counts the packs of a store, and their bytes.
func packs(t testing.TB, s *git.Store) (n int, bytes int64) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(s.Dir(), "objects", "pack", "pack-*.pack"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range found {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		bytes += info.Size()
	}
	return len(found), bytes
}

// grown is a store into which each commit of a line came by itself, with a merge
// that nothing refers to.
func grown(t testing.TB, srv *gitserver.Server, dir string, n int) (s *git.Store, url string, ids []string, merged string) {
	t.Helper()
	repo := srv.Repo(t, "grown")
	ids = linear(t, repo, "main", day(0), n)
	other := repo.Add(t, gitserver.Commit{Branch: "other", Parents: ids[:1], Files: map[string]string{"other": noise(4, 1000)}})[0]
	s = openStore(t, options(), dir)
	for _, id := range ids {
		fetch(t, s, repo.URL, nil, id)
	}
	fetch(t, s, repo.URL, nil, other)
	result, err := s.MergeTrees(t.Context(), git.Three{Base: ids[0], Ours: ids[n-1], Theirs: other}, nil)
	if err != nil || result.Conflicts != nil {
		t.Fatalf("%+v, %v", result, err)
	}
	return s, repo.URL, append(ids, other), result.Tree
}

// A pool of many packs becomes one of few, and everything stays in it.
func TestStore_tidy(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	s, _, ids, merged := grown(t, srv, t.TempDir(), 40)
	want := map[string]map[string]string{}
	for _, id := range ids {
		want[id] = commitContents(t, s, id)
	}
	n, size := packs(t, s)
	if n != 41 {
		t.Fatalf("%d packs", n)
	}
	if err := s.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now, _ := packs(t, s); now != n {
		t.Errorf("%d packs are few, and became %d", n, now)
	}
	s.SetMaxPacks(30)
	// What was left by a process that was killed, and by one that is at work.
	pool := filepath.Join(s.Dir(), "objects")
	long := time.Now().Add(-2 * time.Hour)
	dead := []string{"pack/tmp_pack_dead", "pack/.tmp-1-pack-dead.pack", "pack/pack-" + strings.Repeat("a", 40) + ".pack", "00/tmp_obj_dead"}
	live := []string{"pack/tmp_pack_live", "pack/pack-" + strings.Repeat("b", 40) + ".pack", "00/tmp_obj_live"}
	for _, name := range append(dead, live...) {
		put(t, filepath.Join(pool, name), "x")
		if strings.Contains(name, "dead") || strings.Contains(name, "aaa") {
			if err := os.Chtimes(filepath.Join(pool, name), long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	start := time.Now()
	if err := s.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("tidied in %v", time.Since(start))
	for _, name := range dead {
		if _, err := os.Stat(filepath.Join(pool, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range live {
		if err := os.Remove(filepath.Join(pool, name)); err != nil {
			t.Error(err)
		}
	}
	now, nowSize := packs(t, s)
	if now > 5 || nowSize > size+size/5 {
		t.Errorf("%d packs of %d bytes became %d of %d", n, size, now, nowSize)
	}
	if loose, _ := filepath.Glob(filepath.Join(pool, "[0-9a-f][0-9a-f]", "*")); len(loose) > 0 {
		t.Errorf("single objects are left: %q", loose)
	}
	for _, id := range ids {
		if got := commitContents(t, s, id); fmt.Sprint(got) != fmt.Sprint(want[id]) {
			t.Errorf("%s is not what it was", id)
		}
	}
	if got := contents(t, s, merged); len(got) != 2 {
		t.Errorf("the merge is not what it was: %v", got)
	}
}

// Closing a store tidies it, but not while another process does.
func TestStore_tidyClose(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	s, url, ids, _ := grown(t, srv, t.TempDir(), 12)
	s.SetMaxPacks(5)
	pool, err := os.Open(filepath.Join(s.Dir(), "objects"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(pool.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n, _ := packs(t, s); n != 13 {
		t.Errorf("%d packs: it was tidied while locked", n)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	idle := openStore(t, options(), s.Dir())
	idle.SetMaxPacks(5)
	if err := idle.Close(); err != nil {
		t.Error(err)
	}
	if n, _ := packs(t, s); n != 13 {
		t.Errorf("%d packs: a run that fetched nothing spent time on tidying", n)
	}
	busy := openStore(t, options(), s.Dir())
	busy.SetMaxPacks(5)
	fetch(t, busy, url+"/", nil, ids[0])
	if err := busy.Close(); err != nil {
		t.Error(err)
	}
	if n, _ := packs(t, s); n > 4 {
		t.Errorf("%d packs: closing did not tidy", n)
	}
}

// Who reads and fetches while others tidy notices nothing.
func TestStore_tidyReaders(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	s, url, ids, merged := grown(t, srv, t.TempDir(), 25)
	s.SetMaxPacks(1)
	entries, err := s.List(t.Context(), merged)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	stop := make(chan struct{})
	for i := range 2 {
		group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				id := ids[(n*7+i)%len(ids)]
				if tree, err := s.TreeOf(t.Context(), id); err != nil {
					t.Errorf("read: %s, %v", tree, err)
					return
				}
				blobs := []string{}
				for range 200 {
					blobs = append(blobs, entries[n%len(entries)].ID)
				}
				if err := s.Blobs(t.Context(), blobs, func(_ int, _ int64, content io.Reader) error {
					_, err := io.Copy(io.Discard, content)
					return err
				}); err != nil {
					t.Errorf("read: %v", err)
					return
				}
			}
		})
	}
	for i := range 5 {
		again := srv.Repo(t, fmt.Sprintf("again%d", i)) // so that there is something to tidy
		again.Git(t, "fetch", "--quiet", url, "main:refs/heads/main")
		for j := range 4 {
			if _, err := s.Fetch(t.Context(), again.URL, []git.Want{{Commit: ids[j]}}, nil, nil); err != nil {
				t.Error(err)
			}
		}
		if err := s.Tidy(t.Context()); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	group.Wait()
	for _, id := range ids {
		commitContents(t, s, id)
	}
}

// Several processes at work in one store, each of which tidies when it is done.
func TestStore_processes(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := linear(t, repo, "main", day(0), 8)
	dir := t.TempDir()
	var group sync.WaitGroup
	for range 3 {
		cmd := child(t, "TestStoreChild", "ODYSSEY_TEST_STORE="+dir, "ODYSSEY_TEST_URL="+repo.URL, "ODYSSEY_TEST_COMMITS="+strings.Join(ids, " "))
		group.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	group.Wait()
	s := openStore(t, options(), dir)
	for _, id := range ids {
		if !s.Has(repo.URL, id) {
			t.Errorf("%s is not had", id)
		}
		commitContents(t, s, id)
	}
	if odd := halfWritten(t, dir); odd != nil {
		t.Errorf("in the pool: %q", odd)
	}
	if left := runs(t, dir); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
}
