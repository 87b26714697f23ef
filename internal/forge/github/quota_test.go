package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/forge"
)

// F3: while GitHub asks to wait, nothing is called, by no repository.
func TestFault_F3_GitHubAsksToWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(b *bench) func(http.ResponseWriter, *http.Request)
		want   time.Duration
	}{
		"403 with Retry-After": {func(*bench) func(http.ResponseWriter, *http.Request) { return limited(403, "Retry-After", "120") }, 2 * time.Minute},
		"429 with Retry-After": {func(*bench) func(http.ResponseWriter, *http.Request) { return limited(429, "Retry-After", "120") }, 2 * time.Minute},
		"the quota is used up": {func(b *bench) func(http.ResponseWriter, *http.Request) {
			return limited(403, "X-Ratelimit-Limit", "5000", "X-Ratelimit-Remaining", "0", "X-Ratelimit-Resource", "core",
				"X-Ratelimit-Reset", strconv.FormatInt(b.Now().Add(30*time.Minute).Unix(), 10))
		}, 30 * time.Minute},
	} {
		b := newBench(t)
		b.answer = c.answer(b)
		b.wantLimit(t, name+", the first", "a/a", "GET", c.want, true)
		b.answer = fine
		b.wantLimit(t, name+", at once", "a/a", "GET", c.want, false)
		b.pass(c.want - time.Second)
		b.wantLimit(t, name+", for another one", "a/b", "POST", time.Second, false)
		b.pass(time.Second)
		b.wantFine(t, name+", then", "a/a", "GET")
	}
}

// A quota that was used up by a call that succeeded is respected, too, and the
// quota for searches is another one.
func TestFault_F3_GitHubQuotaUsedUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	reset := strconv.FormatInt(b.Now().Add(time.Minute).Unix(), 10)
	b.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ratelimit-Limit", "30")
		w.Header().Set("X-Ratelimit-Remaining", "0")
		w.Header().Set("X-Ratelimit-Reset", reset)
		w.Header().Set("X-Ratelimit-Resource", "search")
		fmt.Fprint(w, `{}`)
	}
	if _, _, err := b.call(t, "a/a", "GET", "search/repositories"); err != nil {
		t.Fatal(err)
	}
	b.answer = fine
	if _, _, err := b.call(t, "a/a", "GET", "search/repositories"); !errors.Is(err, forge.ErrTransient) {
		t.Errorf("a search: error %v", err)
	}
	b.wantFine(t, "no search", "a/a", "GET")
	b.pass(time.Minute)
	if _, _, err := b.call(t, "a/a", "GET", "search/repositories"); err != nil {
		t.Errorf("a search, later: %v", err)
	}
}

// F4: without a header at least a minute, growing, at most an hour; a success
// of the same sort begins anew.
func TestFault_F4_GitHubSecondaryLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secondary := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`)
	}
	b.answer = secondary
	for i, minutes := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		want := time.Duration(minutes) * time.Minute
		b.wantLimit(t, fmt.Sprint("time ", i), "a/a", "POST", want, true)
		b.wantLimit(t, fmt.Sprint("time ", i, ", at once"), "a/b", "GET", want, false)
		b.pass(want)
	}
	b.answer = fine
	b.wantFine(t, "a read says nothing of writes", "a/a", "GET")
	b.answer = secondary
	b.wantLimit(t, "again", "a/a", "POST", time.Hour, true)
	b.pass(time.Hour)
	b.answer = fine
	b.wantFine(t, "a write", "a/a", "POST")
	b.pass(time.Second)
	b.answer = limited(429)
	b.wantLimit(t, "429 without a word", "a/a", "POST", time.Minute, true)
	// A refusal for another reason is no limit.
	b.pass(time.Hour)
	b.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"message":"Resource not accessible by integration"}`)
	}
	for range 2 {
		if _, _, err := b.call(t, "a/a", "POST", "repos/x"); !errors.Is(err, forge.ErrUnauthorized) {
			t.Errorf("refused: error %v", err)
		}
	}
}

