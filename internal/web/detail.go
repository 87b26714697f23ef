package web

import (
	"time"

	"github.com/nuobit/odyssey/internal/bot"
)

// detail is the body of a repository's page.
type detail struct {
	row
	Sections []section
	Active   []job // running, waiting or given up
}

// section is one kind of run.
type section struct {
	Report bot.Report
	Next   time.Time
	Open   []bot.Outcome // pull requests that are open
	Others []bot.Outcome // what else was done or left
}

func (p *pages) makeDetail(picture *picture, r row) detail {
	d := detail{row: r}
	for _, report := range r.Reports {
		s := section{Report: report, Next: p.board.next(r.Subject, report.Kind)}
		if report.Error == r.Why { // it is said above
			s.Report.Error = ""
		}
		if report.Idle == r.Why {
			s.Report.Idle = ""
		}
		for _, o := range report.Outcomes {
			if openPull(o) {
				s.Open = append(s.Open, o)
			} else {
				s.Others = append(s.Others, o)
			}
		}
		d.Sections = append(d.Sections, s)
	}
	for _, j := range picture.Jobs {
		if j.Subject == r.Subject {
			d.Active = append(d.Active, j)
		}
	}
	return d
}
