package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Status is a line at the bottom of a terminal that says what is being done,
// below lines that say what was done. Its methods may be called concurrently.
type Status struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	quiet    bool
	shown    bool
	last     time.Time
}

// NewStatus returns a status on w. quiet silences it; where w is no terminal
// only Done prints.
func NewStatus(w io.Writer, quiet bool) *Status {
	return &Status{w: w, terminal: IsTerminal(w), quiet: quiet}
}

// width is how much of a status line is shown, in bytes: a line that wraps
// cannot be cleared.
const width = 78

// Say replaces the line at the bottom, ten times a second at most.
func (s *Status) Say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet || !s.terminal || time.Since(s.last) < 100*time.Millisecond {
		return
	}
	s.last, s.shown = time.Now(), true
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	fmt.Fprintf(s.w, "\r\x1b[K%s", text[:min(width, len(text))])
}

// Done prints a line that stays.
func (s *Status) Done(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet {
		return
	}
	s.clear()
	fmt.Fprintf(s.w, format+"\n", args...)
}

// Finish clears the line at the bottom.
func (s *Status) Finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

func (s *Status) clear() {
	if s.shown {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.shown = false
	}
}
