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
	runReport
	Next   time.Time
	Open   []bot.Outcome // pull requests that are open
	Others []bot.Outcome // what else was done or left
}

func (p *pages) makeDetail(picture *picture, r row) detail {
	d := detail{row: r}
	for _, report := range r.Reports {
		s := section{runReport: report, Next: p.board.next(r.Subject, report.Kind)}
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
