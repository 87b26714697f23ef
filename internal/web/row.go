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
	State        state
	Why          string // a failure's reason, or why nothing was done; may be ""
	Merges       int    // how many there are
	Behind       int    // how many of them are behind
	Commits      int    // that the furthest one is behind; -1 when not known
	Since        time.Time
	Pulls        []pull
	Held         []string // destinations
	Destinations []bot.DestinationReport
	Last         time.Time
	Next         time.Time
	Reports      []bot.Report
	Dead         []job
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

// lagKnown reports whether it is known how far the merges are behind. Where
// the last run failed, only of one that is behind: none may be current any more.
func (r *row) lagKnown() bool {
	return r.Merges > 0 && (r.Behind > 0 || r.State != stateFailing)
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
