package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/enterprise"
	"github.com/nuobit/odyssey/internal/enterprise/intake"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
)

// Importer imports bundles into one mirror; an *intake.Intake.
type Importer interface {
	Prepare(ctx context.Context, r intake.Request) (*intake.Result, error)
	Push(ctx context.Context, branch, commit, lease string) error
}

// Mirror is a private mirror of Odoo Enterprise and the repository that it is kept
// for.
type Mirror struct {
	Forge    Forge  // that both are on
	Subject  string // of the repository's jobs
	For      forge.Name
	Name     forge.Name
	Branch   string     // of the mirror; "": the default one
	Reports  forge.Name // private repository that gets the report of each bundle; zero: none does
	Importer Importer
}

// mirrorFor returns the mirror that is kept for a repository, nil if there is none.
func (b *Bot) mirrorFor(f Forge, name forge.Name) *Mirror {
	for i := range b.Mirrors {
		if m := &b.Mirrors[i]; m.Forge == driver(f) && strings.EqualFold(m.For.String(), name.String()) {
			return m
		}
	}
	return nil
}

// mirrorAt returns the mirror that a repository is, nil if it is none.
func (b *Bot) mirrorAt(f Forge, name forge.Name) *Mirror {
	for i := range b.Mirrors {
		if m := &b.Mirrors[i]; m.Forge == driver(f) && strings.EqualFold(m.Name.String(), name.String()) {
			return m
		}
	}
	return nil
}

// driver is a forge without what was put around it.
func driver(f Forge) Forge {
	for {
		switch around := f.(type) {
		case guarded:
			f = around.Forge
		case dryRun:
			f = around.Forge
		default:
			return f
		}
	}
}

// imported reports whether a branch ends in a commit of an import.
func imported(branch forge.Branch) bool {
	return branch.Committer == forge.Identity{Name: enterprise.CommitterName, Email: enterprise.CommitterEmail} &&
		strings.Contains(branch.Message, "\n"+enterprise.BundleTrailer+": ")
}

// importer brings one mirror to the newest bundle.
type importer struct {
	*visit
	keeper
	mirror  *Mirror
	request intake.Request
	issues  []forge.Issue // the bot's in the mirror
	locked  *lock.Destination
	pending refresh.Pull // that brings Community to its newest commits; zero when none is open
	reports forge.Repo   // of Mirror.Reports

	policyBranch string // of the mirror: the one that has its policy
}

// community proposes what the locked Community lacks, before Enterprise is compared
// with it: what a bundle has of Community is newer than an old lock. It returns the
// pull request that is open about that, the zero value when none is.
func (v *visit) community(ctx context.Context, done *result) (refresh.Pull, error) {
	dest := v.policy.Enterprise.Community
	state, open := done.state, v.open
	if !v.demand.aboutMerges() {
		locked, err := lock.ParseLock(refresh.LockFile, v.snapshot.Files[refresh.LockFile], v.URLs)
		if err != nil || locked.Find(dest) == nil || v.demand.Bundle != "" {
			return refresh.Pull{}, err
		}
		first, found := *v, result{}
		first.demand = Demand{}
		if !v.demand.none() && !v.demand.Foreign {
			first.demand.Destinations = []string{dest}
		}
		if _, err := first.merges(ctx, &found); err != nil {
			return refresh.Pull{}, err
		}
		for _, o := range found.outcomes {
			if o.Action.Changed() {
				done.outcomes = append(done.outcomes, o)
			}
		}
		state, open = found.state, first.open
	}
	if state != nil && state.Idle == "" {
		for _, branch := range state.BranchesOf(dest) {
			if pr, isOpen := open[branch]; isOpen {
				return refresh.Pull{URL: pr.URL, Title: pr.Title}, nil
			}
		}
	}
	return refresh.Pull{}, nil
}

// enterprise brings the mirror that is kept for the repository to the newest
// bundle, or to the one that the demand names. It returns why there was nothing to
// do.
func (v *visit) enterprise(ctx context.Context, done *result) (idle string, err error) {
	m := v.mirrorFor(v.forge, v.repo.Name)
	policy := v.policy.Enterprise
	switch {
	case m == nil:
		return "", nil
	case !policy.Enabled:
		return "enterprise refreshes are not enabled in " + refresh.ConfigFile, nil
	}
	here := v.keeper(func(string) bool { return false }, policy.Refresh)
	if held, err := v.holdKind(ctx, done, refresh.Enterprise, &here); held || err != nil {
		return "", err
	}
	i := &importer{visit: v, mirror: m}
	i.keeper = keeper{
		Bot: v.Bot, forge: v.forge, labels: policy.Labels, reviewers: policy.Reviewers, limit: v.policy.PullRequests.Limit,
		demanded: !v.demand.none(), mine: func(name string) bool { return refresh.KindOf(name) == refresh.Enterprise },
	}
	idle, err = i.run(ctx, done)
	done.outcomes = append(done.outcomes, i.outcomes...)
	if err != nil {
		err = fmt.Errorf("enterprise: %w", err)
	}
	return idle, err
}

