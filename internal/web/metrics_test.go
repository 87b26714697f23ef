package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/nuobit/odyssey/internal/forge"
)

// Names and texts as Prometheus' conventions have them.
func TestMetricsLint(t *testing.T) {
	t.Parallel()
	body := get(measured(t), "/metrics").Body.String()
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", err, problems)
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes", "odyssey_job_duration_seconds_bucket", "odyssey_sweep_duration_seconds_count"} {
		if !strings.Contains(body, "\n"+name) {
			t.Errorf("%s is missing", name)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// measured is a server's status handler after some of everything.
func measured(t *testing.T) http.Handler {
	t.Helper()
	o := options(t.Output())
	populate(t, &o)
	o.Accepter = acceptFunc(func(_ context.Context, _ string, e forge.Event) (bool, error) {
		return e.Delivery == "1", nil
	})
	h := newServer(t, o)
	for _, body := range []string{"1", "1", "2", "not json"} {
		deliver(h.Public(), "/webhooks/gitea", "good", strings.NewReader(body))
	}
	for i := range 100 { // nothing of a stranger's becomes a label
		r := httptest.NewRequest(fmt.Sprintf("METHOD%d", i), "/webhooks/gitea/main", strings.NewReader("1"))
		r.Header.Set("X-Event", fmt.Sprint("event-", i))
		h.Public().ServeHTTP(httptest.NewRecorder(), r)
	}
	deliver(h.Public(), "/webhooks/gitea", "bad", strings.NewReader("1"))

	o.Metrics.Job("merges", "done", 700*time.Millisecond)
	o.Metrics.Sweep("gitea", 3*time.Second)
	o.Metrics.Git(1234)
	o.Metrics.Git(-1)
	transport := o.Metrics.Transport("gitea", roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/down" {
			return nil, errors.New("down")
		}
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	}))
	for _, call := range []string{"GET /4999", "GET /4998", "POST /nonsense", "BREW /4997", "GET /down"} {
		method, path, _ := strings.Cut(call, " ")
		if resp, err := transport.RoundTrip(httptest.NewRequest(method, "http://forge.example"+path, http.NoBody)); err == nil {
			_ = resp.Body.Close()
		} else if path != "/down" {
			t.Error(err)
		}
	}
	for _, name := range []string{"github", "enterprise"} {
		err := o.Metrics.Quotas(name, func() []forge.Quota {
			if name == "enterprise" { // nothing was called yet
				return nil
			}
			return []forge.Quota{
				{Account: "acme", Resource: "core", Limit: 5000, Left: 17},
				{Account: "acme", Resource: "graphql", Limit: 5000, Left: 4999},
				{Account: "other", Resource: "core", Limit: 12500, Left: 12000},
				{Account: "acme", Resource: "core", Limit: 1, Left: 1},
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
	return h.Status()
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	body := get(measured(t), "/metrics").Body.String()
	var got []string
	for line := range strings.Lines(body) {
		keep := strings.HasPrefix(line, "odyssey_") && !strings.HasPrefix(line, "odyssey_build_info") &&
			!strings.Contains(line, "_duration_seconds") && !strings.Contains(line, "customers/")
		if keep {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := []string{
		`odyssey_deliveries_total{event="other",forge="main",result="refused"} 101`,
		`odyssey_deliveries_total{event="other",forge="main",result="unsigned"} 1`,
		`odyssey_deliveries_total{event="push",forge="main",result="accepted"} 2`,
		`odyssey_deliveries_total{event="push",forge="main",result="known"} 1`,
		`odyssey_forge_calls_total{code="200",forge="gitea",method="GET"} 2`,
		`odyssey_forge_calls_total{code="200",forge="gitea",method="POST"} 1`,
		`odyssey_forge_calls_total{code="200",forge="gitea",method="other"} 1`,
		`odyssey_forge_calls_total{code="error",forge="gitea",method="GET"} 1`,
		`odyssey_forge_quota_limit{account="acme",forge="github",resource="core"} 5000`,
		`odyssey_forge_quota_limit{account="acme",forge="github",resource="graphql"} 5000`,
		`odyssey_forge_quota_limit{account="other",forge="github",resource="core"} 12500`,
		`odyssey_forge_quota_remaining{account="acme",forge="github",resource="core"} 17`,
		`odyssey_forge_quota_remaining{account="acme",forge="github",resource="graphql"} 4999`,
		`odyssey_forge_quota_remaining{account="other",forge="github",resource="core"} 12000`,
		`odyssey_git_received_bytes_total 1234`,
		`odyssey_jobs{kind="commands",state="waiting"} 1`,
		`odyssey_jobs{kind="merges",state="dead"} 1`,
		`odyssey_jobs{kind="merges",state="retrying"} 1`,
		`odyssey_jobs{kind="merges",state="running"} 1`,
		`odyssey_jobs{kind="sweep",state="dead"} 1`,
		`odyssey_refresh_lag_commits{forge="forgejo",repository="verein/vereins-image"} 41`,
		`odyssey_refresh_lag_commits{forge="gitea",repository="acme/a-repository-with-a-name-that-somebody-took-far-too-literally-and-never-shortened"} 0`,
		`odyssey_refresh_lag_commits{forge="gitea",repository="acme/hostile"} 1.099511627776e+12`,
		`odyssey_refresh_lag_commits{forge="gitea",repository="acme/odoo-image"} 41`,
		`odyssey_refresh_lag_commits{forge="gitea",repository="acme/odoo-image-accounting"} 0`,
		`odyssey_refresh_lag_seconds{forge="forgejo",repository="verein/vereins-image"} 3.456e+06`,
		`odyssey_refresh_lag_seconds{forge="forgejo",repository="verein/warten"} 18000`,
		`odyssey_refresh_lag_seconds{forge="gitea",repository="acme/a-repository-with-a-name-that-somebody-took-far-too-literally-and-never-shortened"} 0`,
		`odyssey_refresh_lag_seconds{forge="gitea",repository="acme/hostile"} 3600`,
		`odyssey_refresh_lag_seconds{forge="gitea",repository="acme/odoo-image"} 1.0368e+06`,
		`odyssey_refresh_lag_seconds{forge="gitea",repository="acme/odoo-image-accounting"} 0`,
		`odyssey_repositories{forge="forgejo",state="behind"} 1`,
		`odyssey_repositories{forge="forgejo",state="current"} 0`,
		`odyssey_repositories{forge="forgejo",state="failing"} 0`,
		`odyssey_repositories{forge="forgejo",state="held"} 1`,
		`odyssey_repositories{forge="forgejo",state="idle"} 0`,
		`odyssey_repositories{forge="forgejo",state="new"} 1`,
		`odyssey_repositories{forge="forgejo",state="review"} 0`,
		`odyssey_repositories{forge="gitea",state="behind"} 0`,
		`odyssey_repositories{forge="gitea",state="current"} 16`,
		`odyssey_repositories{forge="gitea",state="failing"} 1`,
		`odyssey_repositories{forge="gitea",state="held"} 0`,
		`odyssey_repositories{forge="gitea",state="idle"} 0`,
		`odyssey_repositories{forge="gitea",state="new"} 0`,
		`odyssey_repositories{forge="gitea",state="review"} 2`,
		`odyssey_store_up 1`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !strings.Contains(body, `odyssey_build_info{goversion="go`) || !strings.Contains(body, `version="1.2.3"} 1`) {
		t.Error("odyssey_build_info is missing")
	}
}
