package refresh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nuobit/odyssey/internal/lock"
)

// externalBucket is where it is kept what the addons of locks ask of Python, by
// digests of what is locked but for the commits.
const externalBucket = "external"

// external is what the addons of a lock ask of Python.
type external struct {
	At    string   `json:"at"` // digest of the commits
	Asked []string `json:"asked"`
}

// external lists what the manifests of all locked addons ask of Python, sorted. It
// looks into the upstreams only when a commit is another one than the last time.
// Where that cannot be found out, it is what was known before.
func (p *PythonLock) external(ctx context.Context, locked *lock.File) ([]string, error) {
	if p.Surveyor == nil {
		return nil, nil
	}
	sources, commits := sha256.New(), sha256.New()
	for i := range locked.Destinations {
		d := &locked.Destinations[i]
		for _, m := range d.Merges {
			fmt.Fprintf(sources, "%s\t%s\t%s\n", d.Path, d.Remote(m.Remote).URL, m.Ref)
			fmt.Fprintf(commits, "%s\n", m.Commit)
		}
	}
	key, at := hex.EncodeToString(sources.Sum(nil)), hex.EncodeToString(commits.Sum(nil))
	known := p.recallExternal(ctx, key)
	if known.At == at {
		return known.Asked, nil
	}
	asked, err := NewSurvey(p.Surveyor, &Plan{}).external(ctx, locked)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return known.Asked, nil //nolint:nilerr // the next run asks again, and the merges' refresh says what is out of reach
	case p.Memory != nil:
		if data, err := json.Marshal(external{at, asked}); err == nil {
			_ = p.Memory.Put(ctx, externalBucket, key, data) // it may be forgotten
		}
	}
	return asked, nil
}

func (p *PythonLock) recallExternal(ctx context.Context, key string) (known external) {
	if p.Memory == nil {
		return known
	}
	data, err := p.Memory.Get(ctx, externalBucket, key)
	if err != nil || json.Unmarshal(data, &known) != nil {
		return external{}
	}
	return known
}

// external lists what the manifests of a lock's addons ask of Python, sorted. It
// asks for the commits of each remote at once, and for their manifests.
func (s *Survey) external(ctx context.Context, locked *lock.File) ([]string, error) {
	var asked []string
	for i := range locked.Destinations {
		d := &locked.Destinations[i]
		commits := map[string][]string{} // by URL
		for _, m := range d.Merges {
			url := d.Remote(m.Remote).URL
			commits[url] = append(commits[url], m.Commit)
		}
		for url, all := range commits {
			sides, err := s.sides(ctx, d.Path, url, all...)
			if err != nil {
				return nil, err
			}
			for _, at := range sides {
				asked = append(asked, at.asked()...)
			}
		}
	}
	slices.Sort(asked)
	return slices.Compact(asked), nil
}

// asked lists what the addons of a commit ask of Python.
func (at *side) asked() (all []string) {
	for _, addon := range at.addons {
		if m := addon.Manifest; m != nil && m.Installable {
			all = append(all, m.ExternalPython...)
		}
	}
	return all
}
