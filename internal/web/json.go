package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/queue"
)

// statusAnswer is /api/status.json.
type statusAnswer struct {
	Generated    time.Time          `json:"generated"`
	Stale        bool               `json:"stale"` // the store did not answer since
	Repositories []repositoryAnswer `json:"repositories"`
}

// repositoryAnswer is a repository in /api/status.json.
type repositoryAnswer struct {
	Repository
	State      state      `json:"state"`
	Reason     string     `json:"reason,omitempty"`
	Merges     int        `json:"merges"`
	Behind     int        `json:"behind"`
	LagSeconds int64      `json:"lagSeconds"`
	LagCommits *int       `json:"lagCommits,omitempty"` // absent when not known
	Held       []string   `json:"held,omitempty"`
	Pulls      []pull     `json:"pullRequests,omitempty"`
	Last       *time.Time `json:"lastRun,omitempty"`
	Next       *time.Time `json:"nextRun,omitempty"`

	Destinations []bot.DestinationReport `json:"destinations,omitempty"`
	Runs         []bot.Report            `json:"runs,omitempty"` // the last of each kind, without what stands above
}

// jobsAnswer is /api/jobs.json.
type jobsAnswer struct {
	Generated time.Time      `json:"generated"`
	Stale     bool           `json:"stale"`
	Counts    map[string]int `json:"counts"` // by state, all of them
	Jobs      []queue.Info   `json:"jobs"`   // not done; at most 200 of each state
}

func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

func (p *pages) statusJSON(w http.ResponseWriter, r *http.Request) {
	picture := p.board.look(r.Context())
	if picture == nil {
		say(w, http.StatusServiceUnavailable, "the store does not answer")
		return
	}
	answer := statusAnswer{Generated: picture.At, Stale: picture.Stale, Repositories: []repositoryAnswer{}}
	for _, row := range picture.Rows {
		answer.Repositories = append(answer.Repositories, rowJSON(picture, row))
	}
	writeJSON(w, answer)
}

func (p *pages) jobsJSON(w http.ResponseWriter, r *http.Request) {
	picture := p.board.look(r.Context())
	if picture == nil {
		say(w, http.StatusServiceUnavailable, "the store does not answer")
		return
	}
	answer := jobsAnswer{Generated: picture.At, Stale: picture.Stale, Counts: map[string]int{}, Jobs: []queue.Info{}}
	for _, s := range picture.Stats {
		answer.Counts[s.State] += s.Count
	}
	for _, j := range picture.Jobs {
		answer.Jobs = append(answer.Jobs, j.Info)
	}
	writeJSON(w, answer)
}

func rowJSON(p *picture, r row) repositoryAnswer {
	a := repositoryAnswer{
		Repository: r.Repository, State: r.State, Reason: r.Why,
		Merges: r.Merges, Behind: r.Behind, Held: r.Held, Pulls: r.Pulls,
		Last: timeOrNil(r.Last), Next: timeOrNil(r.Next), Destinations: r.Destinations,
	}
	for _, report := range r.Reports {
		report.Destinations, report.Pulls = nil, nil
		a.Runs = append(a.Runs, report)
	}
	if !r.Since.IsZero() {
		a.LagSeconds = int64(p.At.Sub(r.Since).Seconds())
	}
	if r.Commits >= 0 {
		a.LagCommits = &r.Commits
	}
	return a
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// writeJSON answers with v. The encoder escapes <, > and &, so that not even
// a browser that ignores the content type finds markup.
func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v)
}
