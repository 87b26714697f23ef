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

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
)

// Memory keeps what may be forgotten, for it can be found out again. Get
// returns nil when there is nothing.
type Memory interface {
	Put(ctx context.Context, bucket, key string, value []byte) error
	Get(ctx context.Context, bucket, key string) ([]byte, error)
}

// UpstreamPull is a pull request of an upstream repository.
type UpstreamPull struct {
	URL    string
	Merged bool
	Closed bool // merged or not
}

// UpstreamPulls asks the forge of an upstream repository for the pull request
// with a number. known is false when the forge is not one that may be asked.
type UpstreamPulls interface {
	UpstreamPull(ctx context.Context, url string, number int64) (pull UpstreamPull, known bool, err error)
}

// Landed is a Source that proposes to drop merges from repos.yaml whose changes
// are in their base. It is of the kind Merges.
type Landed struct {
	URLs      gitname.Policy
	Rehearser Rehearser
	Pulls     UpstreamPulls // nil: nobody is asked
	Memory    Memory        // nil: what was found out is found out again
	// Warn is told why a destination could not be looked into; it may be nil.
	Warn func(repo, dest string, err error)
}

// Kind implements Source.
func (*Landed) Kind() Kind { return Merges }

// Mine implements Source.
func (*Landed) Mine(branch string) bool { return strings.HasPrefix(branch, retirements) }

// Presence says how a merge is in its base, or why else it may go.
type Presence struct {
	Ancestor bool // its head is in the base's history
	Empty    bool // merging it changes nothing
	Picked   int  // so many commits it has, and the base has each as another one
	Closed   bool // its pull request was closed and not merged
}

func (v Presence) landed() bool { return v.Ancestor || v.Empty || v.Picked > 0 }

// retiring is a merge that goes.
type retiring struct {
	Side
	Presence
	position int
	pull     UpstreamPull
}

// Offer implements Source.
func (l *Landed) Offer(ctx context.Context, r Repository) (Offer, error) {
	offer := Offer{Idle: "no merge has landed in its base", Waiting: map[string]string{}}
	data, err := r.Tree.Files(ctx, []string{ReposFile, LockFile})
	if err != nil {
		return offer, err
	}
	if data[ReposFile] == nil || data[LockFile] == nil {
		return Offer{}, nil
	}
	repos, err := lock.Parse(ReposFile, data[ReposFile], l.URLs)
	if err != nil {
		return offer, err
	}
	locked, err := lock.ParseLock(LockFile, data[LockFile], l.URLs)
	if err != nil {
		return offer, err
	}
	for i := range repos.Destinations {
		d := &repos.Destinations[i]
		now := locked.Find(d.Path)
		if len(d.Merges) < 2 {
			continue
		}
		if now == nil || !slices.EqualFunc(d.Merges, now.Merges, func(a, b lock.Merge) bool { return a.Remote == b.Remote && (b.Ref == "" || a.Ref == b.Ref) }) {
			offer.Waiting[retirement(d.Path)] = ReposFile + " and the lock disagree; it goes on once they agree"
			continue
		}
		draft, err := l.draft(ctx, r.Lookup, d, now, data)
		switch {
		case ctx.Err() != nil:
			return offer, ctx.Err()
		case errors.Is(err, lock.ErrShape):
			offer.Held = append(offer.Held, Held{Group: retirementGroup(d.Path), Reason: err.Error() + ", so they are not taken out; do it by hand"})
		case err != nil:
			// What cannot be found out now is asked again at the next run.
			offer.Waiting[retirement(d.Path)] = "its upstreams could not be asked"
			if l.Warn != nil {
				l.Warn(r.Name, d.Path, err)
			}
		case draft != nil:
			offer.Drafts = append(offer.Drafts, *draft)
		}
	}
	return offer, nil
}

// retirement is the branch of a destination's draft.
func retirement(dest string) string { return retirements + branchName(cleanDest(dest)) }

func retirementGroup(dest string) string { return "retire " + dest }

