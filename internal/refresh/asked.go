package refresh

import (
	"context"
	"sync"

	"github.com/nuobit/odyssey/internal/lock"
)

// Asked is a lock.Resolver for the time of one run: what it was told of a ref it
// does not ask again.
type Asked struct {
	lock.Resolver

	mu   sync.Mutex
	told map[string]string // commits by "URL REF"; "" where there is none
}

// NewAsked returns one that has asked nothing yet.
func NewAsked(r lock.Resolver) *Asked { return &Asked{Resolver: r, told: map[string]string{}} }

// Resolve implements lock.Resolver.
func (a *Asked) Resolve(ctx context.Context, url string, refs []string) (map[string]string, error) {
	found, unknown := a.known(url, refs)
	if len(unknown) == 0 {
		return found, nil
	}
	told, err := a.Resolver.Resolve(ctx, url, unknown)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ref := range unknown {
		a.told[url+" "+ref] = told[ref]
		if told[ref] != "" {
			found[ref] = told[ref]
		}
	}
	return found, nil
}

func (a *Asked) known(url string, refs []string) (found map[string]string, unknown []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found = map[string]string{}
	for _, ref := range refs {
		commit, known := a.told[url+" "+ref]
		switch {
		case !known:
			unknown = append(unknown, ref)
		case commit != "":
			found[ref] = commit
		}
	}
	return found, unknown
}
