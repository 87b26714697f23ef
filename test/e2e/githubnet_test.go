package e2e

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nuobit/odyssey/test/githubtest"
)

// objectID is what differs between the addresses of one endpoint.
var objectID = regexp.MustCompile(`/[0-9a-f]{40}|/[0-9]+`)

// faulty spoils the first call of the bot to each endpoint: reads by 502, writes
// by losing the answer to what was done.
type faulty struct {
	mu      sync.Mutex
	spoiled []string
}

func (f *faulty) intercept(r *http.Request) *githubtest.Answer {
	if !strings.HasPrefix(r.UserAgent(), "odyssey") || strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ghp_") {
		return nil // the tests look, too
	}
	endpoint := r.Method + " " + objectID.ReplaceAllString(r.URL.Path, "/…")
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.Contains(f.spoiled, endpoint) {
		return nil
	}
	f.spoiled = append(f.spoiled, endpoint)
	if r.Method == http.MethodGet {
		return &githubtest.Answer{Status: http.StatusBadGateway}
	}
	return &githubtest.Answer{Reset: true, After: true}
}

// F1, F2: each endpoint fails once, after the effect where there is one. What is
// done is found and not done twice.
func TestFault_F1_F2_GitHubEachEndpointFailsOnce(t *testing.T) {
	h := newHub(t)
	h.push("Labels", map[string]string{".odyssey.yaml": "merges: {labels: [odyssey]}\n"})
	head := h.grow("[FIX] stock: one")
	f := &faulty{}
	h.Intercept(f.intercept)
	h.run("./odoo opened")
	h.Intercept(nil)
	pr := h.one()
	if lock := h.locked(pr.Head); !strings.Contains(lock, "  - acme "+head+"\n") {
		t.Errorf("the lock is\n%s", lock)
	}
	for _, write := range []string{"/git/trees", "/git/commits", "/git/refs", "/pulls", "/labels"} {
		if !slices.Contains(f.spoiled, "POST /repos/acme/odoo-image"+write) {
			t.Errorf("no call of %s was spoiled, but of %q", write, f.spoiled)
		}
	}
	branches := 0
	for _, r := range h.Requests() {
		if r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/pulls") && r.Status == http.StatusCreated && r.As == h.app.Login() {
			branches++
		}
	}
	if branches != 1 {
		t.Errorf("%d pull requests were opened", branches)
	}
	if seen := h.human.Inspect(t, pr.Number); !slices.Equal(seen.Labels, []string{"odyssey"}) {
		t.Errorf("the labels are %q", seen.Labels)
	}
	h.run("./odoo unchanged")
}
