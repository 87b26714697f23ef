package web

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
)

// state is what a repository's row says first.
type state string

// The states, the one that needs a look most first.
const (
	stateFailing state = "failing"
	stateBehind  state = "behind" // and no pull request is open
	stateHeld    state = "held"
	stateReview  state = "review" // a pull request waits for somebody
	stateCurrent state = "current"
	stateIdle    state = "idle" // there are no merges; Why says why
	stateNew     state = "new"  // not run yet
)

var states = [...]state{stateFailing, stateBehind, stateHeld, stateReview, stateCurrent, stateIdle, stateNew} //nolint:gochecknoglobals // constant

// Label is the state in words.
func (s state) Label() string {
	switch s {
	case stateFailing:
		return "Failing"
	case stateBehind:
		return "Behind"
	case stateHeld:
		return "Held"
	case stateReview:
		return "In review"
	case stateCurrent:
		return "Current"
	case stateIdle:
		return "Idle"
	}
	return "Not run yet"
}

// pull is an open pull request.
type pull struct {
	URL   string `json:"url"`
	Label string `json:"label"` // "#12"
	Title string `json:"title"`
}

// row is a repository in short.
type row struct {
	Repository
	State   state
	Why     string // a failure's reason, or why nothing was done; may be ""
	Merges  int    // how many there are
	Behind  int    // how many of them are behind
	Commits int    // that the furthest one is behind; -1 when not known
	Since   time.Time
	Pulls   []pull
	Held    []string // destinations
	Last    time.Time
	Next    time.Time
	Reports []bot.Report
	Dead    []job
}

// Link is the path of the repository's page.
func (r row) Link() string {
	owner, name, _ := strings.Cut(r.Name, "/")
	return "/repositories/" + url.PathEscape(r.Forge) + "/" + url.PathEscape(owner) + "/" + url.PathEscape(name)
}

// Lag says how far behind the repository is: "3 of 12 merges, up to 41 commits".
func (r row) Lag() string {
	switch {
	case r.Behind == 0:
		return ""
	case r.Commits > 0:
		return fmt.Sprintf("%d of %s, up to %s", r.Behind, count(r.Merges, "merge"), count(r.Commits, "commit"))
	}
	return fmt.Sprintf("%d of %s", r.Behind, count(r.Merges, "merge"))
}

func makeRow(now time.Time, repo Repository, reports []bot.Report, dead []job, next time.Time) row {
	r := row{Repository: repo, Commits: -1, Next: next, Reports: reports}
	for _, report := range reports {
		if r.WebURL == "" {
			r.WebURL = report.WebURL
		}
		if report.Finished.After(r.Last) {
			r.Last = report.Finished
		}
		for _, d := range report.Destinations {
			r.addDestination(d)
		}
		if report.Kind != commandsKind {
			r.addPulls(report.Outcomes)
		}
	}
	for _, j := range dead {
		if !outlived(j, reports) {
			r.Dead = append(r.Dead, j)
		}
	}
	r.State, r.Why = r.judge()
	if r.Since.After(now) {
		r.Since = now
	}
	return r
}

func (r *row) addDestination(d bot.DestinationReport) {
	if d.Held != "" {
		r.Held = append(r.Held, d.Path)
	}
	for _, m := range d.Merges {
		r.Merges++
		if !late(m) {
			r.Commits = max(r.Commits, 0)
			continue
		}
		r.Behind++
		r.Commits = max(r.Commits, m.Behind)
		if !m.Since.IsZero() && (r.Since.IsZero() || m.Since.Before(r.Since)) {
			r.Since = m.Since
		}
	}
}

// late reports whether a merge is behind. Of one whose commits could not be
// counted, only the time says so.
func late(m bot.MergeReport) bool { return m.Behind > 0 || !m.Since.IsZero() }

func (r *row) addPulls(outcomes []bot.Outcome) {
	for _, o := range outcomes {
		if openPull(o) {
			r.Pulls = append(r.Pulls, pull{URL: o.URL, Label: pullLabel(o.URL), Title: o.Title})
		}
	}
}

// pullLabel is the short name of the pull request at an address.
func pullLabel(address string) string {
	if n := path.Base(address); strings.Trim(n, "0123456789") == "" && n != "" {
		return "#" + n
	}
	return "pull request"
}

// openPull reports whether a pull request is open after an outcome.
func openPull(o bot.Outcome) bool {
	switch o.Action {
	case bot.Opened, bot.Reopened, bot.Updated, bot.Unchanged:
		return o.URL != ""
	}
	return false
}

// outlived reports whether a later run of a dead job's kind went well.
func outlived(j job, reports []bot.Report) bool {
	for _, report := range reports {
		if report.Kind == j.Kind && report.Error == "" && report.Finished.After(j.When()) {
			return true
		}
	}
	return false
}

// judge gives the state of a row and what to say of it.
func (r *row) judge() (state, string) {
	good := time.Time{} // the newest run that went well
	for _, report := range r.Reports {
		if report.Error == "" && report.Finished.After(good) {
			good = report.Finished
		}
	}
	for _, report := range r.Reports {
		// A comment that failed must not mark the repository for ever.
		if report.Error != "" && (report.Kind != commandsKind || report.Finished.After(good)) {
			return stateFailing, report.Error
		}
	}
	if len(r.Dead) > 0 {
		j := r.Dead[0]
		return stateFailing, fmt.Sprintf("Job %d was given up after %s: %s", j.ID, count(j.Attempt, "attempt"), j.Error)
	}
	switch {
	case len(r.Reports) == 0:
		return stateNew, ""
	case len(r.Pulls) > 0:
		return stateReview, ""
	case len(r.Held) > 0:
		return stateHeld, r.idle()
	case r.Behind > 0:
		return stateBehind, r.idle()
	case r.Merges == 0:
		return stateIdle, r.idle()
	}
	return stateCurrent, r.idle()
}

// idle is why the last run over the merges did nothing.
func (r *row) idle() string {
	for _, report := range r.Reports {
		if report.Kind == commandsKind {
			continue
		}
		if report.Idle != "" {
			return report.Idle
		}
		for _, o := range report.Outcomes {
			if o.Action == bot.Held || o.Action == bot.Idle {
				return o.Reason
			}
		}
	}
	return ""
}

// compareRows: what fails, then what is behind the longest, then what has not
// run, then the rest by name.
func compareRows(x, y row) int {
	return cmp.Or(
		order(x.State == stateFailing, y.State == stateFailing),
		order(x.Behind > 0, y.Behind > 0),
		lagTime(x).Compare(lagTime(y)),
		order(x.State == stateNew, y.State == stateNew),
		cmp.Compare(y.Commits, x.Commits),
		cmp.Compare(x.Forge, y.Forge),
		cmp.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)),
		cmp.Compare(x.Name, y.Name),
	)
}

// lagTime is since when a row is behind, for sorting: those that are behind
// for nobody knows how long come after those that are for long.
func lagTime(r row) time.Time {
	if r.Since.IsZero() {
		return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return r.Since
}
