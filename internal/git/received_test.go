package git_test

import (
	"sync/atomic"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/test/gitserver"
)

// What is told as received is what the server sent, less what frames it.
func TestOptions_Received(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := repo.Add(t,
		gitserver.Commit{Branch: "main", Files: map[string]string{"a": noise(1, 40_000)}, Message: noise(4, 9000)},
		gitserver.Commit{Branch: "main", Files: map[string]string{"b": noise(2, 20_000)}, Message: noise(3, 9000)})
	repo.Git(t, "update-ref", "refs/heads/"+noise26(900), ids[0])
	var told atomic.Int64
	o := options()
	o.Received = func(n int64) { told.Add(n) }
	c := git.New(o)
	s := openStore(t, o, t.TempDir())
	for _, step := range []struct {
		name   string
		before func()
		most   int64 // in percent, that HTTP, greetings and answers asked for in vain make up
		ask    func() error
	}{
		{"refs", nil, 20, func() error { _, err := c.Refs(t.Context(), repo.URL); return err }},
		{"a pack", nil, 2, func() error {
			_, err := s.Fetch(t.Context(), repo.URL, []git.Want{{Commit: ids[0]}}, nil, nil)
			return err
		}},
		{"a pack that git fetches", nil, 4, func() error {
			_, err := s.Fetch(t.Context(), repo.URL, []git.Want{{Commit: ids[1]}}, nil, nil)
			return err
		}},
		{"histories", nil, 8, func() error {
			_, err := c.Histories(t.Context(), repo.URL, []git.Range{{Old: ids[0], New: ids[1]}})
			return err
		}},
		{"refs of protocol 0", srv.ForgetVersion2, 65, func() error { _, err := c.Refs(t.Context(), repo.URL); return err }},
	} {
		if step.before != nil {
			step.before()
		}
		srv.Requests()
		told.Store(0)
		if err := step.ask(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		want, _ := sent(srv)
		if got := told.Load(); got < want*(100-step.most)/100 || got > want+100 {
			t.Errorf("%s: %d bytes are told, and the server sent %d", step.name, got, want)
		}
	}
}

// noise26 is a name of n letters, with slashes.
func noise26(n int) string {
	b := []byte(noise(5, n))
	for i := range b {
		b[i] = 'a' + b[i]%26
		if i%100 == 99 {
			b[i] = '/'
		}
	}
	return string(b[:n-1])
}
