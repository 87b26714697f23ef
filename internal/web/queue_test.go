package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/web"
)

// The way in with a real queue behind it: known deliveries cause nothing, the
// answer comes in time, the pages show the job, and when the store is gone
// there is no success.
func TestRealQueue(t *testing.T) {
	t.Parallel()
	q, err := queue.Open(t.Context(), queue.Options{Path: filepath.Join(t.TempDir(), "odyssey.db")})
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	defer func() {
		if !closed {
			_ = q.Close()
		}
	}()
	const subject = "main:acme/odoo-image"
	o := options(t.Output())
	o.Store, o.Reports, o.Jobs = q, q, q
	o.Repositories = func() []web.Repository {
		return []web.Repository{{Subject: subject, Forge: "main", Name: "acme/odoo-image"}}
	}
	o.Accepter = acceptFunc(func(ctx context.Context, forgeName string, e forge.Event) (bool, error) {
		d := queue.Delivery{Source: forgeName, ID: e.Delivery, Event: string(e.Kind)}
		return q.Accept(ctx, d, queue.Request{Subject: subject, Kind: "merges"})
	})
	server := newServer(t, o)
	server.Started()

	var fresh, known atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			switch deliver(server.Public(), "/webhooks/gitea", "good", strings.NewReader("same")).Code {
			case http.StatusAccepted:
				fresh.Add(1)
			case http.StatusOK:
				known.Add(1)
			}
		})
	}
	wg.Wait()
	if fresh.Load() != 1 || known.Load() != 49 {
		t.Errorf("the same delivery 50 times: %d fresh, %d known; want 1, 49", fresh.Load(), known.Load())
	}

	var took []time.Duration
	for i := range 200 {
		began := time.Now()
		if w := deliver(server.Public(), "/webhooks/gitea", "good", strings.NewReader(fmt.Sprint(i))); w.Code != http.StatusAccepted {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("median %s, slowest %s", took[100], took[199])
	if took[100] > 50*time.Millisecond {
		t.Errorf("the median answer took %s; want less than 50 ms", took[100])
	}

	data, err := json.Marshal(bot.Report{Subject: subject, Error: "repos.yaml:3: nonsense", Finished: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Put(t.Context(), bot.ReportBucket, bot.ReportKey(subject, "merges"), data); err != nil {
		t.Fatal(err)
	}
	if page := get(server.Status(), "/").Body.String(); !strings.Contains(page, "repos.yaml:3: nonsense") || !strings.Contains(page, ">Failing<") {
		t.Error("the overview does not show the report")
	}
	if page := get(server.Status(), "/jobs").Body.String(); !strings.Contains(page, `Waiting <span class="number">1</span>`) || !strings.Contains(page, "acme/odoo-image") {
		t.Error("the jobs page does not show the job")
	}

	closed = true
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if w := deliver(server.Public(), "/webhooks/gitea", "good", strings.NewReader("late")); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a delivery without a store: %d; want 503", w.Code)
	}
	if w := get(server.Status(), "/readyz"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("/readyz without a store: %d; want 503", w.Code)
	}
}
