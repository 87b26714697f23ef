package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nuobit/odyssey/test/postgrestest"
)

// What is asked for of the ingest of deliveries.
const (
	deliverySeconds = 20
	deliveryMedian  = 50 * time.Millisecond
	deliveryP99     = 250 * time.Millisecond
	sqliteRate      = 200 // a second
	postgresRate    = 500
	pushedRepos     = 50 // that the deliveries tell of
)

// deliveries has the bot take pushes at the rates that are asked for, on both
// stores, while it works on what they ask for.
func (s *forgeScene) deliveries(ctx context.Context) error {
	if err := s.grow(ctx, pushedRepos); err != nil {
		return err
	}
	database, err := postgrestest.Start(ctx, os.TempDir())
	if err != nil {
		return err
	}
	defer database.Stop()
	url, err := database.Database(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "store-url"), []byte(url), 0o600); err != nil {
		return err
	}
	return errors.Join(
		s.deliver(ctx, "SQLite", "store: odyssey.db", sqliteRate),
		s.deliver(ctx, "PostgreSQL", "storeURLFile: "+filepath.Join(s.dir, "store-url"), postgresRate),
	)
}

func (s *forgeScene) deliver(ctx context.Context, name, store string, rate int) error {
	r, err := s.serve(ctx, name, store)
	if err != nil {
		return err
	}
	idle := func() error {
		return r.await(ctx, "all jobs are done", func() (bool, error) {
			jobs, err := r.metric("odyssey_jobs", `kind="merges"`)
			sweeps, failed := r.metric("odyssey_sweep_duration_seconds_count")
			return jobs == 0 && sweeps > 0, errors.Join(err, failed)
		})
	}
	if err := idle(); err != nil {
		return errors.Join(err, r.stop())
	}
	before, err := r.metric("go_goroutines")
	if err != nil {
		return errors.Join(err, r.stop())
	}
	took, failures := r.flood(ctx, rate)
	if err := errors.Join(failures, idle()); err != nil {
		return errors.Join(err, r.stop())
	}
	kept, err := r.metric("odyssey_deliveries_total", `result="accepted"`)
	after := 0.0
	settled := r.await(ctx, "goroutines are as many as before", func() (bool, error) {
		var err error
		after, err = r.metric("go_goroutines")
		return after <= before+5, err // connections of the scrapes
	})
	slices.Sort(took)
	median, p99 := took[len(took)/2], took[len(took)*99/100]
	fmt.Printf("  %s: %d deliveries at %d a second, %.0f kept; answered in %.1f ms at the median, %.1f ms at the 99th percentile; goroutines %.0f -> %.0f\n",
		name, len(took), rate, kept, ms(median), ms(p99), before, after)
	err = errors.Join(err, settled)
	if int(kept) != len(took) {
		err = errors.Join(err, fmt.Errorf("%s: %d deliveries were sent, %.0f are kept", name, len(took), kept))
	}
	if median > deliveryMedian || p99 > deliveryP99 {
		err = errors.Join(err, fmt.Errorf("%s: answers take %.1f ms at the median and %.1f ms at the 99th percentile", name, ms(median), ms(p99)))
	}
	return errors.Join(err, r.stop())
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// flood sends deliveries at a rate, whether or not earlier ones are answered,
// and returns how long after its time each was answered.
func (r *running) flood(ctx context.Context, rate int) ([]time.Duration, error) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 200, MaxConnsPerHost: 200}}
	defer client.CloseIdleConnections()
	count := rate * deliverySeconds
	took, failures := make([]time.Duration, count), make([]error, count)
	var wait sync.WaitGroup
	start := time.Now()
	for i := range count {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Until(due)):
		}
		wait.Go(func() {
			failures[i] = r.push(ctx, client, i)
			took[i] = time.Since(due)
		})
	}
	wait.Wait()
	return took, errors.Join(failures...)
}

// push delivers the news of a push, as Gitea would.
func (r *running) push(ctx context.Context, client *http.Client, i int) error {
	name, head := repoName(i%pushedRepos), fmt.Sprintf("%040x", rand.Uint64()|1)
	repo := map[string]any{
		"id": i%pushedRepos + 1, "name": name, "full_name": "acme/" + name, "default_branch": "main",
		"owner": map[string]any{"id": 1, "login": "acme", "username": "acme"}, "description": strings.Repeat("An image. ", 100),
	}
	body, err := json.Marshal(map[string]any{
		"ref": "refs/heads/main", "before": strings.Repeat("1", 40), "after": head, "repository": repo,
		"pusher": map[string]any{"id": 1, "login": "acme", "username": "acme"}, "sender": map[string]any{"id": 1, "login": "acme", "username": "acme"},
		"commits": []any{map[string]any{"id": head, "message": strings.Repeat("words ", 200)}},
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.webhooks+"/webhooks/gitea", bytes.NewReader(body))
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Gitea-Event", "push")
	req.Header.Set("X-Gitea-Event-Type", "push")
	req.Header.Set("X-Gitea-Delivery", fmt.Sprintf("bench-%d", i))
	req.Header.Set("X-Gitea-Signature", hex.EncodeToString(mac.Sum(nil)))
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("delivery %d: %s", i, resp.Status)
	}
	return nil
}
