package web

import (
	"slices"
	"time"

	"github.com/nuobit/odyssey/internal/bot"
)

// detail is the body of a repository's page.
type detail struct {
	row
	Open     []openRequest
	Sections []section
	Comments *comments
	Active   []job // running, waiting or given up
}

// openRequest is an open pull request, and what the last run did about it.
type openRequest struct {
	pull
	Action bot.Action // "" when the last run did not come to it
}

// section is one kind of run.
type section struct {
	Kind         string
	Finished     time.Time // zero: none has ended
	Trigger      string
	Next         time.Time
	Error        []string // faults
	Idle         string
	Destinations []bot.DestinationReport
	Others       []bot.Outcome // what was done or left, but for open pull requests
}

// comments is the last job with comment commands.
type comments struct {
	Finished time.Time
	Trigger  string // "" when nobody was obeyed
	Commands []string
	Error    []string
	Outcomes []bot.Outcome
}

func (p *pages) makeDetail(picture *picture, r row) detail {
	d := detail{row: r}
	kinds := []string{mergesKind}
	for i := range r.Reports {
		report := &r.Reports[i]
		switch {
		case report.Kind == commandsKind:
			d.Comments = &comments{
				Finished: report.Finished, Trigger: report.Trigger, Commands: report.Commands,
				Outcomes: report.Outcomes, Error: faultsBelow(report.Error, r.Why),
			}
		case report.Kind != mergesKind:
			kinds = append(kinds, report.Kind)
		}
	}
	for _, kind := range kinds {
		s := p.makeSection(r, kind)
		if !s.Finished.IsZero() || len(s.Destinations) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	for _, open := range r.Pulls {
		d.Open = append(d.Open, openRequest{pull: open, Action: lastAction(r.Reports, open.URL)})
	}
	for _, j := range picture.Jobs {
		if j.Subject == r.Subject {
			d.Active = append(d.Active, j)
		}
	}
	return d
}

// makeSection tells of a kind of run. Where the merges stand is the row's to
// say: comments are newer than the last run at times.
func (p *pages) makeSection(r row, kind string) section {
	s := section{Kind: kind, Next: p.board.next(r.Subject, kind)}
	if kind == mergesKind {
		if newest := standing(r.Reports); newest != nil {
			s.Destinations = newest.Destinations
		}
	}
	i := slices.IndexFunc(r.Reports, func(report bot.Report) bool { return report.Kind == kind })
	if i < 0 {
		return s
	}
	report := &r.Reports[i]
	s.Finished, s.Trigger, s.Error = report.Finished, report.Trigger, faultsBelow(report.Error, r.Why)
	if report.Idle != r.Why { // else it is said above
		s.Idle = report.Idle
	}
	if kind != mergesKind {
		s.Destinations = report.Destinations
	}
	for _, o := range report.Outcomes {
		if !openPull(o) && !(o.Action == bot.Idle && o.Reason == report.Idle) {
			s.Others = append(s.Others, o)
		}
	}
	return s
}

// faultsBelow lists the faults of an error, none when it is said above.
func faultsBelow(text, above string) []string {
	if text == above {
		return nil
	}
	return faults(text)
}

// lastAction is what the newest report that names a pull request says of it.
func lastAction(reports []bot.Report, address string) (action bot.Action) {
	newest := time.Time{}
	for i := range reports {
		if reports[i].Finished.Before(newest) {
			continue
		}
		for _, o := range reports[i].Outcomes {
			if o.URL == address && openPull(o) {
				action, newest = o.Action, reports[i].Finished
			}
		}
	}
	return action
}
