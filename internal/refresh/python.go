package refresh

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/python/requirements"
)

// The files that a Python lock is made of, and the lock.
const (
	RequirementsLock = "requirements.lock.txt"
	requirementsIn   = "requirements.in"
	constraintsIn    = "requirements-constraints.in"
	overridesIn      = "requirements-overrides.in"
	odooRequirements = "odoo/requirements.txt" // below the sources
)

// pythonBranch is the branch of the pull request.
const pythonBranch = BranchPrefix + string(Python)

// LockInput is what a Python lock is made of.
type LockInput struct {
	Python string // minor version that the lock is for: "3.10"; "" when it does not say
	Lock   []byte // as it is
	// Files by path: Odoo's requirements.txt as odoo/requirements.txt, and those
	// of the repository. Those that do not exist are absent.
	Files map[string][]byte
	// External is what the addons' manifests ask of Python, sorted. The lock is not
	// made of it; that it changes is a reason to resolve anew.
	External []string
}

// LockResult is a lock that was resolved anew.
type LockResult struct {
	Lock   []byte
	Python string // version of the interpreter
	// Free are the versions that would be chosen without constraints and overrides, by
	// name; nil when nobody asked for that.
	Free map[string]string
}

// UnresolvableError says that there is no lock for an input, or none that can be made
// here.
type UnresolvableError struct {
	// Reason is for all who read the repository: it has nothing of what other
	// repositories, indexes or packages say.
	Reason string
	Cause  error // for the log: it may have that; nil when Reason says all
}

func (e *UnresolvableError) Error() string { return e.Reason }

// Unwrap returns the cause.
func (e *UnresolvableError) Unwrap() error { return e.Cause }

// LockResolver resolves Python locks. An input that cannot be resolved is an
// *UnresolvableError.
type LockResolver interface {
	ResolveLock(ctx context.Context, in LockInput) (LockResult, error)
}

// Advisories knows which versions of packages have known vulnerabilities.
type Advisories interface {
	// Known returns the ids of advisories by package, for those that have some.
	Known(ctx context.Context, packages []Package) (map[Package][]string, error)
}

// PythonLock makes the refreshes of requirements.lock.txt. It is a Source.
type PythonLock struct {
	Resolver   LockResolver // nil: locks are not resolved here
	Advisories Advisories   // nil: nobody is asked
	Rehearser  Rehearser    // reads Odoo's requirements.txt as the merges give it
	Surveyor   Surveyor     // reads addons' manifests; nil: what they ask of Python counts for nothing
	URLs       gitname.Policy
	Memory     Memory // what was resolved last; nil: nothing is remembered, so that nothing is resolved but when asked for
	Warn       func(repo string, err error)
	// Unresolved is told why a lock could not be resolved, in full; nil: nobody is.
	Unresolved func(repo string, cause error)
	Now        func() time.Time // nil: time.Now
}

// Kind implements Source.
func (*PythonLock) Kind() Kind { return Python }

// Mine implements Source.
func (*PythonLock) Mine(branch string) bool { return branch == pythonBranch }

// Offer implements Source. It resolves, or has it resolved, when somebody asks for it, when it is
// time, and when what the lock is made of is not what it was the last time.
func (p *PythonLock) Offer(ctx context.Context, r Repository) (Offer, error) {
	files, err := r.Tree.Files(ctx, []string{RequirementsLock, requirementsIn, constraintsIn, overridesIn, LockFile})
	if err != nil {
		return Offer{}, err
	}
	before, exists := files[RequirementsLock]
	if !exists {
		return Offer{Idle: "there is no " + RequirementsLock}, nil
	}
	executor, why, err := p.executor(ctx, r)
	if err == nil && executor != config.ExecutorWorkflow {
		p.forgetRun(ctx, r.Name) // whatever another executor has started
	}
	if err != nil || why != "" {
		return Offer{Waiting: map[string]string{pythonBranch: ""}, Idle: why}, err
	}
	in, err := p.input(ctx, before, files)
	if err != nil {
		return Offer{}, err
	}
	if executor == config.ExecutorWorkflow {
		return p.byWorkflow(ctx, r, in)
	}
	return p.local(ctx, r, in)
}

