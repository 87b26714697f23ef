package refresh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/dockerfile"
	"github.com/nuobit/odyssey/internal/oci"
)

// imagesBucket is where is kept since when images are known.
const imagesBucket = "images"

// mostSightings is how many states of images are remembered.
const mostSightings = 50

// sighting is when images were first seen as the newest of their lines, by the
// bot's own clock.
type sighting struct {
	State []string  `json:"state"` // "repository:tag@digest", sorted, of all that move together
	Since time.Time `json:"since"`
	Asked bool      `json:"asked,omitempty"` // somebody asked for it by a command
}

func (s sighting) ripe(now time.Time, age time.Duration) bool {
	return s.Asked || now.Sub(s.Since) >= age
}

// ripen keeps a group where it is, or takes it to an earlier state that was the
// newest, when the bot has not known the newest one for long enough. It returns
// why.
func (b *BaseImages) ripen(ctx context.Context, r Repository, together []*pin) (held string, err error) {
	age := r.Policy.Base.MinimumAge
	unpinned := slices.ContainsFunc(together, func(p *pin) bool { return p.ref.Digest == noDigest })
	if age == 0 || unpinned {
		return "", nil
	}
	if b.Memory == nil {
		stay(together)
		return "minimumAge is set, and nobody remembers since when its newest image is known", nil
	}
	now := b.Now()
	seen, err := b.see(ctx, r, together, now)
	if err != nil {
		return "", err
	}
	newest := seen[len(seen)-1]
	if newest.ripe(now, age) || !moves(together) {
		return "", nil
	}
	const layout = "2006-01-02 15:04"
	held = fmt.Sprintf("its newest, %s, is known since %s UTC; minimumAge has it wait until %s UTC", together[0].next.Tag, newest.Since.UTC().Format(layout), newest.Since.Add(age).UTC().Format(layout))
	to, err := b.older(ctx, together, seen, func(s sighting) bool { return s.ripe(now, age) })
	if err != nil || to == nil {
		stay(together)
		return held, err
	}
	for _, p := range together {
		p.next = to[p.ref.Repository]
	}
	return held + "; " + together[0].next.Tag + " is the newest that is old enough", nil
}

// see notes what the newest state of a group is, and returns what is known of
// it, the oldest first and this one last.
func (b *BaseImages) see(ctx context.Context, r Repository, together []*pin, now time.Time) ([]sighting, error) {
	key := lineKey(together, r.Policy.Base.Follow)
	data, err := b.Memory.Get(ctx, imagesBucket, key)
	if err != nil {
		return nil, err
	}
	var seen []sighting
	if json.Unmarshal(data, &seen) != nil {
		seen = nil // somebody else's
	}
	state := stateOf(together, func(p *pin) oci.Reference { return p.next })
	if n := len(seen); n > 0 && slices.Equal(seen[n-1].State, state) && !seen[n-1].Since.After(now) && (seen[n-1].Asked || !r.Named) {
		return seen, nil
	}
	since := now
	if i := slices.IndexFunc(seen, func(s sighting) bool { return slices.Equal(s.State, state) }); i == len(seen)-1 && i >= 0 && seen[i].Since.Before(now) {
		since = seen[i].Since // it is asked for now
	}
	// What a clock that was wrong has noted for later would never be old enough.
	seen = slices.DeleteFunc(seen, func(s sighting) bool { return slices.Equal(s.State, state) || s.Since.After(now) })
	seen = append(seen, sighting{state, since, r.Named})
	seen = seen[max(0, len(seen)-mostSightings):]
	if data, err = json.Marshal(seen); err != nil {
		return nil, err
	}
	return seen, b.Memory.Put(ctx, imagesBucket, key, data)
}

// lineKey is the same as long as a group follows the same tags.
func lineKey(together []*pin, follow config.Follow) string {
	var all []string
	for _, p := range together {
		line := p.ref.Tag
		if series, _, is := dockerfile.SeriesOf(p.ref.Tag); is && follow == config.FollowLine {
			line = series.String()
		}
		all = append(all, p.ref.Repository+":"+line)
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(all), "\n")))
	return hex.EncodeToString(sum[:])
}

func stateOf(together []*pin, at func(p *pin) oci.Reference) (state []string) {
	for _, p := range together {
		state = append(state, at(p).String())
	}
	slices.Sort(state)
	return slices.Compact(state)
}

// older finds the newest state before the last one that is ripe, lies after what
// is pinned, and is still in its registries; nil for none.
func (b *BaseImages) older(ctx context.Context, together []*pin, seen []sighting, ripe func(sighting) bool) (map[string]oci.Reference, error) {
	pinned := stateOf(together, func(p *pin) oci.Reference { return p.ref })
	from := slices.IndexFunc(seen, func(s sighting) bool { return slices.Equal(s.State, pinned) })
	for i := len(seen) - 2; i > from; i-- {
		if !ripe(seen[i]) {
			continue
		}
		to, known := parseState(seen[i].State)
		if !known || !comesAfter(together, to, from >= 0) {
			return nil, nil
		}
		for _, ref := range to {
			digest, err := b.Registry.Resolve(ctx, ref)
			if errors.Is(err, oci.ErrNotFound) || err == nil && digest != ref.Digest {
				return nil, nil
			}
			if err != nil {
				held, err := b.trouble(ImageName(ref.Repository), err)
				if held != "" {
					return nil, nil
				}
				return nil, err
			}
		}
		return to, nil
	}
	return nil, nil
}

// parseState reads a state by the images' repositories.
func parseState(state []string) (to map[string]oci.Reference, known bool) {
	to = map[string]oci.Reference{}
	for _, text := range state {
		ref, err := oci.ParsePinned(text)
		if err != nil || to[ref.Repository].Repository != "" {
			return nil, false
		}
		to[ref.Repository] = ref
	}
	return to, true
}

// comesAfter reports whether a state lies after what is pinned: by the numbers of its
// tags or, where it is known to have come after it, in time.
func comesAfter(together []*pin, to map[string]oci.Reference, after bool) bool {
	for _, p := range together {
		next, is := to[p.ref.Repository]
		if !is {
			return false
		}
		series, _, numbered := dockerfile.SeriesOf(p.ref.Tag)
		if next.Tag == p.ref.Tag || !numbered {
			if !after {
				return false
			}
			continue
		}
		was, _ := series.Number(p.ref.Tag)
		if n, in := series.Number(next.Tag); !in || n < was {
			return false
		}
	}
	return true
}

func stay(together []*pin) {
	for _, p := range together {
		p.next = p.ref
	}
}

func moves(together []*pin) bool {
	return slices.ContainsFunc(together, func(p *pin) bool { return p.next != p.ref })
}
