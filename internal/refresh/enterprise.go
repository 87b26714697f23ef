package refresh

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Import is an import of Odoo Enterprise into a private mirror. Its texts are
// for that mirror alone: they name modules.
type Import struct {
	Repository string // OWNER/NAME whose lock says which Community it is for
	Community  string // destination of Community there
	Commit     string // that it is locked at
	Base       string // branch of the mirror
	Pending    Pull   // that brings Community to its newest commits; zero when none is open

	Bundle  string // name of the file
	SHA256  string
	Size    int64  // bytes
	Date    string // YYYY-MM-DD
	Series  string // "" when the bundle does not say
	DaysOff int    // between the bundle and Community's commit; 0 unless they are many

	Modules  []EnterpriseModule // that are not as in the mirror
	Drift    []EnterpriseDrift
	Missing  []string // modules of Community that the bundle lacks
	Accepted []Acceptance

	// Kind, Reason and Detail say why there is no import; "" when there is one.
	Kind, Reason, Detail string
}

// What is to be done with a module of Enterprise.
const (
	ModuleAdded   = "add"
	ModuleUpdated = "update"
	ModuleGone    = "remove"
)

// EnterpriseModule is a module that an import changes, or could remove.
type EnterpriseModule struct {
	Name, Action string
	Old, New     string // versions; "" where none is said
	Files        int    // that change
	Migrations   []string
}

// EnterpriseDrift is a module of Community whose copy in the bundle is another one.
type EnterpriseDrift struct {
	Module, Diagnosis string
	Files             int
	Commit            string // of Community, that the copy lacks; "" when that is not known
}

// What of an import somebody can accept.
const (
	Removals = "removals"
	Drift    = "drift"
)

// Acceptance is somebody's word for what a bundle brings.
type Acceptance struct{ What, By, URL string }

// EnterpriseBranch names the branch of the imports into a branch of a mirror.
func EnterpriseBranch(base string) string { return enterpriseMirror + "/" + branchName(base) }

// Branch is the branch of the import.
func (e *Import) Branch() string { return EnterpriseBranch(e.Base) }

