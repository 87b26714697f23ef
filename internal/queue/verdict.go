package queue

import (
	"strings"
	"time"
	"unicode/utf8"
)

const maxError = 2000 // bytes of an error's text that are kept

// later is a job's wish to run again.
type later struct {
	after time.Duration
	err   error
}

func (l *later) Error() string { return l.err.Error() }
func (l *later) Unwrap() error { return l.err }

// parked is a job's end.
type parked struct{ err error }

func (p *parked) Error() string { return p.err.Error() }
func (p *parked) Unwrap() error { return p.err }

// Later returns an error for Worker.Work: run the job again after d and count
// no attempt. The error, which must not be nil, is the reason.
func Later(d time.Duration, err error) error { return &later{max(d, 0), err} }

// Park returns an error for Worker.Work: the job is dead at once. The error,
// which must not be nil, is the reason.
func Park(err error) error { return &parked{err} }

// errorText is an error's text as it is stored: bounded, and what PostgreSQL
// takes for text.
func errorText(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
	if len(text) <= maxError {
		return text
	}
	cut := maxError - len("…")
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
