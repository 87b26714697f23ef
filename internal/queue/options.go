package queue

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/nuobit/odyssey/internal/secret"
)

// Options say where the queue is and how it works. Zero values are the
// defaults; one of Path and URL is needed.
type Options struct {
	Path string      // of an SQLite file, in a directory that exists
	URL  secret.Text // postgres:// of a database that processes may share

	// Attach opens the store beside the process that works on it, for looking
	// and for Retry and Cancel: no lock is taken and Work refuses.
	Attach bool

	Log *slog.Logger     // nil: none
	Now func() time.Time // for what is recorded; nil: time.Now

	Workers    int           // jobs at a time in this process; 4
	Attempts   int           // of a job, before it is dead; 10
	Drain      time.Duration // for running jobs when Work is to end, before they are cancelled; 30 s
	JobTimeout time.Duration // of one attempt; 1 h
	Keep       time.Duration // of dead jobs, and of what deliveries and items were had; 30 days
	RetryFirst time.Duration // pause after the first failed attempt; it doubles; 10 s
	RetryMax   time.Duration // longest pause; 1 h
	// Lease is how long a process that shares a PostgreSQL store may be silent
	// until others take over its jobs; 30 s.
	Lease time.Duration
}

const (
	defaultWorkers    = 4
	defaultAttempts   = 10
	defaultDrain      = 30 * time.Second
	defaultJobTimeout = time.Hour
	defaultKeep       = 30 * 24 * time.Hour
	defaultRetryFirst = 10 * time.Second
	defaultRetryMax   = time.Hour
	defaultLease      = 30 * time.Second
)

// complete returns the options with defaults in the place of zero values.
func (o Options) complete() (Options, error) {
	if (o.Path == "") == (o.URL.Reveal() == "") {
		return o, errors.New("open queue: give either the path of a file or the URL of a PostgreSQL database")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Workers = cmp.Or(o.Workers, defaultWorkers)
	o.Attempts = cmp.Or(o.Attempts, defaultAttempts)
	o.Drain = cmp.Or(o.Drain, defaultDrain)
	o.JobTimeout = cmp.Or(o.JobTimeout, defaultJobTimeout)
	o.Keep = cmp.Or(o.Keep, defaultKeep)
	o.RetryFirst = cmp.Or(o.RetryFirst, defaultRetryFirst)
	o.RetryMax = cmp.Or(o.RetryMax, defaultRetryMax)
	o.Lease = cmp.Or(o.Lease, defaultLease)
	for _, n := range []int64{
		int64(o.Workers), int64(o.Attempts), int64(o.Drain), int64(o.JobTimeout),
		int64(o.Keep), int64(o.RetryFirst), int64(o.RetryMax), int64(o.Lease),
	} {
		if n < 0 {
			return o, errors.New("open queue: a negative number or duration in its options")
		}
	}
	return o, nil
}