// draft proposes what may go of a destination; nil: nothing.
func (l *Landed) draft(ctx context.Context, lookup lock.Resolver, d, locked *lock.Destination, data map[string][]byte) (*Draft, error) {
	c := &landing{Landed: l, lookup: lookup, declared: d, locked: locked}
	defer c.close() //nolint:contextcheck // it clears away also what a run that was ended has left
	gone, err := c.find(ctx)
	if err != nil || len(gone) == 0 {
		return nil, err
	}
	var positions []int
	var names []string
	for _, g := range gone {
		positions, names = append(positions, g.position), append(names, fmt.Sprintf("%s landed=%t", g.name(), g.landed()))
	}
	made := &Draft{Group: retirementGroup(d.Path), Branch: retirement(d.Path), Dest: d.Path, Newer: "other merges that land"}
	repos, remotes, err := lock.Drop(ReposFile, data[ReposFile], false, d.Path, positions, l.URLs)
	if err != nil {
		return nil, err
	}
	relocked, lockRemotes, err := lock.Drop(LockFile, data[LockFile], true, d.Path, positions, l.URLs)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(remotes, lockRemotes) {
		return nil, fmt.Errorf("%s and %s: %w", ReposFile, LockFile, lock.ErrShape)
	}
	// Who closes it wants to keep these merges, wherever they move.
	sum := sha256.Sum256([]byte("retire\n" + d.Path + "\n" + strings.Join(names, "\n") + "\n"))
	made.Target = hex.EncodeToString(sum[:])
	t := retirementText{dest: d.Path, base: c.base(), gone: gone, remotes: remotes, target: made.Target}
	if relocked, err = c.replay(ctx, &t, relocked, positions); err != nil {
		return nil, err
	}
	t.commented = commented(data[ReposFile], d, positions)
	made.Files = []File{{ReposFile, data[ReposFile], repos}, {LockFile, data[LockFile], relocked}}
	made.List, made.Describe = t.list(), func(context.Context) (Text, error) { return t.text(), nil }
	return made, nil
}

// commented counts the merges that go and have a comment of people above them.
func commented(data []byte, d *lock.Destination, positions []int) (n int) {
	lines := strings.Split(string(data), "\n")
	for _, position := range positions {
		if at := d.Merges[position].Line - 2; at >= 0 && strings.HasPrefix(strings.TrimSpace(lines[at]), "#") {
			n++
		}
	}
	return n
}

// landing looks into one destination.
type landing struct {
	*Landed
	lookup           lock.Resolver
	declared, locked *lock.Destination
	r                *git.Rehearsal // nil until it is needed
}

func (c *landing) close() {
	if c.r != nil {
		_ = c.r.Close() // a directory for temporary files
	}
}

func (c *landing) side(i int, commit string) Side {
	m := c.declared.Merges[i]
	return Side{m.Remote, m.Ref, commit, c.locked.Remote(m.Remote).URL}
}

func (c *landing) base() Side { return c.side(0, c.locked.Merges[0].Commit) }

func (s Side) tip() git.Tip { return git.Tip{URL: s.URL, Want: git.Want{Commit: s.Commit, Ref: s.Ref}} }

// find lists the merges that may go. One whose ref has moved on is judged by its
// newest commit; where the ref is gone, by the one that is locked.
func (c *landing) find(ctx context.Context) (gone []retiring, err error) {
	for i := 1; i < len(c.declared.Merges); i++ {
		side := c.side(i, c.locked.Merges[i].Commit)
		if gitname.IsObjectID(side.Ref) {
			continue
		}
		found, err := c.lookup.Resolve(ctx, side.URL, []string{side.Ref})
		if err != nil {
			return nil, err
		}
		if newest := found[side.Ref]; newest != "" {
			side.Commit = newest
		}
		verdict, err := c.judge(ctx, side)
		if err != nil {
			return nil, err
		}
		g := retiring{Side: side, Presence: verdict, position: i}
		if g.pull, err = c.pull(ctx, side); err != nil {
			return nil, err
		}
		g.Closed = g.pull.Closed && !g.pull.Merged
		if g.landed() || g.Closed {
			gone = append(gone, g)
		}
	}
	return gone, nil
}

// pull asks for the pull request that a ref is the head of.
func (c *landing) pull(ctx context.Context, side Side) (UpstreamPull, error) {
	number := gitname.PullRequest(side.Ref)
	if number == 0 || c.Pulls == nil {
		return UpstreamPull{}, nil
	}
	pull, known, err := c.Pulls.UpstreamPull(ctx, side.URL, number)
	if err != nil || !known {
		return UpstreamPull{}, err
	}
	return pull, nil
}

