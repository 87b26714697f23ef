package forge

import (
	"errors"
	"fmt"
	"time"
)

// Errors that drivers return, wrapped with what was being done. They decide
// what happens next.
var (
	// ErrNotFound: no such repository, branch or pull request, or no
	// permission to see it.
	ErrNotFound = errors.New("not found")
	// ErrLeaseLost: a branch no longer has the head that the caller saw.
	// Read again and compute anew; never force.
	ErrLeaseLost = errors.New("somebody else pushed meanwhile")
	// ErrUnauthorized: the token is missing, wrong, or may not do this. The
	// operator mends it; a retry does not.
	ErrUnauthorized = errors.New("the forge refuses the token, or its account may not do this")
	// ErrConflict: the forge refuses the change in the repository's present
	// state (the pull request exists already, or cannot be reopened).
	ErrConflict = errors.New("the forge refuses this in the present state")
	// ErrTransient: a later attempt may succeed.
	ErrTransient = errors.New("the forge does not answer as it should")
)

// MovedError says that a repository has another name now. It is no longer found
// under the one that was asked for: errors.Is(err, ErrNotFound) holds.
type MovedError struct{ To string }

func (e *MovedError) Error() string { return fmt.Sprintf("the repository is called %s now", e.To) }

// Is makes every MovedError an ErrNotFound.
func (e *MovedError) Is(target error) bool { return target == ErrNotFound }

// RateLimitError says when the forge takes calls again. It is transient:
// errors.Is(err, ErrTransient) holds.
type RateLimitError struct{ RetryAfter time.Duration }

func (e *RateLimitError) Error() string {
	return fmt.Sprintf("the forge asks to wait %s", e.RetryAfter)
}

// Is makes every RateLimitError an ErrTransient.
func (e *RateLimitError) Is(target error) bool { return target == ErrTransient }

// FileError says why a path cannot be read or written as a file. The
// repository's owner mends it; a retry does not.
type FileError struct {
	Path   string // slash-separated, from the repository's root
	Reason string // "is a directory"
}

func (e *FileError) Error() string { return e.Path + ": " + e.Reason }
