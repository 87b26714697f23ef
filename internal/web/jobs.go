package web

import (
	"context"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/queue"
)

// listedJobs is how many jobs of a state are read: enough to see what is
// wrong, and little enough for a phone.
const listedJobs = 200

// job is a job as the pages show it.
type job struct {
	queue.Info
	Forge string
	Repo  string // "acme/odoo-image"; "" of a job for a whole forge
}

// Dead reports whether the job was given up.
func (j job) Dead() bool { return j.State == queue.Dead }

// StateLabel is the job's state in words.
func (j job) StateLabel() string {
	switch j.State {
	case queue.Dead:
		return "Given up"
	case queue.Running:
		return "Running"
	case queue.Retrying:
		return "Tries again"
	}
	return "Waiting"
}

// Due reports whether the job waits for its time.
func (j job) Due() bool { return j.State == queue.Waiting || j.State == queue.Retrying }

// Retrying reports whether the job failed and is tried again.
func (j job) Retrying() bool { return j.State == queue.Retrying }

// Colour is the style of the state's badge.
func (j job) Colour() state {
	switch j.State {
	case queue.Dead:
		return stateFailing
	case queue.Running:
		return stateReview
	case queue.Retrying:
		return stateBehind
	}
	return stateNew
}

// jobRows is a list of jobs for the template.
type jobRows struct {
	Picture *picture
	Jobs    []job
}

// readJobs returns the jobs that are not done, what was given up first.
func (b *board) readJobs(ctx context.Context) ([]job, error) {
	var jobs []job
	for _, states := range [][]string{{queue.Dead}, {queue.Running}, {queue.Retrying, queue.Waiting}} {
		infos, err := b.jobs.Jobs(ctx, queue.Filter{States: states, Limit: listedJobs})
		if err != nil {
			return nil, err
		}
		for _, info := range infos {
			forgeName, repo, _ := strings.Cut(info.Subject, ":")
			clean(&info.Subject, &info.Kind, &info.State, &info.Error)
			jobs = append(jobs, job{Info: info, Forge: forgeName, Repo: repo})
		}
	}
	return jobs, nil
}

// group is the jobs of one kind of state.
type group struct {
	Title string
	About string
	Jobs  []job
	Count int // how many there are; Jobs may be fewer
	Dead  bool
}

// groups sorts the jobs of a picture for the page.
func groups(p *picture) []group {
	gs := []group{
		{Title: "Given up", About: "These are not tried again by themselves.", Dead: true},
		{Title: "Running"},
		{Title: "Waiting"},
	}
	at := func(state string) int {
		switch state {
		case queue.Dead:
			return 0
		case queue.Running:
			return 1
		case queue.Waiting, queue.Retrying:
			return 2
		}
		return -1
	}
	for _, j := range p.Jobs {
		if i := at(j.State); i >= 0 {
			gs[i].Jobs = append(gs[i].Jobs, j)
		}
	}
	for _, s := range p.Stats {
		if i := at(s.State); i >= 0 {
			gs[i].Count += s.Count
		}
	}
	for i := range gs {
		gs[i].Count = max(gs[i].Count, len(gs[i].Jobs))
	}
	return gs
}

// When is the time that matters of a job: its end, or when it was or is due.
func (j job) When() time.Time {
	if j.State == queue.Dead && j.Finished != nil {
		return *j.Finished
	}
	return j.Scheduled
}