// F7: what did not change is not sent again, and takes nothing from a share.
func TestFault_F7_GitHubUnchangedPoll(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	etag, body := `"1"`, `{"n":1}`
	b.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Ratelimit-Remaining", "41")
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Etag", etag)
		w.Header().Set("Link", `<x>; rel="next"`)
		fmt.Fprint(w, body)
	}
	for range 3 {
		if status, got, err := b.call(t, "a/a", "GET", "repos/a/a?page=1"); err != nil || status != 200 || got != body {
			t.Errorf("status %d, body %q, error %v", status, got, err)
		}
	}
	etag, body = `"2"`, `{"n":2}`
	for range 2 {
		if _, got, err := b.call(t, "a/a", "GET", "repos/a/a?page=1"); err != nil || got != body {
			t.Errorf("body %q, error %v", got, err)
		}
	}
	if _, _, err := b.call(t, "a/a", "POST", "repos/a/a?page=1"); err != nil {
		t.Error(err)
	}
	want := []string{
		"GET /repos/a/a", `GET /repos/a/a "1"`, `GET /repos/a/a "1"`,
		`GET /repos/a/a "1"`, `GET /repos/a/a "2"`, "POST /repos/a/a",
	}
	if diff := cmp.Diff(want, b.took()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	req, err := http.NewRequestWithContext(forRepo(t.Context(), forge.Name{Owner: "a", Name: "a"}), http.MethodGet, b.session.api+"repos/a/a?page=1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.session.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Link") == "" || resp.Header.Get("X-Ratelimit-Remaining") != "41" {
		t.Errorf("a known answer has the header %v", resp.Header)
	}
}

// A second between two writes, whoever makes them; reads need none.
func TestWriteGap(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.answer = fine
	for _, c := range []struct {
		repo, method string
		after, slept time.Duration
	}{
		{"a/a", "POST", 0, 0},
		{"a/b", "POST", 0, time.Second},
		{"a/a", "GET", 0, 0},
		{"a/a", "PATCH", 400 * time.Millisecond, 600 * time.Millisecond},
		{"a/a", "DELETE", 5 * time.Second, 0},
		{"a/a", "PUT", 0, time.Second},
	} {
		b.pass(c.after)
		b.slept = nil
		b.wantFine(t, c.method, c.repo, c.method)
		var got time.Duration
		for _, d := range b.slept {
			got += d
		}
		if got != c.slept {
			t.Errorf("%s of %s waited %s, want %s", c.method, c.repo, got, c.slept)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.meter.quota.wait = wait
	req, err := http.NewRequestWithContext(forRepo(ctx, forge.Name{Owner: "a", Name: "a"}), http.MethodPost, b.session.api, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.session.RoundTrip(req); !errors.Is(err, context.Canceled) { //nolint:bodyclose // there is none
		t.Errorf("waits beyond its context: %v", err)
	}
}

// Who asks for much gets no more than its share once there is little left; the
// others go on. The next hour it begins anew.
func TestBudget(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	left, reset := 100, b.Now().Add(time.Hour)
	b.answer = func(w http.ResponseWriter, _ *http.Request) {
		left--
		w.Header().Set("X-Ratelimit-Limit", "100")
		w.Header().Set("X-Ratelimit-Remaining", strconv.Itoa(left))
		w.Header().Set("X-Ratelimit-Reset", strconv.FormatInt(reset.Unix(), 10))
		fmt.Fprint(w, `{}`)
	}
	b.wantFine(t, "quiet", "a/quiet", "GET")
	made := 0
	for ; made < 200; made++ {
		if _, _, err := b.call(t, "a/busy", "GET", "repos/x"); err != nil {
			break
		}
	}
	if left != 20 || made != 79 {
		t.Errorf("busy made %d calls, %d are left", made, left)
	}
	b.wantLimit(t, "busy", "a/busy", "GET", time.Hour, false)
	for i := range 20 {
		b.wantFine(t, fmt.Sprint("quiet, ", i), "a/quiet", "GET")
	}
	b.wantLimit(t, "nothing left", "a/quiet", "GET", time.Hour, false)
	b.pass(time.Hour)
	left, reset = 100, b.Now().Add(time.Hour)
	for range 80 {
		b.wantFine(t, "quiet is busy, an hour later", "a/quiet", "GET")
	}
	b.wantLimit(t, "who is busy now", "a/quiet", "GET", time.Hour, false)
	b.wantFine(t, "who was busy", "a/busy", "GET")
}

// Answers overtake each other: the least that is left counts, of the newest
// window.
func TestWindow_order(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	var w *window
	for _, c := range []struct{ left, reset, want int }{{9, 60, 9}, {7, 60, 7}, {8, 60, 7}, {50, 120, 50}, {6, 60, 50}, {49, 120, 49}} {
		w = w.noted(call{resource: "core"}, &http.Response{Header: http.Header{
			"X-Ratelimit-Limit": {"60"}, "X-Ratelimit-Remaining": {strconv.Itoa(c.left)}, "Date": {now.Format(http.TimeFormat)},
			"X-Ratelimit-Reset": {strconv.FormatInt(now.Unix()+int64(c.reset), 10)},
		}}, now)
		if w.left != c.want {
			t.Errorf("%d left until %d: %d, want %d", c.left, c.reset, w.left, c.want)
		}
	}
}
