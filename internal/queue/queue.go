// Package queue keeps what is to be done, durably: deliveries of webhooks and
// the jobs they cause, committed together; jobs that a crash interrupted run
// again; what arrives while a job runs causes exactly one more. It runs on
// River, in an SQLite file or in PostgreSQL, where several processes share the
// work. It knows nothing of forges: a job is a subject, a kind, and items.
package queue

import (
	"context"
	"encoding/json"
	"time"
)

// Request asks for a job. There is at most one job for a subject and kind at a
// time; a request that finds one waiting joins it, and one that finds it
// running causes one that follows.
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

// Worker does jobs. Work's error decides what happens next, see Verdict.
type Worker interface {
	Work(ctx context.Context, job Job) error
}
