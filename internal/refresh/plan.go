// Package refresh decides what should move: from the files of a derived-image
// repository and the state of its upstreams to the pull requests that should
// exist, and their text. It writes nothing.
package refresh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
)

// The files that a refresh reads.
const (
	ConfigFile = ".odyssey.yaml"
	ReposFile  = "repos.yaml"
	LockFile   = "repos.lock.yaml"
)

// Files lists the files that a refresh reads.
func Files() []string { return []string{ConfigFile, ReposFile, LockFile} }

// Kind is a kind of refresh.
type Kind string

// The kinds there are.
const (
	// Sync locks what repos.yaml declares and the lock lacks; nothing moves.
	Sync Kind = "lock"
	// Merges moves locked merges to the newest commits of their refs.
	Merges Kind = "merges"
)

// Input is what a plan is made from.
type Input struct {
	Files  map[string][]byte // of Files, those that exist
	URLs   gitname.Policy    // which remotes may be asked
	Jobs   int               // remotes asked at once
	Lookup lock.Resolver
}

// State is what a repository has locked, and what its upstreams have.
type State struct {
	Policy config.Repo
	// Idle says why there is nothing to plan; empty when there is something.
	Idle string
	// Behind counts the merges whose ref has newer commits than the lock.
	Behind int
	// Lost are the merges whose refs could not be resolved. They stay where they
	// are; a destination with one that is not locked yet does so as a whole.
	Lost []lock.Lost

	before         []byte
	urls           gitname.Policy
	locked, newest *lock.File
	groups         grouping
}

// Plan is what should be proposed for a repository.
type Plan struct {
	Policy    config.Repo
	Proposals []Proposal
	// Held names destinations whose merges wait until the lock is in sync;
	// OnHold those with something newer that people hold.
	Held, OnHold []string
	// Reasons say why merges stay behind their refs otherwise, those that are Lost
	// included. Settle finds more.
	Reasons []Reason
	// Lost are the merges whose refs could not be resolved.
	Lost []lock.Lost
	// Idle says why there is nothing to plan; empty when there was something.
	Idle string
	// Behind counts the merges whose ref has newer commits than the lock.
	Behind int
	// Branches are those that a proposal of today's policy may have, whether
	// or not there is something to propose. Waiting are those of them whose
	// destinations are held.
	Branches, Waiting map[string]bool
}

// Proposal is one pull request that should exist.
type Proposal struct {
	Kind    Kind
	Group   string // "./odoo", or another group's name
	Branch  string
	Changes []lock.Change
	Choices []Choice // what it is restricted to; empty: all of its group
	Limits  []Limit  // how far merges of its destinations may move for the policy's sake
	Old     []byte   // the lock as it is
	New     []byte   // the lock as proposed
	Target  string   // digest of the state that is proposed

	// Wanted is the digest of the state that the policy asks for. Target is that of
	// what is proposed, which after Settle may be less.
	Wanted string
	// Settled says that Settle has tried the merges; Predictions has what it
	// found, one for each destination that has several, and Reasons what stays
	// behind for it.
	Settled     bool
	Predictions []Prediction
	Reasons     []Reason

	// Commands has the text name the commands that may be given in comments.
	Commands bool
	// Discretion says of which remotes the text may tell what is in them.
	Discretion Discretion
	// Around is what the text compares addons with.
	Around Around

	locked, newest *lock.File
	aim            *lock.File // newest, but for what stays or goes elsewhere
	urls           gitname.Policy
	groups         grouping
	whole          map[string]bool // destinations all of whose merges are in the proposal's group
	lost           []lock.Lost
}

// Make computes the plan that nobody has wishes for: Read and State.Plan.
func Make(ctx context.Context, in Input) (*Plan, error) {
	state, err := Read(ctx, in)
	if err != nil {
		return nil, err
	}
	return state.Plan(Wishes{})
}