// run looks at the mirror and imports into it.
func (i *importer) run(ctx context.Context, done *result) (idle string, err error) {
	hold := func(reason string) (string, error) {
		i.outcomes = append(i.outcomes, Outcome{Repo: i.mirror.Name.String(), Group: string(refresh.Enterprise), Action: Held, Reason: reason})
		return "", nil
	}
	reason, err := i.open(ctx)
	if err != nil || reason != "" {
		if err != nil {
			return "", err
		}
		return hold(reason)
	}
	if reason, err = i.openReports(ctx); err != nil || reason != "" {
		if err != nil {
			return "", err
		}
		return hold(reason)
	}
	if i.pending, err = i.community(ctx, done); err != nil {
		return "", fmt.Errorf("refresh %s first: %w", i.policy.Enterprise.Community, err)
	}
	if i.issues, err = ownIssues(ctx, i.keeper.forge, i.keeper.repo); err != nil {
		return "", err
	}
	if _, err := i.keeper.look(ctx); err != nil {
		return "", err
	}
	accepted, err := i.accepted(ctx)
	if err != nil {
		return "", err
	}
	i.request.Bundle, i.request.Fresh = i.demand.Bundle, i.demanded && i.demand.Bundle == ""
	i.request.Removals, i.request.Drift = accepted.of(refresh.Removals).Bundle, accepted.of(refresh.Drift).Bundle
	got, err := i.mirror.Importer.Prepare(ctx, i.request)
	if errors.Is(err, intake.ErrBusy) {
		err = fmt.Errorf("%w: %w", forge.ErrTransient, err)
	}
	if err != nil {
		return "", err
	}
	if i.demand.Bundle != "" && got.SHA256 != "" && got.SHA256 != i.demand.Bundle {
		i.outcomes = append(i.outcomes, Outcome{
			Repo: i.mirror.Name.String(), Group: string(refresh.Enterprise), Action: Held,
			Reason: "the bundle that was accepted is not kept any more, and there is another one: look at it, and say it again",
		})
	}
	if err := i.report(ctx, got); err != nil {
		return "", err
	}
	return i.settle(ctx, got, accepted)
}

// open reads the mirror, and what the import is made of. It returns why it cannot
// be made.
func (i *importer) open(ctx context.Context) (reason string, err error) {
	policy := i.policy.Enterprise
	name := i.mirror.Name.String()
	repo, err := i.keeper.forge.Repo(ctx, i.mirror.Name)
	switch {
	case errors.Is(err, forge.ErrNotFound):
		return "the mirror " + name + " does not exist, or my account may not see it: nothing is pushed", nil
	case err != nil:
		return "", err
	case !repo.Private:
		return "the mirror " + name + " is not private: nothing is pushed; make it private first", nil
	case repo.Archived:
		return "the mirror " + name + " is archived", nil
	case repo.Empty:
		return "the mirror " + name + " has no commit yet; begin it with a README", nil
	}
	i.policyBranch = repo.DefaultBranch
	repo.DefaultBranch = cmp.Or(i.mirror.Branch, repo.DefaultBranch)
	i.keeper.repo = repo
	base, err := i.keeper.forge.Branch(ctx, repo, repo.DefaultBranch)
	if errors.Is(err, forge.ErrNotFound) {
		return "the mirror " + name + " has no branch " + repo.DefaultBranch, nil
	}
	if err != nil {
		return "", err
	}
	i.head = base.Head
	locked, err := lock.ParseLock(refresh.LockFile, i.snapshot.Files[refresh.LockFile], i.visit.URLs)
	if err != nil {
		return "", err
	}
	if i.locked = locked.Find(policy.Community); i.locked == nil {
		return refresh.LockFile + " has no " + policy.Community + ", whose commit says what is Enterprise; enterprise.community in " + refresh.ConfigFile + " names it", nil
	}
	i.request = intake.Request{Base: base.Head, Branch: refresh.EnterpriseBranch(repo.DefaultBranch), Community: i.locked, DaysApart: policy.DaysApart}
	return "", nil
}

