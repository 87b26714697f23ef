// Package queue keeps what is to be done, durably: deliveries of webhooks and
// the jobs they cause, committed together; jobs that a crash interrupted run
// again; what arrives while a job runs causes exactly one more. It runs on
// River, in an SQLite file or in PostgreSQL, where several processes share the
// work. It knows nothing of forges: a job is a subject, a kind, and items.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Request asks for a job. There is at most one job for a subject and kind at a
// time; a request that finds one waiting joins it, and one that finds it
// running causes one that follows. Jobs of one subject run one after the other,
// whatever their kinds and in whichever processes.
type Request struct {
	Subject string        // what it is about: "gitea:acme/odoo-image"
	Kind    string        // what to do: "merges"
	Item    *Item         // something that the job must not miss; nil when the kind says it all
	Delay   time.Duration // how long to wait for more of the same before it starts
}

// Item is one thing that a job has to treat. An item whose ID the subject and
// kind have had before (for as long as Options.Keep) is not taken again.
type Item struct {
	ID   string          `json:"id"`
	Data json.RawMessage `json:"data"`
}

// Delivery is one delivery of a webhook.
type Delivery struct {
	Source string // the forge's name in the configuration
	ID     string // of the delivery; unique in its source
	Event  string // for the log
}

// Job is a job that runs.
type Job struct {
	ID      int64
	Subject string
	Kind    string
	Attempt int    // 1 is the first
	Items   []Item // all that wait, the oldest first; those are taken off when the job succeeds
	// Fence returns ErrFenced when this attempt is no longer the one that
	// counts: a process that was halted for long may find its job done by
	// another. Ask before each write to elsewhere.
	Fence func(ctx context.Context) error
}

// Worker does jobs. The context ends with Options.JobTimeout, when somebody
// cancels the job, and when the process is to stop.
//
// What Work returns decides what happens next. nil: the job is done, and its
// items with it. Later: it runs again after a while, and no attempt counts.
// Park: it is dead. Any other error: it is tried again after a pause that
// grows, and is dead after Options.Attempts. The words of an error are kept for
// people to see: they must hold no secret.
type Worker interface {
	Work(ctx context.Context, job Job) error
}

// Errors of a queue.
var (
	// ErrFenced says that another attempt has taken the job's place.
	ErrFenced = errors.New("another attempt has taken this one's place")
	// ErrFull says that the store has no room: nothing was recorded.
	ErrFull = errors.New("the queue's store is full")
	// ErrNoJob says that there is no job of that number.
	ErrNoJob = errors.New("no such job")
)

// States of jobs.
const (
	Waiting   = "waiting"   // for a worker, or for its time
	Retrying  = "retrying"  // waits for its next attempt
	Running   = "running"   // at work
	Done      = "done"      // kept for a day
	Dead      = "dead"      // given up; kept for Options.Keep
	Cancelled = "cancelled" // by somebody; kept for Options.Keep
)

// Filter chooses jobs; its zero value chooses all.
type Filter struct {
	Subject string   // exactly this one
	Kind    string   // exactly this one
	States  []string // any of these
	Limit   int      // the newest so many; 0 is 100
}

// Info is what is known of a job.
type Info struct {
	ID        int64      `json:"id"`
	Subject   string     `json:"subject"`
	Kind      string     `json:"kind"`
	State     string     `json:"state"`
	Attempt   int        `json:"attempt"`         // attempts begun
	Error     string     `json:"error,omitempty"` // of the last attempt that had one, cut at 2,000 bytes
	Created   time.Time  `json:"created"`
	Scheduled time.Time  `json:"scheduled"` // when it runs, or ran, at the earliest
	Finished  *time.Time `json:"finished,omitempty"`
}

// Stat is how many jobs of a kind are in a state.
type Stat struct {
	Kind  string
	State string // any but Done
	Count int
}