// Read parses the files and asks every remote that repos.yaml merges from
// once. Faults in the files are *yamldoc.Error; those of remotes are in Lost.
func Read(ctx context.Context, in Input) (*State, error) {
	policy, err := config.ParseRepo(ConfigFile, in.Files[ConfigFile])
	if err != nil {
		return nil, err
	}
	s := &State{Policy: policy, before: in.Files[LockFile], urls: in.URLs, locked: &lock.File{}, newest: &lock.File{}}
	if _, exists := in.Files[ReposFile]; !exists {
		s.Idle = "there is no " + ReposFile
		return s, nil
	}
	if !policy.Merges.Enabled {
		s.Idle = "merges are not enabled in " + ConfigFile
		return s, nil
	}
	repos, err := lock.Parse(ReposFile, in.Files[ReposFile], in.URLs)
	if err != nil {
		return nil, err
	}
	if s.locked, err = lock.ParseLock(LockFile, in.Files[LockFile], in.URLs); err != nil {
		return nil, err
	}
	if s.newest, s.Lost, err = lock.Newest(ctx, repos, s.locked, in.Lookup, in.Jobs); err != nil {
		return nil, err
	}
	s.groups = groupsOf(policy.Merges.Group, s.newest)
	for _, c := range lock.Changes(s.locked, s.newest) {
		if c.Moved() {
			s.Behind++
		}
	}
	return s, nil
}

// Plan computes what should be proposed.
func (s *State) Plan(w Wishes) (*Plan, error) {
	plan := &Plan{Policy: s.Policy, Idle: s.Idle, Behind: s.Behind, Lost: s.Lost, Branches: map[string]bool{}, Waiting: map[string]bool{}}
	if s.Idle != "" {
		return plan, nil
	}
	p := planner{State: s, plan: plan, wishes: w, aim: s.aim(w), whole: s.whole()}
	return plan, p.propose()
}

// planner fills in the proposals of a plan.
type planner struct {
	*State
	plan   *Plan
	wishes Wishes
	aim    *lock.File
	whole  map[string]bool // destinations whose merges share one pull request
	silent map[string]bool // branches of which nothing is said until all of their remotes answer
}

func (p *planner) propose() error {
	p.lose()
	declared := lock.Keep(p.locked, p.newest)
	if !lock.InSync(p.locked, declared) && !p.plan.Waiting[SyncBranch] {
		data, err := lock.Format(declared)
		if err != nil {
			return err
		}
		p.add(Sync, string(Sync), lock.Changes(p.locked, declared), data)
		last := &p.plan.Proposals[len(p.plan.Proposals)-1]
		if last.Target, err = syncTarget(p.locked, declared, last.Changes); err != nil {
			return err
		}
		last.Wanted = last.Target
		p.plan.Held = outOfSync(p.locked, declared)
	}
	p.plan.Branches[branch(Sync, string(Sync))] = true
	for i := range p.newest.Destinations {
		for _, m := range p.newest.Destinations[i].Merges {
			p.plan.Branches[p.Branch(p.newest.Destinations[i].Path, m.Remote, m.Ref)] = true
		}
	}
	p.wait()
	return p.proposeMoves()
}

// wait notes the branches of what could move but is held.
func (p *planner) wait() {
	for _, c := range lock.Changes(p.locked, p.newest) {
		onHold := p.wishes.holds(c.Dest)
		if c.Moved() && (onHold || slices.Contains(p.plan.Held, c.Dest)) {
			p.plan.Waiting[p.Branch(c.Dest, c.Remote, c.Ref)] = true
		}
		if c.Moved() && onHold && !slices.Contains(p.plan.OnHold, c.Dest) {
			p.plan.OnHold = append(p.plan.OnHold, c.Dest)
		}
		if other := p.heldTogether(p.wishes, c.Dest, c.URL, c.Ref); other != "" && c.Moved() && !onHold && !p.chose(c) {
			p.plan.Waiting[p.Branch(c.Dest, c.Remote, c.Ref)] = true
			p.plan.Reasons = append(p.plan.Reasons, Reason{c.Dest, c.Remote, c.Ref, other + " merges the same, and is held"})
		}
		if limit, is := p.wishes.limit(c.Dest, c.Remote, c.Ref); is && c.Moved() && !onHold && !p.chose(c) && p.aimed(c) != c.New {
			p.plan.Waiting[p.Branch(c.Dest, c.Remote, c.Ref)] = true
			p.plan.Reasons = append(p.plan.Reasons, limit.Reason)
		}
	}
}

