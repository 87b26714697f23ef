package source

import (
	"fmt"
	"time"
)

// Event tells of work on a destination.
type Event struct {
	Phase       string // "fetch", "merge", "write", "shell" or "remove"
	Destination string
	Detail      string
	Done        bool    // the phase is over for the destination …
	Worked      bool    // … and there was something to do
	Seconds     float64 // that it took
}

// say tells of work that goes on.
func (b *builder) say(phase, dest, format string, args ...any) {
	b.Progress(Event{Phase: phase, Destination: dest, Detail: fmt.Sprintf(format, args...)})
}

// done tells of work that is done since start.
func (b *builder) done(phase, dest string, worked bool, start time.Time, format string, args ...any) {
	b.Progress(Event{Phase: phase, Destination: dest, Detail: fmt.Sprintf(format, args...), Done: true, Worked: worked, Seconds: time.Since(start).Seconds()})
}

// Size is a number of bytes for people.
func Size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}
