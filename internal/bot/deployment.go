package bot

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/deploy"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
)

// Registry tells what images say of themselves.
type Registry interface {
	Describe(ctx context.Context, image deploy.Image) (deploy.Content, error)
}

// Deployment is an image that a deployment repository is to run.
type Deployment struct {
	Image     deploy.Image
	Previous  *deploy.Image // what is run until now; nil: whatever it is
	AnySeries bool          // of whatever series what is run is
	Instances []Instance    // each has a pull request of its own; none: the whole repository is one
	InOrder   bool          // an instance waits until those before it run the image
	Installed []string      // files of the repository that list the addons which its databases have; none: that is not known
	Registry  Registry
}

// Instance is a part of a deployment repository.
type Instance struct {
	Name  string   // "production"; "" of a repository that is one
	Files []string // globs
}

// Deploy opens or updates the pull requests that have a deployment repository
// run an image. Like Run, it is idempotent and starts again after a fault that
// may pass. Files that cannot be changed are *deploy.Error.
func (b *Bot) Deploy(ctx context.Context, f Forge, name forge.Name, d Deployment) ([]Outcome, error) {
	var done []Outcome
	err := b.again(ctx, name, retryAfter, func() (err error) {
		done, err = b.deployOnce(ctx, f, name, d)
		return err
	})
	return done, err
}

// deployer brings one deployment repository to an image.
type deployer struct {
	keeper
	Deployment
	snapshot forge.Snapshot
}

func (b *Bot) deployOnce(ctx context.Context, f Forge, name forge.Name, d Deployment) ([]Outcome, error) {
	repo, err := f.Repo(ctx, name)
	if err != nil {
		return nil, err
	}
	if repo.Archived || repo.Empty {
		return []Outcome{{Repo: name.String(), Action: Idle, Reason: "the repository is archived or empty"}}, nil
	}
	if len(d.Instances) == 0 {
		d.Instances = []Instance{{}}
	}
	at, err := f.Branch(ctx, repo, repo.DefaultBranch)
	if err != nil {
		return nil, err
	}
	paths, err := f.Paths(ctx, repo, at.Head)
	if err != nil {
		return nil, err
	}
	var selected []string
	for _, i := range d.Instances {
		selected = append(selected, deploy.Select(paths, i.Files)...)
	}
	slices.Sort(selected)
	snapshot, err := f.Snapshot(ctx, repo, slices.Compact(selected))
	if err != nil {
		return nil, err
	}
	r := &deployer{
		keeper: keeper{
			Bot: b, forge: f, repo: repo, mine: refresh.IsDeployment, head: snapshot.Commit,
			limit: len(d.Instances) + maxDeployments,
		},
		Deployment: d, snapshot: snapshot,
	}
	err = r.run(ctx, paths)
	return r.outcomes, err
}

// maxDeployments is how many pull requests of other images may be open at once.
const maxDeployments = 100

func (r *deployer) run(ctx context.Context, paths []string) error {
	if _, err := r.look(ctx); err != nil {
		return err
	}
	var failures []error
	waitsFor := ""
	for _, i := range r.Instances {
		runs, err := r.instance(ctx, i, deploy.Select(paths, i.Files), waitsFor)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", r.text(i).Group(), err))
		}
		if stops(errors.Join(failures...)) {
			break
		}
		if r.InOrder && !runs && waitsFor == "" {
			waitsFor = i.Name
		}
	}
	return errors.Join(failures...)
}

// instance treats one instance. It reports whether the instance runs the image
// already.
func (r *deployer) instance(ctx context.Context, i Instance, paths []string, waitsFor string) (runs bool, err error) {
	text := r.text(i)
	found, changes, err := deploy.Bump{To: r.Image, Previous: r.Previous, AnySeries: r.AnySeries}.Files(r.snapshot.Files, paths)
	left := slices.DeleteFunc(slices.Clone(found), func(ref deploy.Reference) bool { return ref.Left == "" })
	switch {
	case err != nil:
		return false, err
	case len(found) == len(left):
		reason := "no file names " + r.Image.Repository()
		if len(left) > 0 {
			reason = fmt.Sprintf("%s:%d is left: %s", left[0].File, left[0].Line, left[0].Left)
		}
		r.report(text.Group(), Idle, forge.PullRequest{}, reason)
		return false, nil
	case len(changes) == 0:
		if pr, isOpen := r.open[text.Branch()]; isOpen {
			return true, r.retire(ctx, pr, "`"+r.repo.DefaultBranch+"` names this image already")
		}
		r.report(text.Group(), Idle, forge.PullRequest{}, "it runs this image already")
		return true, nil
	case waitsFor != "":
		r.report(text.Group(), Held, forge.PullRequest{}, "it waits until "+waitsFor+" runs this image")
		return false, nil
	}
	p := &proposal{
		group: text.Group(), branch: text.Branch(), target: text.Target(), newer: "a newer image", list: text.List,
		stands: func(string) bool { return true },
		describe: func(ctx context.Context) (refresh.Text, error) {
			text.Left = nil
			for _, ref := range left {
				text.Left = append(text.Left, refresh.Left{File: ref.File, Line: ref.Line, Why: ref.Left})
			}
			if err := r.compare(ctx, text, changes); err != nil {
				return refresh.Text{}, err
			}
			return text.Describe(ctx, r.Git), nil
		},
	}
	for _, c := range changes {
		p.files = append(p.files, file{c.Path, c.Old, c.New})
	}
	return false, r.propose(ctx, p)
}