// chose reports whether somebody has chosen where a merge goes.
func (p *planner) chose(c lock.Change) bool {
	return slices.ContainsFunc(p.wishes.Choices, func(choice Choice) bool { return choice.is(c.Dest, c.Remote, c.Ref) })
}

// aimed is the commit that a merge is to move to.
func (p *planner) aimed(c lock.Change) string {
	if d := p.aim.Find(c.Dest); d != nil {
		for _, m := range d.Merges {
			if m.Remote == c.Remote && m.Ref == c.Ref {
				return m.Commit
			}
		}
	}
	return ""
}

// proposeMoves adds a proposal for each group that has something to move.
func (p *planner) proposeMoves() error {
	type group struct {
		name    string
		changes []lock.Change
	}
	var groups []*group
	byBranch := map[string]*group{}
	for _, c := range lock.Changes(p.locked, p.aim) {
		if !c.Moved() || slices.Contains(p.plan.Held, c.Dest) || p.silent[p.Branch(c.Dest, c.Remote, c.Ref)] {
			continue
		}
		name := p.Group(c.Dest, c.Remote, c.Ref)
		g := byBranch[branch(Merges, name)]
		if g == nil {
			g = &group{name: name}
			byBranch[branch(Merges, name)] = g
			groups = append(groups, g)
		}
		g.changes = append(g.changes, c)
	}
	for _, g := range groups {
		data, err := lock.Patch(p.before, p.locked, g.changes, p.urls)
		if err != nil {
			return err
		}
		p.add(Merges, g.name, g.changes, data)
	}
	return nil
}

// outOfSync lists the destinations that are not in both locks, or differ.
func outOfSync(locked, declared *lock.File) []string {
	var paths []string
	for i := range declared.Destinations {
		d := &declared.Destinations[i]
		was := locked.Find(d.Path)
		if was == nil || !lock.InSync(&lock.File{Destinations: []lock.Destination{*was}}, &lock.File{Destinations: []lock.Destination{*d}}) {
			paths = append(paths, d.Path)
		}
	}
	return paths
}

func (p *planner) add(kind Kind, group string, changes []lock.Change, data []byte) {
	p.plan.Proposals = append(p.plan.Proposals, Proposal{
		Kind: kind, Group: group, Branch: branch(kind, group), Changes: changes,
		Old: p.before, New: data, Target: target(kind, group, changes), Choices: p.chosen(kind, changes), Limits: p.limited(kind, changes),
		locked: p.locked, newest: p.newest, aim: p.aim, urls: p.urls, whole: p.whole, groups: p.groups, lost: p.Lost,
	})
	last := &p.plan.Proposals[len(p.plan.Proposals)-1]
	last.Wanted = last.Target
}

// whole lists the destinations whose merges share one pull request.
func (s *State) whole() map[string]bool {
	all := map[string]bool{}
	for _, dest := range s.newest.Paths() {
		all[dest] = len(s.BranchesOf(dest)) == 1
	}
	return all
}

// syncTarget is a digest of the destinations that a sync is about.
func syncTarget(locked, declared *lock.File, changes []lock.Change) (string, error) {
	about := &lock.File{}
	for _, path := range outOfSync(locked, declared) {
		about.Destinations = append(about.Destinations, *declared.Find(path))
	}
	data, err := lock.Format(about)
	return target(Sync, string(data), changes), err
}

// target is a digest of the commits that changes lead to, wherever they come
// from.
func target(kind Kind, group string, changes []lock.Change) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", kind, group)
	for _, c := range changes {
		fmt.Fprintf(h, "%s\t%s\t%s\t%s\n", c.Dest, c.Remote, c.Ref, c.New)
	}
	return hex.EncodeToString(h.Sum(nil))
}
