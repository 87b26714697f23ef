package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the time of the tests that show one.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// store is the queue as far as the web sees it, with answers that a test sets.
type store struct {
	mu      sync.Mutex
	reports map[string][]byte
	jobs    []queue.Info
	stats   []queue.Stat
	err     error
	reads   int
}

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *store) Ready(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *store) All(_ context.Context, bucket string) (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if bucket != "report" {
		return nil, errors.New("no such bucket")
	}
	return s.reports, s.err
}

func (s *store) Jobs(_ context.Context, f queue.Filter) ([]queue.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []queue.Info
	for _, j := range s.jobs {
		if slices.Contains(f.States, j.State) && len(found) < f.Limit {
			found = append(found, j)
		}
	}
	return found, s.err
}

func (s *store) Stats(context.Context) ([]queue.Stat, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats, s.err
}

// put stores a report as the bot does.
func (s *store) put(t testing.TB, subject, kind string, report any) {
	t.Helper()
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	if s.reports == nil {
		s.reports = map[string][]byte{}
	}
	s.reports[subject+" "+kind] = data
}

// signed takes a delivery whose X-Signature is the word "good" for one that
// was signed, and its body for the delivery's id.
type signed struct{}

func (signed) Receive(h http.Header, body []byte) (forge.Event, error) {
	if h.Get("X-Signature") != "good" {
		return forge.Event{}, forge.ErrSignature
	}
	if strings.HasPrefix(string(body), "not json") {
		return forge.Event{}, errors.New("parse the delivery: it is no JSON")
	}
	return forge.Event{Kind: forge.EventPush, Delivery: string(body), Type: h.Get("X-Event")}, nil
}

// acceptFunc is an Accepter.
type acceptFunc func(ctx context.Context, forgeName string, e forge.Event) (bool, error)

func (f acceptFunc) Accept(ctx context.Context, forgeName string, e forge.Event) (bool, error) {
	return f(ctx, forgeName, e)
}

func accepts(context.Context, string, forge.Event) (bool, error) { return true, nil }

// options is a server's with one forge, which accepts everything.
func options(log io.Writer) web.Options {
	s := &store{}
	return web.Options{
		Hooks:    []web.Hook{{Forge: "main", Kind: "gitea", Receiver: signed{}}},
		Accepter: acceptFunc(accepts),
		Store:    s, Reports: s, Jobs: s,
		Metrics: web.NewMetrics("1.2.3 (commit 0123abc, go1.26)"),
		Log:     slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func newServer(t testing.TB, o web.Options) *web.Server {
	t.Helper()
	s, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// deliver sends a delivery and returns the answer's status and text.
func deliver(h http.Handler, path, signature string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Signature", signature)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// get asks the status listener under the name localhost.
func get(h http.Handler, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Host = "localhost:8081"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