// landedBucket is where is kept what was found out, by a digest of the two URLs
// and refs.
const landedBucket = "landed"

// judged is what was found out of two commits.
type judged struct {
	Base, Head string
	Presence
}

// judge says whether a merge is in the base.
func (c *landing) judge(ctx context.Context, side Side) (v Presence, err error) {
	base := c.base()
	sum := sha256.Sum256([]byte(strings.Join([]string{base.URL, base.Ref, side.URL, side.Ref}, " ")))
	key, known := hex.EncodeToString(sum[:]), judged{Base: base.Commit, Head: side.Commit}
	if c.Memory != nil {
		var before judged
		data, err := c.Memory.Get(ctx, landedBucket, key)
		if err == nil && json.Unmarshal(data, &before) == nil && before.Base == known.Base && before.Head == known.Head {
			return before.Presence, nil
		}
	}
	if v, err = c.compare(ctx, base, side); err != nil {
		return v, err
	}
	known.Presence = v
	if data, err := json.Marshal(known); err == nil && c.Memory != nil {
		_ = c.Memory.Put(ctx, landedBucket, key, data) // it may be forgotten
	}
	return v, nil
}

func (c *landing) compare(ctx context.Context, base, side Side) (v Presence, err error) {
	ctx, cancel := context.WithTimeout(ctx, rehearsing)
	defer cancel()
	tips := []git.Tip{base.tip(), side.tip()}
	if err := c.rehearsal(ctx, tips); err != nil {
		return v, err
	}
	relation, err := c.r.Relate(ctx, base.Commit, side.Commit)
	if err != nil || len(relation.Bases) == 0 {
		return v, err
	}
	if v.Ancestor = relation.UpToDate; v.Ancestor || relation.FastForward {
		return v, nil
	}
	trial, err := c.r.Try(ctx, tips)
	if err != nil {
		return v, err
	}
	if v.Empty = slices.Contains(trial.Empty, 1); v.Empty || trial.Clash == nil {
		return v, nil
	}
	// The base has changed the same since: its commits tell.
	own, applied, err := c.r.Cherry(ctx, tips[0], tips[1])
	if own > 0 && own == applied {
		v.Picked = own
	}
	return v, err
}

func (c *landing) rehearsal(ctx context.Context, tips []git.Tip) (err error) {
	if c.r != nil {
		return c.r.Add(ctx, tips)
	}
	var all []git.Tip
	for i := range c.locked.Merges {
		all = append(all, c.side(i, c.locked.Merges[i].Commit).tip())
	}
	c.r, err = c.Rehearser.Rehearse(ctx, tips, all)
	return err
}

// replay finds out what the merges that stay give, and records it.
func (c *landing) replay(ctx context.Context, t *retirementText, relocked []byte, positions []int) ([]byte, error) {
	var before, after []git.Tip
	for i := range c.locked.Merges {
		tip := c.side(i, c.locked.Merges[i].Commit).tip()
		if before = append(before, tip); !slices.Contains(positions, i) {
			after = append(after, tip)
		}
	}
	if err := c.rehearsal(ctx, before); err != nil {
		return relocked, unlessGone(err)
	}
	now, err := c.r.Try(ctx, before)
	if err != nil {
		return relocked, unlessGone(err)
	}
	then, err := c.r.Try(ctx, after)
	if err != nil {
		return relocked, unlessGone(err)
	}
	t.before, t.after, t.clash = now.Tree, then.Tree, then.Clash != nil
	if then.Tree != "" && len(after) > 1 {
		relocked = lock.Record(relocked, lock.Replayed{Dest: c.declared.Path, Tree: then.Tree, Bases: then.Bases}, c.URLs)
	}
	return relocked, nil
}

// unlessGone makes nothing of a commit that its server does not have any more:
// then the trees are not known, and that is said.
func unlessGone(err error) error {
	if errors.Is(err, git.ErrNoCommit) {
		return nil
	}
	return err
}

var _ Source = (*Landed)(nil)