// local resolves on this machine.
func (p *PythonLock) local(ctx context.Context, r Repository, in LockInput) (Offer, error) {
	stays := Offer{Waiting: map[string]string{pythonBranch: ""}}
	made := in.digest() // nobody knows another forge's repository of that name from this one
	if known, why := p.recall(ctx, r.Name); !r.Demanded && !r.Scheduled && known == made {
		if why != "" {
			return unresolved(why), nil
		}
		stays.Idle = "what the Python lock is made of has not changed since it was resolved"
		return stays, nil
	}
	if !r.Demanded && !r.Scheduled && p.Memory == nil {
		stays.Idle = "the Python lock is resolved when it is asked for: --only python"
		return stays, nil
	}
	result, err := p.Resolver.ResolveLock(ctx, in)
	impossible := (*UnresolvableError)(nil)
	if errors.As(err, &impossible) {
		p.remember(ctx, r.Name, made, impossible.Reason) // until something changes, or somebody asks
		if p.Unresolved != nil && impossible.Cause != nil {
			p.Unresolved(r.Name, impossible.Cause)
		}
		return unresolved(impossible.Reason), nil
	}
	if err != nil {
		return Offer{}, err
	}
	p.remember(ctx, r.Name, made, "")
	if bytes.Equal(result.Lock, in.Lock) {
		return Offer{Idle: "every Python package is at the newest version that is allowed"}, nil
	}
	draft, err := p.draft(r, in, result)
	if err != nil {
		return Offer{}, err
	}
	return Offer{Drafts: []Draft{draft}}, nil
}

// unresolved is the offer where no lock can be made.
func unresolved(why string) Offer {
	return Offer{
		Waiting: map[string]string{pythonBranch: "no newer lock could be made"},
		Held:    []Held{{Group: string(Python), Reason: why}},
	}
}

// mostRequirements is how large Odoo's requirements.txt may be, in bytes.
const mostRequirements = 1 << 20

// input reads what the lock is made of.
func (p *PythonLock) input(ctx context.Context, before []byte, files map[string][]byte) (in LockInput, err error) {
	in = LockInput{Lock: before, Files: map[string][]byte{}}
	if known, err := requirements.ParseLock(RequirementsLock, before); err == nil {
		in.Python = known.Python
	}
	for _, name := range []string{requirementsIn, constraintsIn, overridesIn} {
		if data, exists := files[name]; exists {
			in.Files[name] = data
		}
	}
	locked, err := lock.ParseLock(LockFile, files[LockFile], p.URLs)
	if err != nil {
		return in, err
	}
	if in.External, err = p.external(ctx, locked); err != nil {
		return in, err
	}
	d := locked.Find("./odoo")
	if d == nil {
		return in, nil
	}
	var tips []git.Tip
	for _, m := range d.Merges {
		tips = append(tips, git.Tip{URL: d.Remote(m.Remote).URL, Want: git.Want{Commit: m.Commit, Ref: m.Ref}})
	}
	rehearsal, err := p.Rehearser.Rehearse(ctx, tips, nil)
	if err != nil {
		return in, fmt.Errorf("read Odoo's requirements: %w", err)
	}
	defer func() { err = errors.Join(err, rehearsal.Close()) }() //nolint:contextcheck // it tidies though the run was ended
	trial, err := rehearsal.Try(ctx, tips)
	if err != nil || trial.Clash != nil { // that they do not apply, the refresh of merges says
		return in, err
	}
	data, err := rehearsal.File(ctx, tips, trial.Tree, "requirements.txt", mostRequirements)
	if err == nil && data != nil {
		in.Files[odooRequirements] = data
	}
	return in, err
}

