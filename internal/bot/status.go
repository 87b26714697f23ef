package bot

import (
	"context"
	"errors"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// Stater is a forge that keeps what is said of commits. errors.ErrUnsupported:
// not this one.
type Stater interface {
	Status(ctx context.Context, repo forge.Repo, s forge.Status) error
}

// addonsName is the name of what is said of how addons fit together.
const addonsName = "odyssey/addons"

// sayFit says beside the newest commit of a pull request's branch how its addons fit
// together, as a status or, on a forge that has checks instead, as a check. That it
// cannot is logged: the text says it, too.
func (k *keeper) sayFit(ctx context.Context, head string, fit *refresh.Fit) {
	if fit == nil || head == "" {
		return
	}
	end := forge.Succeeded
	if !fit.Good {
		end = forge.Failed
	}
	err := errors.ErrUnsupported
	if stater, is := k.forge.(Stater); is {
		err = stater.Status(ctx, k.repo, forge.Status{Name: addonsName, Head: head, Conclusion: end, Title: fit.Title})
	}
	if checker, is := k.forge.(Checker); is && errors.Is(err, errors.ErrUnsupported) {
		err = checker.Check(ctx, k.repo, forge.Check{Name: addonsName, Head: head, Conclusion: end, Title: fit.Title, Summary: fit.Summary})
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		k.Log.Warn("nothing said of the commit", "repo", k.repo.String(), "sha", head, "err", err)
	}
}
