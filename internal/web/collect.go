package web

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// collector gives metrics of what the store holds, from the same picture as
// the pages, so that a scrape costs the store no more than looking does.
type collector struct {
	board        *board
	up           *prometheus.Desc
	jobs         *prometheus.Desc
	lagSeconds   *prometheus.Desc
	lagCommits   *prometheus.Desc
	repositories *prometheus.Desc
}

// watch adds the metrics of what a board shows.
func (m *Metrics) watch(b *board) error {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return m.registry.Register(&collector{
		board:        b,
		up:           desc("odyssey_store_up", "Whether the store answered when it was asked last."),
		jobs:         desc("odyssey_jobs", "Jobs that have not ended well: waiting, running, retrying, dead, and cancelled ones.", "kind", "state"),
		lagSeconds:   desc("odyssey_refresh_lag_seconds", "For how long this store has known that a merge is behind, of the one that is the longest; 0 when all are at their newest commit, absent when that is not known.", "forge", "repository"),
		lagCommits:   desc("odyssey_refresh_lag_commits", "Commits that the furthest merge is behind, where that is known.", "forge", "repository"),
		repositories: desc("odyssey_repositories", "Repositories that are watched, by what the status pages say first of them.", "forge", "state"),
	})
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.jobs, c.lagSeconds, c.lagCommits, c.repositories} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	p := c.board.look(context.Background())
	if p == nil || p.Stale {
		gauge(c.up, 0)
		return
	}
	gauge(c.up, 1)
	for _, s := range p.Stats {
		gauge(c.jobs, float64(s.Count), s.Kind, s.State)
	}
	forges := map[string]map[state]int{}
	for _, r := range p.Rows {
		if forges[r.Forge] == nil {
			forges[r.Forge] = map[state]int{}
		}
		forges[r.Forge][r.State]++
		if !r.lagKnown() {
			continue
		}
		lag := 0.0
		if !r.Since.IsZero() {
			lag = p.At.Sub(r.Since).Seconds()
		}
		gauge(c.lagSeconds, lag, r.Forge, r.Name)
		if r.Commits >= 0 {
			gauge(c.lagCommits, float64(r.Commits), r.Forge, r.Name)
		}
	}
	for name, counts := range forges {
		for _, s := range states {
			gauge(c.repositories, float64(counts[s]), name, string(s))
		}
	}
}
