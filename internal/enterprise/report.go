package enterprise

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Modes of an import.
const (
	ModeDryRun  = "dry-run"
	ModeApply   = "apply"
	ModeExtract = "extract"
)

// What is done with a module.
const (
	ActionAdd       = "add"
	ActionUpdate    = "update"
	ActionRemove    = "remove"
	ActionUnchanged = "unchanged"
)

// Report is what an import found and did. It has names of modules, digests and
// relative paths; no content, no absolute path.
type Report struct {
	Mode                    string   `json:"mode"`
	SourceBundleName        string   `json:"source_bundle_name"`
	SourceBundleDate        *string  `json:"source_bundle_date"`
	SourceBundleSize        *int64   `json:"source_bundle_size"`   // bytes
	SourceBundleSHA256      *string  `json:"source_bundle_sha256"` // hexadecimal
	SourceBundleSeries      string   `json:"source_bundle_series,omitempty"`
	CommunityDest           string   `json:"community_dest"`
	CommunityLockRevision   *string  `json:"community_lock_revision"`
	CommunityWorktreeHead   *string  `json:"community_worktree_head"`
	CommunityDaysApart      int      `json:"community_days_apart,omitempty"` // from the bundle's date; only when it is too many
	Counts                  Counts   `json:"counts"`
	EnterpriseModules       []string `json:"enterprise_modules"`
	MissingCommunityModules []string `json:"missing_community_modules"`
	DriftedCommunityModules []string `json:"drifted_community_modules"`
	EnterpriseDriftDetails  []*Drift `json:"enterprise_drift_details"`
	ImportPlan              Plan     `json:"import_plan"`
	HumanSummary            Summary  `json:"human_summary"`
	Recommendations         []string `json:"recommendations"`

	ApplyResult   *ApplyResult   `json:"apply_result,omitempty"`
	ExtractResult *ExtractResult `json:"extract_result,omitempty"`
}

// Counts are numbers of modules.
type Counts struct {
	Bundle     int `json:"source_bundle_modules"`
	Community  int `json:"community_modules"`
	Enterprise int `json:"enterprise_modules"`
	Missing    int `json:"missing_community_modules"`
	Drifted    int `json:"drifted_community_modules"`
}

// Plan is what an import is to do in the mirror.
type Plan struct {
	Summary PlanSummary `json:"summary"`
	Actions PlanActions `json:"actions"`
	Details []Action    `json:"action_details"` // by module
}

// PlanSummary counts the modules of each action.
type PlanSummary struct {
	Add       int `json:"add"`
	Update    int `json:"update"`
	Remove    int `json:"remove"`
	Unchanged int `json:"unchanged"`
}

// PlanActions are the modules of each action, sorted.
type PlanActions struct {
	Add       []string `json:"add"`
	Update    []string `json:"update"`
	Remove    []string `json:"remove"`
	Unchanged []string `json:"unchanged"`
}

// Action is what is to be done with a module. What begins with Source is of the
// bundle, with Current of the mirror; empty where there is none.
type Action struct {
	Module         string `json:"module"`
	Action         string `json:"action"`
	SourcePath     string `json:"source_path"`
	CurrentPath    string `json:"current_path"`
	SourceDigest   string `json:"source_digest"`
	CurrentDigest  string `json:"current_digest"`
	SourceVersion  string `json:"source_version"`
	CurrentVersion string `json:"current_version"`
	SourceLicense  string `json:"source_license"`
	CurrentLicense string `json:"current_license"`
	FilesChanged   int    `json:"files_changed"`
	// MigrationScripts are the versions that the bundle has migration scripts for,
	// new or changed against the mirror.
	MigrationScripts []string `json:"migration_scripts,omitempty"`
}

// Summary is the report for people.
type Summary struct {
	Text     []string `json:"text"`
	Warnings []string `json:"warnings"`
}

// ApplyResult is what was committed.
type ApplyResult struct {
	Branch  string         `json:"branch"`
	Before  string         `json:"head_before"`
	After   string         `json:"head_after"`
	Commits []CommitResult `json:"commits"`
}

// CommitResult is a commit; Module is empty of that of the README.
type CommitResult struct {
	Commit string `json:"commit"`
	Title  string `json:"title"`
	Module string `json:"module,omitempty"`
}

// ExtractResult is what was copied.
type ExtractResult struct {
	Destination string   `json:"destination"`
	Modules     []string `json:"modules"`
}