// digest is one of all that a lock is made of, and of the lock.
func (in LockInput) digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "python %s\nlock %x\n", in.Python, sha256.Sum256(in.Lock))
	for _, name := range []string{odooRequirements, requirementsIn, constraintsIn, overridesIn} {
		sum := sha256.Sum256(in.Files[name])
		fmt.Fprintf(h, "%s %x\n", name, sum)
	}
	fmt.Fprintf(h, "addons %q\n", in.External)
	return hex.EncodeToString(h.Sum(nil))
}

// By repository: the digest of what was resolved last, and on a second line why that
// could not be resolved.
const pythonBucket = "python"

func (p *PythonLock) recall(ctx context.Context, repo string) (digest, unresolvable string) {
	if p.Memory == nil {
		return "", ""
	}
	data, err := p.Memory.Get(ctx, pythonBucket, repo)
	if err != nil {
		return "", ""
	}
	digest, unresolvable, _ = strings.Cut(string(data), "\n")
	return digest, unresolvable
}

func (p *PythonLock) remember(ctx context.Context, repo, digest, unresolvable string) {
	if p.Memory == nil {
		return
	}
	if unresolvable != "" {
		digest += "\n" + unresolvable
	}
	_ = p.Memory.Put(ctx, pythonBucket, repo, []byte(digest)) // it may be forgotten
}

// draft is the pull request with the new lock.
func (p *PythonLock) draft(r Repository, in LockInput, result LockResult) (Draft, error) {
	after, err := requirements.ParseLock(RequirementsLock, result.Lock)
	if err != nil {
		return Draft{}, fmt.Errorf("the lock that was resolved: %w", err)
	}
	before, _ := requirements.ParseLock(RequirementsLock, in.Lock) // a broken one is replaced
	sum := sha256.Sum256(append([]byte("python\n"), result.Lock...))
	t := &pythonText{
		source: p, repo: r.Name, commands: r.Commands, python: result.Python, target: hex.EncodeToString(sum[:]),
		difference: differ(packagesOf(before), packagesOf(after)), after: after, heldBack: heldBack(result.Free, after, in),
	}
	d := Draft{
		Group: string(Python), Branch: pythonBranch, Target: t.target, Newer: "newer packages",
		Files:    []File{{Path: RequirementsLock, Old: in.Lock, New: result.Lock}},
		Describe: t.describe,
	}
	for _, c := range t.difference.changes {
		d.List = append(d.List, inline(c.Name)+" → "+orDash(inline(c.New)))
	}
	return d, nil
}

// packagesOf lists what a lock names.
func packagesOf(l *requirements.Lock) (all []Package) {
	if l == nil {
		return nil
	}
	for _, e := range l.Entries {
		version := e.Version
		if e.URL != "" {
			version = e.URL
		}
		all = append(all, Package{"pypi", e.Name, version})
	}
	return all
}

// Restraint is a package that a line of a file keeps from a newer version.
type Restraint struct {
	Package, Version, Free string // Free is the version that it would have without
	File                   string // that names the package
	Line                   int    // 0 when no line of the files names it: another package's bound does
}

// heldBack lists the packages that would have another version without
// constraints and overrides, by name.
func heldBack(free map[string]string, after *requirements.Lock, in LockInput) (all []Restraint) {
	for _, e := range after.Entries {
		version, known := free[e.Name]
		if !known || version == e.Version || e.URL != "" {
			continue
		}
		r := Restraint{Package: e.Name, Version: e.Version, Free: version}
		for _, name := range []string{overridesIn, constraintsIn} {
			if line := requirements.LineOf(in.Files[name], e.Name); line > 0 && r.Line == 0 {
				r.File, r.Line = name, line
			}
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Restraint) int { return bytes.Compare([]byte(a.Package), []byte(b.Package)) })
	return all
}
