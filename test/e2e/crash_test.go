package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nuobit/odyssey/test/world"
)

// C5, C6, C8 and what lies between: the process is killed right after each kind
// of write to the forge, and started again. In the end there is one branch, one
// pull request, one reply, and each reaction once.
func TestFault_C5_C6_C8_KilledAfterAWrite(t *testing.T) {
	for _, point := range []string{"React", "Push", "CreatePullRequest", "AddComment", "EditComment"} {
		t.Run(point, func(t *testing.T) {
			s := newStage(t)
			server := s.serve(world.ServeOptions{Env: []string{"ODYSSEY_FAILPOINT=" + point}})
			k := s.talk()
			s.grow("odoo", hotfix, "[FIX] stock: one")
			said := k.say(s.Owner, "/refresh ./odoo\n/help\n")
			select {
			case <-server.Ended():
			case <-time.After(10 * time.Second):
				if point == "EditComment" {
					server.Kill() // it may need none
					break
				}
				t.Fatal("it is not killed")
			}
			s.Serve(t, world.ServeOptions{Listen: strings.TrimPrefix(server.Webhooks, "http://")})
			k.ends(said, "rocket")
			s.one()
			if branches := s.branches(); len(branches) != 1 {
				t.Errorf("branches: %v", branches)
			}
			if replies := k.replies(); len(replies) != 1 {
				t.Errorf("%d replies: %+v", len(replies), replies)
			}
			reactions := k.reactions(said)
			if unique := slices.Compact(slices.Clone(reactions)); len(unique) != len(reactions) {
				t.Errorf("reactions: %v", reactions)
			}
		})
	}
}

// C1, C2, D3: a delivery that the process was killed in has no 2xx. Before its
// commit nothing is kept, after it the delivery; when the forge sends it once
// more, there is one effect.
func TestFault_C1_C2_KilledInADelivery(t *testing.T) {
	for point, kept := range map[string]int{"Receive": 0, "Accept": 1} {
		t.Run(point, func(t *testing.T) {
			s := newStage(t)
			server := s.Serve(t, world.ServeOptions{Env: []string{"ODYSSEY_FAILPOINT=" + point}})
			relay := newRelay(t, server.Webhooks)
			must(t, s.Hook(t.Context(), relay.URL))
			k := s.talk()
			s.grow("odoo", hotfix, "[FIX] stock: one")
			said := k.say(s.Owner, "/refresh ./odoo")
			select {
			case <-server.Ended():
			case <-time.After(patience):
				t.Fatal("it is not killed")
			}
			first := relay.first()
			if first.status != http.StatusBadGateway {
				t.Fatalf("the forge was answered %d", first.status)
			}
			if n := s.deliveries(); n != kept {
				t.Errorf("%d deliveries are kept, want %d", n, kept)
			}
			s.Serve(t, world.ServeOptions{Listen: strings.TrimPrefix(server.Webhooks, "http://")})
			for range 2 {
				if status := relay.again(t.Context(), first); status/100 != 2 {
					t.Errorf("the forge's second try is answered %d", status)
				}
			}
			must(t, s.Hook(t.Context(), server.Webhooks))
			k.ends(said, "rocket")
			s.one()
			if n := len(k.replies()); n > 1 {
				t.Errorf("%d replies", n)
			}
		})
	}
}

// deliveries counts what the bot's store has kept.
func (s *stage) deliveries() (n int) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+s.path("odyssey.db")+"?mode=ro")
	must(s.t, err)
	defer db.Close()
	must(s.t, db.QueryRowContext(s.t.Context(), `SELECT COUNT(*) FROM odyssey_delivery`).Scan(&n))
	return n
}

// relay stands between the forge and the bot, lets comments pass and nothing
// else, and remembers them.
type relay struct {
	*httptest.Server
	t      *testing.T
	mu     sync.Mutex
	passed []passage
}

type passage struct {
	path   string
	header http.Header
	body   []byte
	status int // 502 when the bot gave no answer
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	r := &relay{t: t}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		if req.Header.Get("X-Gitea-Event") != "issue_comment" {
			return
		}
		p := passage{path: to + req.URL.Path, header: req.Header.Clone(), body: body}
		p.status = r.again(req.Context(), p)
		w.WriteHeader(p.status)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.passed = append(r.passed, p)
	}))
	t.Cleanup(r.Close)
	return r
}

// again sends what passed once more and returns the status of the answer.
func (r *relay) again(ctx context.Context, p passage) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.path, bytes.NewReader(p.body))
	if err != nil {
		r.t.Error(err)
		return 0
	}
	req.Header = p.header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return http.StatusBadGateway
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// first is the first that passed.
func (r *relay) first() passage {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		r.mu.Lock()
		passed := r.passed
		r.mu.Unlock()
		if len(passed) > 0 {
			return passed[0]
		}
	}
	r.t.Fatal("nothing passed")
	return passage{}
}

// C2: killed between deliveries and amid the work on them.
func TestFault_C2_KilledWhileDelivering(t *testing.T) {
	s := newStage(t)
	server := s.serve(world.ServeOptions{})
	k := s.talk()
	s.grow("odoo", hotfix, "[FIX] stock: one")
	var said []comment
	for i := range 10 {
		said = append(said, k.say(s.Owner, fmt.Sprintf("Number %d.\n\n/refresh ./odoo\n", i)))
		if i == 5 {
			server.Kill()
		}
	}
	s.Serve(t, world.ServeOptions{Listen: strings.TrimPrefix(server.Webhooks, "http://")})
	for _, c := range said {
		k.ends(c, "rocket")
	}
	s.one()
	if replies := k.replies(); len(replies) > len(said) {
		t.Errorf("%d replies to %d comments", len(replies), len(said))
	}
}
