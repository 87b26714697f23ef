package web

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nuobit/odyssey/internal/forge"
)

// Quotas adds the metrics of what a forge lets be called. read is asked at each
// scrape; it returns each account and resource once, and a bounded number.
func (m *Metrics) Quotas(forgeName string, read func() []forge.Quota) error {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"account", "resource"}, prometheus.Labels{"forge": forgeName})
	}
	err := m.registry.Register(&quotas{
		read: read,
		left: desc("odyssey_forge_quota_remaining", "Requests that the forge still allows an account, as its last answer to this process said; of forges that say so, which Gitea and Forgejo do not."),
		most: desc("odyssey_forge_quota_limit", "Requests that the forge allows an account in the present hour or minute."),
	})
	if err != nil {
		return fmt.Errorf("register the quotas of %s: %w", forgeName, err)
	}
	return nil
}

// quotas gives metrics of one forge's quotas.
type quotas struct {
	read       func() []forge.Quota
	left, most *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (q *quotas) Describe(ch chan<- *prometheus.Desc) { ch <- q.left; ch <- q.most }

// Collect implements prometheus.Collector.
func (q *quotas) Collect(ch chan<- prometheus.Metric) {
	seen := map[[2]string]bool{} // what a forge calls two accounts alike must not end the scrape
	for _, one := range q.read() {
		if key := [2]string{one.Account, one.Resource}; !seen[key] {
			seen[key] = true
			ch <- prometheus.MustNewConstMetric(q.left, prometheus.GaugeValue, float64(one.Left), one.Account, one.Resource)
			ch <- prometheus.MustNewConstMetric(q.most, prometheus.GaugeValue, float64(one.Limit), one.Account, one.Resource)
		}
	}
}