func (r *deployer) text(i Instance) *refresh.Deployment {
	return &refresh.Deployment{Image: r.Image.Repository(), Instance: i.Name, Tag: r.Image.Tag, Digest: r.Image.Digest}
}

// compare notes where the image is named, and what the images say of
// themselves. What the image that is run until now says may be gone.
func (r *deployer) compare(ctx context.Context, text *refresh.Deployment, changes []deploy.Change) error {
	text.Places = nil
	var before deploy.Image
	for _, c := range changes {
		for _, ref := range c.References {
			text.Places = append(text.Places, refresh.Place{File: ref.File, Line: ref.Line, Tag: ref.Old.Tag, Digest: ref.Old.Digest})
			if before.Digest == "" {
				before = deploy.Image{Name: r.Image.Name, Tag: ref.Old.Tag, Digest: ref.Old.Digest}
			}
		}
	}
	next, err := r.Registry.Describe(ctx, r.Image)
	if err != nil {
		return err
	}
	if url, err := gitname.ParseURL(next.Source); err == nil && url.User == "" && gitname.IsObjectID(next.Revision) {
		text.Source, text.New = next.Source, next.Revision
		if text.Discretion, err = r.discretion(ctx, r.forge, r.repo, []string{next.Source}, nil); err != nil {
			return err
		}
	}
	if before.Digest == "" {
		return nil
	}
	last, err := r.Registry.Describe(ctx, before)
	if err != nil {
		r.Log.Info("what the image before says of itself could not be read", "repo", r.repo.String(), "err", err)
		return nil
	}
	if last.Source == next.Source && gitname.IsObjectID(last.Revision) {
		text.Old = last.Revision
	}
	text.Parts = deploy.Differing(last, next)
	var enterprise []string
	text.Merges, enterprise = r.lockChanges(ctx, text)
	urls := []string{next.Source}
	for _, c := range text.Merges {
		urls = append(urls, c.URL)
	}
	if text.Discretion, err = r.discretion(ctx, r.forge, r.repo, urls, enterprise); err != nil {
		return err
	}
	if text.Source != "" && !text.Discretion.Tells(text.Source) { // nor what its lock and its destinations are
		text.Merges, text.Parts = nil, nil
	}
	if len(r.Installed) > 0 {
		text.Around.InstalledIn = r.repo.String()
		if text.Around.Installed, err = r.installed(ctx, r.forge, r.repo, r.Installed); err != nil {
			r.Log.Info("which addons are installed is not known", "repo", r.repo.String(), "err", err)
		}
	}
	return nil
}

// lockChanges compares the locks of the two commits, if their repository is on
// this forge and can be read; nil if not. It returns the URLs, too, of the remotes
// that have Enterprise there.
func (r *deployer) lockChanges(ctx context.Context, text *refresh.Deployment) (changes []lock.Change, enterprise []string) {
	base := strings.TrimSuffix(r.repo.WebURL, r.repo.String())
	rest, here := strings.CutPrefix(strings.TrimSuffix(text.Source, ".git"), base)
	name, err := forge.ParseName(rest)
	if !here || err != nil || text.Old == "" || text.New == "" || text.Old == text.New {
		return nil, nil
	}
	var locks [2]*lock.File
	var policy config.Repo
	for i, commit := range []string{text.Old, text.New} {
		var data []byte
		if data, err = r.forge.File(ctx, forge.Repo{Name: name}, commit, refresh.LockFile); err == nil {
			locks[i], err = lock.ParseLock(refresh.LockFile, data, r.URLs)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		policy, err = r.policyAt(ctx, name, text.New)
	}
	if err != nil {
		r.Log.Info("the locks of the images could not be compared", "repo", name.String(), "err", err)
		return nil, nil
	}
	changes = lock.Changes(locks[0], locks[1])
	for _, c := range changes {
		if path.Clean(c.Dest) == path.Clean(policy.Enterprise.Destination) {
			enterprise = append(enterprise, c.URL)
		}
	}
	return changes, enterprise
}

// policyAt reads the policy that a repository had at a commit.
func (r *deployer) policyAt(ctx context.Context, name forge.Name, commit string) (config.Repo, error) {
	data, err := r.forge.File(ctx, forge.Repo{Name: name}, commit, refresh.ConfigFile)
	if err != nil && !errors.Is(err, forge.ErrNotFound) {
		return config.Repo{}, err
	}
	return config.ParseRepo(refresh.ConfigFile, data)
}