// makePlan compares the bundle's Enterprise modules with the mirror's.
func makePlan(source, current map[string]*Module) Plan {
	p := Plan{Actions: PlanActions{[]string{}, []string{}, []string{}, []string{}}, Details: []Action{}}
	all := append(names(source), names(current)...)
	slices.Sort(all)
	for _, name := range slices.Compact(all) {
		theirs, ours := source[name], current[name]
		a := Action{Module: name}
		switch {
		case ours == nil:
			a.Action, a.FilesChanged = ActionAdd, len(theirs.files)
			p.Actions.Add = append(p.Actions.Add, name)
		case theirs == nil:
			a.Action, a.FilesChanged = ActionRemove, len(ours.files)
			p.Actions.Remove = append(p.Actions.Remove, name)
		case theirs.equal(ours):
			a.Action = ActionUnchanged
			p.Actions.Unchanged = append(p.Actions.Unchanged, name)
		default:
			files := theirs.differing(ours)
			a.Action, a.FilesChanged, a.MigrationScripts = ActionUpdate, len(files), theirs.migrations(files)
			p.Actions.Update = append(p.Actions.Update, name)
		}
		if theirs != nil {
			a.SourcePath, a.SourceDigest, a.SourceVersion, a.SourceLicense = theirs.Dir, theirs.Digest(), theirs.Version, theirs.License
		}
		if ours != nil {
			a.CurrentPath, a.CurrentDigest, a.CurrentVersion, a.CurrentLicense = ours.Dir, ours.Digest(), ours.Version, ours.License
		}
		p.Details = append(p.Details, a)
	}
	p.Summary = PlanSummary{len(p.Actions.Add), len(p.Actions.Update), len(p.Actions.Remove), len(p.Actions.Unchanged)}
	return p
}

// DefaultLag is how far apart the dates of a bundle and of Community's commit may
// be without a warning, unless something else is asked for.
const DefaultLag = 14 * 24 * time.Hour

// summarize writes the report's texts.
func (r *Report) summarize(b *Bundle, c *Community, o *Options) {
	s := &r.HumanSummary
	s.Text, s.Warnings, r.Recommendations = []string{}, []string{}, []string{}
	say := func(format string, args ...any) { s.Text = append(s.Text, fmt.Sprintf(format, args...)) }
	warn := func(format string, args ...any) { s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...)) }
	advise := func(format string, args ...any) {
		r.Recommendations = append(r.Recommendations, fmt.Sprintf(format, args...))
	}
	n, p := r.Counts, r.ImportPlan.Summary
	say("bundle: %s", strings.Join(nonEmpty(r.SourceBundleName, day(b.Date), b.Series), ", "))
	say("modules: %d in the bundle, %d of Community, %d of Enterprise", n.Bundle, n.Community, n.Enterprise)
	if r.Mode != ModeExtract {
		say("mirror: %d to add, %d to update, %d to remove, %d unchanged", p.Add, p.Update, p.Remove, p.Unchanged)
	}
	if n.Missing > 0 {
		warn("the bundle lacks %s of the Community checkout: %s", modules(n.Missing), few(r.MissingCommunityModules))
		advise("check that bundle and Community are of the same series and about the same day; a newer bundle may have what is missing")
	}
	for _, d := range r.EnterpriseDriftDetails {
		warn("%s: the bundle's copy differs from Community in %s: %s", d.Module, count(d.FileCount, "file"), explain(d))
	}
	if n.Drifted > 0 {
		advise("look at each drift, and accept them by --allow-drift: Community's modules are never taken from the bundle")
	}
	if c.Head == "" {
		warn("the Community checkout has no git history: its commit is not known")
	}
	if lag := b.Date.Sub(c.When).Abs(); c.Head != "" && !b.Date.IsZero() && lag > cmp.Or(o.MaxLag, DefaultLag) {
		r.CommunityDaysApart = int(lag.Hours() / 24)
		warn("the bundle is of %s and the Community commit of %s, %d days apart", day(b.Date), day(c.When), r.CommunityDaysApart)
		advise("refresh Community first (odyssey-bot lock-repos --refresh %s), then download the bundle anew", r.CommunityDest)
	}
	if p.Remove > 0 && r.Mode != ModeExtract && !o.Removals {
		warn("%s of the mirror not in the bundle stay there: %s", modules(p.Remove), few(r.ImportPlan.Actions.Remove))
		advise("see whether these modules became part of Community or were dropped, then remove them by --apply-removals")
	}
	if r.Mode == ModeDryRun && o.Mirror != "" && p.Add+p.Update > 0 && n.Missing == 0 {
		advise("make the commits by --apply, then review and push them to a private repository")
	}
}

func explain(d *Drift) string {
	switch d.Diagnosis {
	case LagConfirmed:
		return "it is as before Community's commit " + d.Commit[:12]
	case UnexplainedDrift:
		return "Community's history has no such copy"
	default:
		return "there is not enough history to say why"
	}
}

func modules(n int) string { return count(n, "module") }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// few names the first of many.
func few(all []string) string {
	const most = 10
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", len(all)-most)
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

func nonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

func itoa(n int) string { return strconv.Itoa(n) }
