package bot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

func change(dest, remote, ref string) lock.Change {
	return lock.Change{Dest: dest, Remote: remote, Ref: ref, Old: "1", New: "2"}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	limited := func(d time.Duration) error { return &forge.RateLimitError{RetryAfter: d} }
	for _, test := range []struct {
		name  string
		err   error
		want  time.Duration
		again bool
	}{
		{"none", nil, 0, false},
		{"transient", forge.ErrTransient, 4 * time.Second, true},
		{"transient at an upstream, which git has tried again", &lock.RemoteError{Err: git.ErrTransient}, 0, false},
		{"limited for long", limited(30 * time.Second), 30 * time.Second, true},
		{"limited for a minute", limited(time.Minute), time.Minute, true},
		{"limited for longer", limited(time.Minute + time.Second), 0, false},
		{"limited for less than the wait", limited(time.Second), 4 * time.Second, true},
		{"limited without a time", limited(0), 4 * time.Second, true},
		{"somebody was faster", forge.ErrLeaseLost, 0, true},
		{"lost for a conflict", fmt.Errorf("%w: %w", forge.ErrLeaseLost, forge.ErrConflict), 0, true},
		{"one of two", errors.Join(errors.New("x"), forge.ErrTransient), 4 * time.Second, true},
		{"refused", forge.ErrUnauthorized, 0, false},
		{"not found", forge.ErrNotFound, 0, false},
		{"conflict", forge.ErrConflict, 0, false},
		{"bad file", &forge.FileError{Path: "repos.yaml", Reason: "is a directory"}, 0, false},
		{"bad yaml", &yamldoc.Error{Path: "repos.yaml"}, 0, false},
		{"refused by an upstream", &lock.RemoteError{Err: git.ErrRefused}, 0, false},
		{"cancelled", context.Canceled, 0, false},
		{"unknown", fs.ErrInvalid, 0, false},
	} {
		err := test.err
		if err != nil {
			err = fmt.Errorf("acme/image: %w", err)
		}
		wait, again := retryAfter(err, 4*time.Second)
		if again != test.again || again && wait != test.want {
			t.Errorf("%s: %s, %t; want %s, %t", test.name, wait, again, test.want, test.again)
		}
	}
}
