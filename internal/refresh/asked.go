package refresh

import (
	"context"
	"sync"

	"github.com/nuobit/odyssey/internal/lock"
)

// Asked is a lock.TagResolver for the time of one run: what it was told of a ref
// it does not ask again.
type Asked struct {
	lock.Resolver

	mu   sync.Mutex
	told map[string]answer // by "URL REF"
}

// answer is what is known of a ref.
type answer struct {
	commit string // "" where there is none
	tag    bool
}

// NewAsked returns one that has asked nothing yet.
func NewAsked(r lock.Resolver) *Asked { return &Asked{Resolver: r, told: map[string]answer{}} }

// Resolve implements lock.Resolver.
func (a *Asked) Resolve(ctx context.Context, url string, refs []string) (map[string]string, error) {
	commits, _, err := a.ResolveTags(ctx, url, refs)
	return commits, err
}

// ResolveTags implements lock.TagResolver. Of a resolver that does not tell, no ref is known
// to be a tag.
func (a *Asked) ResolveTags(ctx context.Context, url string, refs []string) (commits map[string]string, tags map[string]bool, err error) {
	commits, tags, unknown := a.known(url, refs)
	if len(unknown) == 0 {
		return commits, tags, nil
	}
	var told map[string]string
	var asTags map[string]bool
	if r, tells := a.Resolver.(lock.TagResolver); tells {
		told, asTags, err = r.ResolveTags(ctx, url, unknown)
	} else {
		told, err = a.Resolver.Resolve(ctx, url, unknown)
	}
	if err != nil {
		return nil, nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ref := range unknown {
		a.told[url+" "+ref] = answer{told[ref], asTags[ref]}
		if told[ref] != "" {
			commits[ref], tags[ref] = told[ref], asTags[ref]
		}
	}
	return commits, tags, nil
}

func (a *Asked) known(url string, refs []string) (commits map[string]string, tags map[string]bool, unknown []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	commits, tags = map[string]string{}, map[string]bool{}
	for _, ref := range refs {
		one, known := a.told[url+" "+ref]
		switch {
		case !known:
			unknown = append(unknown, ref)
		case one.commit != "":
			commits[ref], tags[ref] = one.commit, one.tag
		}
	}
	return commits, tags, unknown
}