// settle makes what was prepared true on the forge. An issue of a bundle is closed
// last: until the pull request has it, only there stands what was accepted of it.
func (i *importer) settle(ctx context.Context, got *intake.Result, accepted acceptances) (idle string, err error) {
	text := i.text(got, accepted)
	if got.Stop != nil {
		return "", i.tell(ctx, got, text, accepted)
	}
	before := len(i.outcomes)
	pr, isOpen := i.keeper.open[i.request.Branch]
	switch {
	case got.Head != i.request.Base:
		err = i.bring(ctx, got, text, accepted)
	case isOpen:
		err = i.retire(ctx, pr, "`"+i.keeper.repo.DefaultBranch+"` has what this proposed")
	default:
		idle = "the mirror has what the newest bundle has"
	}
	if err != nil {
		return "", err
	}
	keep := ""
	held := slices.ContainsFunc(i.outcomes[before:], func(o Outcome) bool { return o.Action == Held })
	if held && len(accepted.only(got.SHA256)) > 0 {
		keep = got.SHA256
	}
	return idle, i.untell(ctx, keep)
}

// bring proposes what was prepared.
func (i *importer) bring(ctx context.Context, got *intake.Result, text *refresh.Import, accepted acceptances) error {
	word := accepted.only(got.SHA256).mark(got.SHA256)
	return i.propose(ctx, &proposal{
		group: string(refresh.Enterprise), branch: i.request.Branch, target: text.Target(), newer: "another bundle",
		commit: got.Head, push: func(ctx context.Context, lease string) error { return i.pushImport(ctx, got.Head, lease) },
		remember: word,
		stands:   func(body string) bool { return text.Stands(body) && strings.Contains(body, word) },
		describe: func(context.Context) (refresh.Text, error) { return text.Describe(), nil },
		list:     text.List,
	})
}

// pushImport pushes a commit of the import, unless this is a dry run.
func (i *importer) pushImport(ctx context.Context, commit, lease string) error {
	do := func() error { return i.mirror.Importer.Push(ctx, i.request.Branch, commit, lease) }
	var err error
	switch f := i.keeper.forge.(type) {
	case dryRun:
		return nil
	case guarded:
		err = f.write(ctx, "Push", do)
	default:
		err = do()
	}
	switch {
	case errors.Is(err, git.ErrLease):
		return fmt.Errorf("%w: %w", forge.ErrLeaseLost, err)
	case errors.Is(err, intake.ErrBusy):
		return fmt.Errorf("%w: %w", forge.ErrTransient, err)
	}
	return err
}

// text is what there is to say of an import.
func (i *importer) text(got *intake.Result, accepted acceptances) *refresh.Import {
	text := &refresh.Import{
		Repository: i.visit.repo.String(), Community: i.locked.Path, Commit: i.locked.Merges[0].Commit, Base: i.keeper.repo.DefaultBranch, SHA256: got.SHA256,
		Pending: i.pending,
	}
	for _, a := range accepted.only(got.SHA256) {
		text.Accepted = append(text.Accepted, refresh.Acceptance{What: a.What, By: a.By, URL: a.URL})
	}
	if got.Stop != nil {
		text.Kind, text.Reason, text.Detail = got.Stop.Kind, got.Stop.Reason, got.Stop.Detail
	}
	r := got.Report
	if r == nil {
		return text
	}
	text.Bundle, text.Series, text.DaysOff, text.Missing = r.SourceBundleName, r.SourceBundleSeries, r.CommunityDaysApart, r.MissingCommunityModules
	if r.SourceBundleSize != nil {
		text.Size = *r.SourceBundleSize
	}
	if r.SourceBundleDate != nil {
		text.Date = *r.SourceBundleDate
	}
	for _, a := range r.ImportPlan.Details {
		if a.Action != enterprise.ActionUnchanged {
			text.Modules = append(text.Modules, refresh.EnterpriseModule{
				Name: a.Module, Action: a.Action, Old: a.CurrentVersion, New: a.SourceVersion, Files: a.FilesChanged, Migrations: a.MigrationScripts,
			})
		}
	}
	for _, d := range r.EnterpriseDriftDetails {
		text.Drift = append(text.Drift, refresh.EnterpriseDrift{Module: d.Module, Diagnosis: d.Diagnosis, Files: d.FileCount, Commit: d.Commit})
	}
	return text
}
