package github_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge/github"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/test/githubtest"
)

// hookOf is where the App's events go: an HTTP server that answers with a
// status that can be set.
func hookOf(t *testing.T, w *world) (status *atomic.Int64, got func() []string) {
	t.Helper()
	status = &atomic.Int64{}
	status.Store(http.StatusBadGateway)
	var mu sync.Mutex
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Header.Get("X-Github-Event")+" "+r.Header.Get("X-Github-Delivery"))
		rw.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(server.Close)
	w.app.SetHook(server.URL, hookSecret)
	return status, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), seen...)
	}
}

// D6: what the bot did not take while it was down is asked for again, once it
// is due, and not when it was taken since.
func TestFault_D6_GitHubRedelivers(t *testing.T) {
	t.Parallel()
	clock := &movable{now: time.Now()} // the bot's; what the App signs is by the real one
	w := newWorld(t)
	s, name := w.Server, w.repo()
	w.app.Install("owner", name)
	status, seen := hookOf(t, w)
	o := w.asApp()
	o.Now = clock.Now
	f := w.driver(t, o)
	human := w.As("owner", name)
	delivered := func(n int) []githubtest.Delivery {
		for range 500 {
			all := s.Deliveries()
			if len(all) >= n && all[len(all)-1].Status != 0 {
				return all
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("there are not %d deliveries: %+v", n, s.Deliveries())
		return nil
	}
	since := clock.Now().Add(-time.Hour)
	redeliver := func(title string, want int) {
		t.Helper()
		if n, err := f.Redeliver(t.Context(), since); err != nil || n != want {
			t.Errorf("%s: asked for %d deliveries, error %v; want %d", title, n, err, want)
		}
	}
	human.OpenIssue(t, "Talk", "/help")
	delivered(1)
	redeliver("at once", 0)
	clock.pass(11 * time.Minute)
	redeliver("later", 1)
	delivered(2)
	redeliver("just done", 0)
	clock.pass(5 * time.Minute)
	redeliver("waits longer each time", 0)
	clock.pass(5 * time.Minute)
	status.Store(http.StatusOK)
	redeliver("twice as late", 1)
	all := delivered(3)
	for _, d := range all {
		if d.GUID != all[0].GUID {
			t.Errorf("another id: %+v", all)
		}
	}
	clock.pass(time.Hour)
	redeliver("taken", 0)
	since = clock.Now()
	if n := len(seen()); n != 3 {
		t.Errorf("delivered %d times", n)
	}
	if n, err := w.driver(t, github.Options{Token: secret.New(w.bot)}).Redeliver(t.Context(), since); n != 0 || err != nil {
		t.Errorf("with a token: %d, %v", n, err)
	}
}

// What fails for ever is given up, and there are bounds to how much is asked
// for at once.
func TestRedeliver_bounds(t *testing.T) {
	t.Parallel()
	clock := &movable{now: time.Now()}
	w := newWorld(t)
	s, name := w.Server, w.repo()
	w.app.Install("owner", name)
	_, seen := hookOf(t, w)
	o := w.asApp()
	o.Now = clock.Now
	f := w.driver(t, o)
	w.As("owner", name).OpenIssue(t, "Talk", "x")
	var asked []int
	for range 12 {
		for range 500 {
			if all := s.Deliveries(); all[len(all)-1].Status != 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		clock.pass(6 * time.Hour)
		n, err := f.Redeliver(t.Context(), clock.Now().Add(-100*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		asked = append(asked, n)
	}
	if diff := cmp.Diff([]int{1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0}, asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(seen()); n != 6 {
		t.Errorf("delivered %d times", n)
	}
}
