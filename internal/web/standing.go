package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
)

// standing is the report that says where the merges stand and which pull
// requests are open. Runs and comments both look at that, and each report
// carries over what it did not look at, so it is the newest of them. It is nil
// when there is none.
func standing(reports []bot.Report) *bot.Report {
	var newest *bot.Report
	for i := range reports {
		r := &reports[i]
		told := r.Kind == mergesKind || r.Kind == commandsKind && (len(r.Destinations) > 0 || len(r.Pulls) > 0)
		if told && (newest == nil || r.Finished.After(newest.Finished)) {
			newest = r
		}
	}
	return newest
}

// ran reports whether a report is about a run over the repository. A comment
// may ask for none.
func ran(r *bot.Report) bool { return r.Kind != commandsKind || len(r.Outcomes) > 0 }

// makeRow puts together what the reports on a repository say.
func makeRow(now time.Time, repo Repository, reports []bot.Report, dead []job, next time.Time) row {
	clean(&repo.Subject, &repo.Forge, &repo.Name)
	repo.WebURL = link(repo.WebURL)
	r := row{Repository: repo, Commits: -1, Next: next, Reports: reports}
	newest := standing(reports)
	for i := range reports {
		report := &reports[i]
		if r.WebURL == "" {
			r.WebURL = report.WebURL
		}
		if ran(report) && report.Finished.After(r.Last) {
			r.Last = report.Finished
		}
		if report == newest || report.Kind != mergesKind && report.Kind != commandsKind {
			r.add(report)
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

func (r *row) add(report *bot.Report) {
	for _, d := range report.Destinations {
		r.addDestination(d)
	}
	for _, p := range report.Pulls {
		r.Pulls = append(r.Pulls, pull{URL: p.URL, Label: pullLabel(p.URL), Title: p.Title})
	}
}

func (r *row) addDestination(d bot.DestinationReport) {
	r.Destinations = append(r.Destinations, d)
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

// outlived reports whether a later run of a dead job's kind went well.
func outlived(j job, reports []bot.Report) bool {
	for i := range reports {
		if reports[i].Kind == j.Kind && reports[i].Error == "" && reports[i].Finished.After(j.When()) {
			return true
		}
	}
	return false
}

// judge gives the state of a row and what to say of it.
func (r *row) judge() (state, string) {
	if r.Gone != "" {
		return stateFailing, r.Gone
	}
	good := time.Time{} // the newest run that went well
	for i := range r.Reports {
		if report := &r.Reports[i]; report.Error == "" && report.Finished.After(good) {
			good = report.Finished
		}
	}
	for i := range r.Reports {
		// A comment that failed must not mark the repository for ever.
		if report := &r.Reports[i]; report.Error != "" && (report.Kind != commandsKind || report.Finished.After(good)) {
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
		return stateHeld, r.heldWhy()
	case r.Behind > 0:
		return stateBehind, r.idle()
	case r.Merges == 0:
		return stateIdle, r.idle()
	}
	return stateCurrent, r.idle()
}

// heldWhy is why the held destinations are, a line for each.
func (r *row) heldWhy() string {
	var lines []string
	for _, d := range r.Destinations {
		if d.Held != "" {
			lines = append(lines, d.Path+": "+d.Held)
		}
	}
	return strings.Join(lines, "\n")
}

// idle is why the last run over the merges did nothing.
func (r *row) idle() string {
	for i := range r.Reports {
		report := &r.Reports[i]
		if report.Kind == commandsKind {
			continue
		}
		if report.Idle != "" {
			return report.Idle
		}
		for _, o := range report.Outcomes {
			if o.Action == bot.Held || o.Action == bot.Waiting || o.Action == bot.Idle {
				return o.Reason
			}
		}
	}
	return ""
}