// Target is a digest of what the import leads to.
func (e *Import) Target() string {
	h := sha256.New()
	fmt.Fprintf(h, "enterprise\n%s\n%s\n%s\n", e.Base, e.Community, e.SHA256)
	for _, m := range e.Modules {
		if m.Action != ModuleGone || e.removes() {
			fmt.Fprintf(h, "%s\t%s\n", m.Action, m.Name)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// behind begins the warning that the locked Community has something newer.
const behind = "⚠️ **Community is behind**"

// Stands reports whether a pull request's text says of Community what holds now.
func (e *Import) Stands(body string) bool {
	return strings.Contains(body, behind) == (e.Pending.URL != "")
}

// removes reports whether modules that the bundle lacks are to be removed.
func (e *Import) removes() bool {
	return slices.ContainsFunc(e.Accepted, func(a Acceptance) bool { return a.What == Removals })
}

// count counts the modules of an action.
func (e *Import) count(action string) (n int) {
	for _, m := range e.Modules {
		if m.Action == action {
			n++
		}
	}
	return n
}

// List says where the import leads, in Markdown.
func (e *Import) List() []string {
	return []string{Code(e.Bundle) + " of " + plain(e.Date) + ", `" + e.SHA256 + "`"}
}

// title says what the import brings: Odoo Enterprise 2026-11-20: 2 modules added,
// 1 updated.
func (e *Import) title() string {
	var parts []string
	add := func(n int, verb string) {
		switch {
		case n == 0:
		case len(parts) == 0:
			parts = append(parts, count(n, "module")+" "+verb)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, verb))
		}
	}
	add(e.count(ModuleAdded), "added")
	add(e.count(ModuleUpdated), "updated")
	if e.removes() {
		add(e.count(ModuleGone), "removed")
	}
	if len(parts) == 0 {
		parts = []string{"nothing but the bundle's name"}
	}
	return "Odoo Enterprise " + plain(e.Date) + ": " + strings.Join(parts, ", ")
}

// Describe writes the text of the import's pull request. Its commits have messages
// of their own.
func (e *Import) Describe() Text {
	text := Text{Title: cut(e.title(), maxTitle)}
	for rows := 1000; ; rows /= 2 {
		if text.Body = e.body(rows); len(text.Body) <= maxBody || rows == 0 {
			return text
		}
	}
}

// body lists at most so many modules in each table and list.
func (e *Import) body(rows int) string {
	var b strings.Builder
	if len(e.Modules) > 0 {
		b.WriteString("| module | | version | files | |\n|---|---|---|---|---|\n")
		for _, m := range e.Modules[:min(rows, len(e.Modules))] {
			b.WriteString(e.row(m))
		}
		if more := len(e.Modules) - rows; more > 0 {
			fmt.Fprintf(&b, "| … and %s | | | | |\n", count(more, "more module"))
		}
		b.WriteByte('\n')
	}
	b.WriteString(e.source())
	b.WriteString(e.warnings(rows))
	b.WriteString("Each commit is about one module: merge them as they are, by fast-forward, rebasing or a merge commit. Squashed they say less.\n")
	fmt.Fprintf(&b, "\n<sub>Close this pull request and it stays closed until there is another bundle. After the merge the bot proposes the new commit to %s. "+
		"Commands, in a comment: `/refresh enterprise` fetches the newest bundle · `/help`.</sub>\n", Code(e.Repository))
	return b.String()
}

func (e *Import) row(m EnterpriseModule) string {
	version, note := plain(m.New), ""
	switch {
	case m.Action == ModuleGone:
		version = plain(m.Old)
	case m.Action == ModuleUpdated && m.Old != m.New:
		version = orDash(plain(m.Old)) + " → " + orDash(plain(m.New))
	}
	what := map[string]string{ModuleAdded: "added", ModuleUpdated: "updated", ModuleGone: "**not in the bundle**; stays"}[m.Action]
	if m.Action == ModuleGone && e.removes() {
		what = "**removed**"
	}
	if len(m.Migrations) > 0 {
		shown := m.Migrations[:min(maxMigrations, len(m.Migrations))]
		note = "⚠️ migration scripts: " + inline(strings.Join(shown, ", "))
		if more := len(m.Migrations) - len(shown); more > 0 {
			note += fmt.Sprintf(" and %d more", more)
		}
	}
	return fmt.Sprintf("| %s | %s | %s | %d | %s |\n", Code(m.Name), what, orDash(inline(version)), m.Files, note)
}

// maxMigrations is how many versions a row names.
const maxMigrations = 5

// source says which bundle it is, and for which Community.
func (e *Import) source() string {
	text := fmt.Sprintf("The bundle is %s, of %s", Code(e.Bundle), plain(e.Date))
	if e.Series != "" {
		text += ", Odoo " + inline(e.Series)
	}
	return text + fmt.Sprintf(", %s, SHA-256 %s. Enterprise is what Community lacks, of which %s locks %s at %s.\n\n",
		count(int(e.Size), "byte"), Code(e.SHA256), Code(e.Repository), Code(e.Community), Code(short(e.Commit)))
}

func (e *Import) warnings(rows int) string {
	var b strings.Builder
	if e.Pending.URL != "" {
		fmt.Fprintf(&b, behind+": %s of %s is to be merged first. The import is made anew on what it leads to.\n\n", Link("the refresh", e.Pending.URL), Code(e.Repository))
	}
	if e.DaysOff > 0 {
		fmt.Fprintf(&b, "⚠️ **The bundle and Community are %s apart.** Refresh the one that is older before this is merged.\n\n", count(e.DaysOff, "day"))
	}
	if gone := e.count(ModuleGone); gone > 0 && !e.removes() {
		verb, they := "are", "They stay"
		if gone == 1 {
			verb, they = "is", "It stays"
		}
		fmt.Fprintf(&b, "⚠️ **%s of the mirror %s not in the bundle.** %s until somebody who may write says `/accept removals` in a comment here. That holds for this bundle alone.\n\n", count(gone, "module"), verb, they)
	}
	if len(e.Drift) > 0 {
		fmt.Fprintf(&b, "⚠️ **%s of Community's differ in the bundle.** Community's own are what runs.\n\n", count(len(e.Drift), "module"))
		b.WriteString(e.drift(rows))
	}
	for _, a := range e.Accepted {
		fmt.Fprintf(&b, "Accepted by %s: %s of this bundle.\n\n", Link(inline(a.By), a.URL), inline(a.What))
	}
	return b.String()
}

// drift lists modules of Community that differ.
func (e *Import) drift(rows int) string {
	var b strings.Builder
	for _, d := range e.Drift[:min(rows, len(e.Drift))] {
		fmt.Fprintf(&b, "- %s, %s: %s\n", Code(d.Module), count(d.Files, "file"), d.why())
	}
	if more := len(e.Drift) - rows; more > 0 {
		fmt.Fprintf(&b, "- … and %s\n", count(more, "more module"))
	}
	return b.String() + "\n"
}

// why says what is known of a drift.
func (d EnterpriseDrift) why() string {
	switch d.Diagnosis {
	case "source_bundle_lag_confirmed":
		return "as it was before Community's commit `" + short(d.Commit) + "`"
	case "unexplained_drift":
		return "Community's history has no such copy"
	}
	return "there is not enough history to say why"
}

// maxIssueTitle is how long the title of an issue may be, in characters.
const maxIssueTitle = 200

// Stopped writes an issue about a bundle that is not imported.
func (e *Import) Stopped() (title, body string) {
	title = "Odoo Enterprise " + plain(e.Date) + " is not imported: " + e.Reason
	if e.Date == "" {
		title = "Odoo Enterprise is not imported: " + e.Reason
	}
	for rows := 1000; ; rows /= 2 {
		if body = e.stopped(rows); len(body) <= maxBody || rows == 0 {
			return cut(plain(title), maxIssueTitle), body
		}
	}
}

func (e *Import) stopped(rows int) string {
	var b strings.Builder
	switch e.Kind {
	case Drift:
		b.WriteString("These modules of Community's have another content in the bundle:\n\n" + e.drift(rows))
		b.WriteString("Often Community is to be refreshed first, or a newer bundle has them. Where it is well as it is, somebody who may write says `/accept drift` in a comment here. That holds for this bundle alone. Community's own modules are what runs in any case.\n\n")
	default:
		fmt.Fprintf(&b, "%s\n\n", Inline(e.Reason))
		if lines := strings.Split(e.Detail, "\n"); e.Detail != "" {
			for _, line := range lines[:min(rows, len(lines))] {
				fmt.Fprintf(&b, "> %s\n>\n", Inline(strings.TrimSpace(line)))
			}
			b.WriteByte('\n')
		}
		for _, name := range e.Missing[:min(rows, len(e.Missing))] {
			fmt.Fprintf(&b, "- %s is missing\n", Code(name))
		}
		b.WriteByte('\n')
	}
	if e.SHA256 != "" {
		b.WriteString(e.source())
	}
	b.WriteString("The branch of the import is as it was. This issue is closed when a bundle is imported.\n")
	return b.String()
}
