package web

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nuobit/odyssey/internal/forge"
)

// Metrics counts what the process does, for Prometheus. The values of labels
// come from the configuration and from this code, never from a request.
type Metrics struct {
	registry   *prometheus.Registry
	deliveries *prometheus.CounterVec
	jobs       *prometheus.HistogramVec
	calls      *prometheus.CounterVec
	git        prometheus.Counter
	sweeps     *prometheus.HistogramVec
}

// NewMetrics makes metrics in a registry of their own. version is the
// program's, of which the first word becomes a label.
func NewMetrics(version string) *Metrics {
	version, _, _ = strings.Cut(version, " ")
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "odyssey_deliveries_total",
			Help: "Deliveries of webhooks by what they tell and what became of them: accepted, known, unsigned, refused, failed.",
		}, []string{"forge", "event", "result"}),
		jobs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "odyssey_job_duration_seconds",
			Help:    "Duration of one attempt of a job.",
			Buckets: []float64{.1, .5, 1, 5, 15, 60, 300, 900, 3600},
		}, []string{"kind", "result"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "odyssey_forge_calls_total",
			Help: "HTTP requests to forges by method and status code; code is error when there was no answer.",
		}, []string{"forge", "method", "code"}),
		git: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "odyssey_git_received_bytes_total",
			Help: "Bytes that git received from upstream remotes.",
		}),
		sweeps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "odyssey_sweep_duration_seconds",
			Help:    "Duration of a sweep over a forge's repositories.",
			Buckets: []float64{.1, .5, 1, 5, 15, 60, 300, 900},
		}, []string{"forge"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "odyssey_build_info",
		Help:        "Always 1; the labels tell what runs.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision(), "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(
		m.deliveries, m.jobs, m.calls, m.git, m.sweeps, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// revision is the commit that the program was built from.
func revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}

// Job counts one attempt of a job. result is one of a few words: "done",
// "failed".
func (m *Metrics) Job(kind, result string, d time.Duration) {
	m.jobs.WithLabelValues(kind, result).Observe(d.Seconds())
}

// Git counts bytes that git received.
func (m *Metrics) Git(bytes int64) { m.git.Add(float64(max(bytes, 0))) }

// Sweep counts a sweep over a forge.
func (m *Metrics) Sweep(forgeName string, d time.Duration) {
	m.sweeps.WithLabelValues(forgeName).Observe(d.Seconds())
}

// Handler answers a scrape. Where the store fails, the metrics from it are
// left out.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 10})
}

// delivery counts a delivery. The kind is one of ours, since the forge's own
// word is not signed.
func (m *Metrics) delivery(forgeName string, event forge.Event, result string) {
	kind := "other"
	switch event.Kind {
	case forge.EventPing, forge.EventPush, forge.EventPullRequest, forge.EventComment, forge.EventRepository,
		forge.EventIssue, forge.EventRerun, forge.EventWorkflow:
		kind = string(event.Kind)
	}
	m.deliveries.WithLabelValues(forgeName, kind, result).Inc()
}

// Transport counts the requests that go to a forge through next. A request
// that is tried again counts again.
func (m *Metrics) Transport(forgeName string, next http.RoundTripper) http.RoundTripper {
	return &countedTransport{metrics: m, forge: forgeName, next: next}
}

type countedTransport struct {
	metrics *Metrics
	forge   string
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *countedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	code := "error"
	if err == nil {
		code = "other"
		if resp.StatusCode >= 100 && resp.StatusCode < 600 {
			code = strconv.Itoa(resp.StatusCode)
		}
	}
	method := "other"
	switch req.Method {
	case "":
		method = http.MethodGet
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		method = req.Method
	}
	t.metrics.calls.WithLabelValues(t.forge, method, code).Inc()
	return resp, err
}
