package bot

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/nuobit/odyssey/internal/refresh"
)

// mostReport is how many bytes of JSON a report has that tells where every merge
// stands: some 1,300 of them.
const mostReport = 512 << 10

// Reports keeps what may be forgotten. Get returns nil when there is nothing.
type Reports interface {
	Put(ctx context.Context, bucket, key string, value []byte) error
	Get(ctx context.Context, bucket, key string) ([]byte, error)
}

// ReportBucket is where reports are kept, by ReportKey, as JSON.
const ReportBucket = "report"

// ReportKey is the key of the newest report on a subject and kind.
func ReportKey(subject, kind string) string { return subject + " " + kind }

// Report says what a job did, and where the repository stands since. It is for
// everybody who may see the status pages: it holds no secret.
type Report struct {
	Subject  string    `json:"subject"` // "gitea:acme/odoo-image"
	Forge    string    `json:"forge"`   // its name in the configuration
	Repo     string    `json:"repo"`    // OWNER/NAME
	WebURL   string    `json:"webURL,omitempty"`
	Kind     string    `json:"kind"`
	Trigger  string    `json:"trigger,omitempty"`  // who or what asked, when that is known
	Commands []string  `json:"commands,omitempty"` // of comments, as they were written, that were taken
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`

	Outcomes []Outcome `json:"outcomes,omitempty"`
	Idle     string    `json:"idle,omitempty"`  // why nothing was done
	Held     string    `json:"held,omitempty"`  // of a kind that people hold as a whole, why
	Error    string    `json:"error,omitempty"` // why the job failed

	// Destinations are those of repos.yaml in its order; after a job that
	// could not read them, those of the report before.
	Destinations []DestinationReport `json:"destinations,omitempty"`

	// Pulls are the bot's pull requests that are open; after a job that did not
	// ask for them, those of the report before.
	Pulls []Pull `json:"pullRequests,omitempty"`
}

// Pull is an open pull request of the bot.
type Pull struct {
	URL   string `json:"url"`
	Title string `json:"title"`
}

// DestinationReport is where one destination stands.
type DestinationReport struct {
	Path   string        `json:"path"`
	Merges []MergeReport `json:"merges,omitempty"`
	Held   string        `json:"held,omitempty"` // why nothing is proposed for it
}

// MergeReport is where one merge stands.
type MergeReport struct {
	Remote string    `json:"remote"`
	Ref    string    `json:"ref"`
	Locked string    `json:"locked"` // full object id; "" when the lock lacks the merge
	Newest string    `json:"newest"`
	Behind int       `json:"behind"`         // commits, at least; -1: not known
	Since  time.Time `json:"since,omitzero"` // when it was first seen behind; zero: it is current
	URL    string    `json:"url,omitempty"`  // of the remote

	// What was decided about it, and the pull request that this is about.
	Verdict refresh.Verdict `json:"verdict,omitempty"`
	Why     string          `json:"why,omitempty"`
	Pull    refresh.Pull    `json:"pullRequest,omitzero"`
}

// put keeps a report. That it cannot be kept is logged, and no reason to do the
// job again.
func (w *Worker) put(ctx context.Context, r Report) {
	if w.Reports == nil {
		return
	}
	data, err := json.Marshal(r)
	if len(data) > mostReport {
		r.Destinations, r.Idle = nil, "there are too many merges to show where they stand"
		data, err = json.Marshal(r)
	}
	if err == nil {
		err = w.Reports.Put(ctx, ReportBucket, ReportKey(r.Subject, r.Kind), data)
	}
	if err != nil && ctx.Err() == nil {
		w.Bot.Log.Warn("report not kept", "forge", r.Forge, "repo", r.Repo, "err", err)
	}
}

// last returns the newest report on a subject's merges, if there is one.
func (w *Worker) last(ctx context.Context, subject string) (r Report, known bool) {
	if w.Reports == nil {
		return r, false
	}
	data, err := w.Reports.Get(ctx, ReportBucket, ReportKey(subject, kindMerges))
	if err != nil || data == nil {
		return r, false
	}
	return r, json.Unmarshal(data, &r) == nil
}

// destinations tells where each destination stands after an attempt.
func (done result) destinations(before []DestinationReport, now time.Time) []DestinationReport {
	if done.state == nil || done.state.Idle != "" {
		return before
	}
	type place struct{ dest, remote, ref string }
	old := map[place]MergeReport{}
	for _, d := range before {
		for _, m := range d.Merges {
			old[place{d.Path, m.Remote, m.Ref}] = m
		}
	}
	var all []DestinationReport
	for _, s := range done.state.Standings() {
		if len(all) == 0 || all[len(all)-1].Path != s.Dest {
			all = append(all, DestinationReport{Path: s.Dest})
		}
		d := &all[len(all)-1]
		d.Merges = append(d.Merges, done.merge(s, old[place{s.Dest, s.Remote, s.Ref}], now))
	}
	noteHolds(all, readHolds(done.issues))
	return all
}

// pulls are the open pull requests after an attempt.
func (done result) pulls(before []Pull) []Pull {
	if done.open == nil {
		return before
	}
	return done.open
}

// noteHolds notes what is held.
func noteHolds(all []DestinationReport, held holds) {
	for i := range all {
		all[i].Held = ""
		if h, is := held.find(all[i].Path); is {
			all[i].Held = h.String()
		}
	}
}

func (done result) merge(s refresh.Standing, old MergeReport, now time.Time) MergeReport {
	m := MergeReport{Remote: s.Remote, Ref: s.Ref, Locked: s.Locked, Newest: s.Newest, URL: s.URL}
	m.Verdict, m.Why, m.Pull = done.decided(s, old)
	if s.Locked == s.Newest || s.Locked == "" {
		return m
	}
	m.Since = now
	if !old.Since.IsZero() {
		m.Since = old.Since
	}
	m.Behind = -1
	if n, known := done.ahead[merge{s.Dest, s.Remote, s.Ref, s.Locked, s.Newest}]; known {
		m.Behind = n
	} else if old.Locked == s.Locked && old.Newest == s.Newest && !old.Since.IsZero() {
		m.Behind = old.Behind
	}
	return m
}

// decided is what was decided about a merge: by this attempt, or if nobody asked
// it to look there, before.
func (done result) decided(s refresh.Standing, old MergeReport) (refresh.Verdict, string, refresh.Pull) {
	i := slices.IndexFunc(done.decisions, func(d refresh.Decision) bool { return d.Standing == s })
	if i < 0 || done.decisions[i].Why == notAsked && old.Locked == s.Locked && old.Newest == s.Newest && old.Verdict != "" {
		return old.Verdict, old.Why, old.Pull
	}
	d := done.decisions[i]
	return d.Verdict, d.Why, d.Pull
}
