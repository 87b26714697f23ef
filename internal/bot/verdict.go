package bot

import (
	"context"
	"errors"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/queue"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// class says who can do something about an error.
type class int

const (
	fine       class = iota
	stopped          // the process ends, or another attempt has taken the job's place
	limited          // the forge says when it takes calls again
	refused          // the operator: the forge refuses the token
	gone             // the operator: the forge shows no such repository
	passing          // nobody: it may pass
	userFault        // the repository's owner: a file needs mending
	unexpected       // the bot's maker
)

// classify decides, in one place, what a job's error means. Of several errors
// that are joined the one counts that comes first in the list of classes.
func classify(err error) class {
	limit := (*forge.RateLimitError)(nil)
	switch {
	case err == nil:
		return fine
	case errors.Is(err, queue.ErrFenced), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return stopped
	case errors.As(err, &limit):
		return limited
	case errors.Is(err, forge.ErrUnauthorized):
		return refused
	case errors.Is(err, errGone):
		return gone
	case errors.Is(err, forge.ErrTransient), errors.Is(err, forge.ErrLeaseLost), errors.Is(err, git.ErrTransient), errors.Is(err, refresh.ErrTransient):
		return passing
	}
	if _, others := faultsOf(err); !others {
		return userFault
	}
	return unexpected
}

var errGone = errors.New("the repository is gone, or the bot's account may not see it")

// shortestWait keeps a forge that asks for none from being asked at once.
const shortestWait = time.Second

// verdict tells the queue what an error means for the job. What the
// repository's owner can mend was told there, so the job is done.
func verdict(err error) error {
	switch classify(err) {
	case fine, userFault:
		return nil
	case limited:
		limit := (*forge.RateLimitError)(nil)
		errors.As(err, &limit)
		return queue.Later(max(limit.RetryAfter, shortestWait), err)
	case refused, gone:
		return queue.Park(err)
	}
	return err
}

// faultsOf lists the faults in an error that the repository's owner can mend,
// and reports whether there are others. Remotes count as the owner's, as long as
// they answer.
func faultsOf(err error) (faults []error, others bool) {
	switch e := err.(type) { //nolint:errorlint // each part of a joined error is looked at by itself
	case nil:
		return nil, false
	case *yamldoc.Error, *forge.FileError:
		return []error{err}, false
	case *lock.RemoteError:
		if errors.Is(err, git.ErrTransient) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return nil, true
		}
		return []error{err}, false
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			found, more := faultsOf(part)
			faults, others = append(faults, found...), others || more
		}
		return faults, others
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return faultsOf(inner)
		}
	}
	return nil, true
}

// publicly says what happened in words that hold no secret and nothing of the
// bot's inside: those of what people can mend in full, of others the kind.
func publicly(err error) string {
	switch classify(err) {
	case fine:
		return ""
	case userFault:
		return err.Error()
	case stopped:
		return "the run was stopped; it is done again"
	case limited:
		return "the forge asks to wait before it takes more calls"
	case refused:
		return "the forge refuses the bot's token, or its account may not do this"
	case gone:
		if moved := (*forge.MovedError)(nil); errors.As(err, &moved) {
			return moved.Error() + "; the bot's configuration has its old name"
		}
		return errGone.Error()
	case passing:
		if remote := (*lock.RemoteError)(nil); errors.As(err, &remote) {
			return remote.Error()
		}
		return "the forge or an upstream does not answer as it should; it is tried again"
	}
	return "an internal error; the log says more"
}
