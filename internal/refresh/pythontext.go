package refresh

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/python/requirements"
)

// pythonText is what there is to tell of a new Python lock.
type pythonText struct {
	source     *PythonLock
	repo       string
	commands   bool
	python     string // version
	target     string
	difference *difference
	after      *requirements.Lock
	heldBack   []Restraint

	asked        bool // the advisories are known
	fixed, still map[Package][]string
}

// describe writes the text.
func (t *pythonText) describe(ctx context.Context) (Text, error) {
	if t.source.Advisories != nil {
		if err := t.advise(ctx); err != nil {
			if ctx.Err() != nil {
				return Text{}, ctx.Err()
			}
			if t.source.Warn != nil {
				t.source.Warn(t.repo, err)
			}
		}
	}
	title := t.title()
	text := Text{Title: title, Message: t.message(title)}
	for rows := 400; ; rows /= 2 {
		if text.Body = t.body(rows); len(text.Body) <= maxBody || rows == 0 {
			return text, nil
		}
	}
}

// advise asks which vulnerabilities the packages have that go, come or stay.
func (t *pythonText) advise(ctx context.Context) error {
	now := packagesOf(t.after)
	all := slices.Clone(now)
	for _, c := range t.difference.changes {
		if c.Old != "" {
			all = append(all, Package{c.Type, c.Name, c.Old})
		}
	}
	known, err := t.source.Advisories.Known(ctx, all)
	if err != nil {
		return err
	}
	t.asked, t.fixed, t.still = true, map[Package][]string{}, map[Package][]string{}
	for _, p := range now {
		if ids := known[p]; len(ids) > 0 {
			t.still[p] = ids
		}
	}
	for _, c := range t.difference.changes {
		old, next := Package{c.Type, c.Name, c.Old}, Package{c.Type, c.Name, c.New}
		gone := slices.DeleteFunc(slices.Clone(known[old]), func(id string) bool { return slices.Contains(known[next], id) })
		if len(gone) > 0 {
			t.fixed[old] = gone
		}
	}
	return nil
}

func (t *pythonText) title() string {
	changes := t.difference.changes
	if len(changes) == 0 {
		return "Refresh the Python lock"
	}
	if c := changes[0]; len(changes) == 1 && c.Old != "" && c.New != "" {
		return cut(fmt.Sprintf("Refresh the Python lock: %s %s → %s", plain(c.Name), plain(c.Old), plain(c.New)), maxTitle)
	}
	return "Refresh the Python lock: " + count(len(changes), "package")
}

// mostNamed is how many packages a commit message names.
const mostNamed = 500

func (t *pythonText) message(title string) string {
	var b strings.Builder
	b.WriteString(title + "\n\n")
	for _, c := range t.difference.changes[:min(mostNamed, len(t.difference.changes))] {
		switch {
		case c.Old == "":
			fmt.Fprintf(&b, "%s %s is new\n", plain(c.Name), plain(c.New))
		case c.New == "":
			fmt.Fprintf(&b, "%s %s is gone\n", plain(c.Name), plain(c.Old))
		default:
			fmt.Fprintf(&b, "%s %s -> %s\n", plain(c.Name), plain(c.Old), plain(c.New))
		}
	}
	if more := len(t.difference.changes) - mostNamed; more > 0 {
		b.WriteString("and " + count(more, "more package") + "\n")
	}
	if len(t.difference.changes) > 0 {
		b.WriteByte('\n')
	}
	return b.String() + Trailer + t.target + "\n"
}

// body lists at most so many rows of each table.
func (t *pythonText) body(rows int) string {
	var b strings.Builder
	changes := t.difference.changes
	if len(changes) > 0 {
		b.WriteString("| package | from | to | |\n|---|---|---|---|\n")
		for _, c := range changes[:min(rows, len(changes))] {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", inline(c.Name), release(c.Name, c.Old), release(c.Name, c.New), t.remark(c))
		}
		if more := len(changes) - rows; more > 0 {
			fmt.Fprintf(&b, "| … and %s | | | |\n", count(more, "more package"))
		}
		b.WriteByte('\n')
	} else {
		b.WriteString("No version changes, only hashes, or what a package is there for.\n\n")
	}
	fmt.Fprintf(&b, "Resolved for Python %s; %s in the lock. Nothing but `%s` changes.\n\n", inline(t.python), count(t.difference.now, "package"), RequirementsLock)
	t.vulnerable(&b, rows)
	t.restrained(&b, rows)
	text := "Close this pull request and it stays closed until there are newer packages. `python` in `" + ConfigFile + "` says when it is looked for."
	if t.commands {
		text += " Commands, in a comment: `/refresh` · `/rebase` · `/help`."
	}
	return b.String() + "<sub>" + text + "</sub>\n"
}

var (
	indexProject = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	indexVersion = regexp.MustCompile(`^[A-Za-z0-9.+!]{1,40}$`)
)

// release is a version as a link to its page on the Python Package Index.
func release(name, version string) string {
	if version == "" {
		return "–"
	}
	if !indexProject.MatchString(name) || !indexVersion.MatchString(version) {
		return inline(version)
	}
	return "[" + inline(version) + "](https://pypi.org/project/" + name + "/" + version + "/)"
}

// remark says what is to be known of a change at a glance.
func (t *pythonText) remark(c PackageChange) string {
	var all []string
	switch {
	case c.Old == "":
		all = append(all, "new")
	case c.New == "":
		all = append(all, "gone")
	case major(c.Old) != major(c.New):
		all = append(all, "another major version")
	}
	if n := len(t.fixed[Package{c.Type, c.Name, c.Old}]); n > 0 {
		all = append(all, "fixes "+vulnerabilities(n))
	}
	return strings.Join(all, ", ")
}

func major(version string) string {
	first, _, _ := strings.Cut(version, ".")
	return first
}

func vulnerabilities(n int) string {
	if n == 1 {
		return "1 known vulnerability"
	}
	return fmt.Sprintf("%d known vulnerabilities", n)
}

// vulnerable lists what is fixed and what stays.
func (t *pythonText) vulnerable(b *strings.Builder, rows int) {
	if !t.asked {
		return
	}
	list := func(all map[Package][]string) (n int, lines []string) {
		for p, ids := range all {
			n += len(ids)
			var links []string
			for _, id := range ids[:min(len(ids), 10)] {
				links = append(links, "[`"+id+"`](https://osv.dev/vulnerability/"+id+")")
			}
			if more := len(ids) - len(links); more > 0 {
				links = append(links, fmt.Sprintf("… and %d more", more))
			}
			lines = append(lines, "- "+inline(p.Name)+" "+inline(p.Version)+": "+strings.Join(links, ", ")+"\n")
		}
		slices.Sort(lines)
		if more := len(lines) - rows; more > 0 {
			lines = append(lines[:rows], "- … and "+count(more, "more package")+"\n")
		}
		return n, lines
	}
	if n, lines := list(t.fixed); n > 0 {
		b.WriteString("**Fixes " + vulnerabilities(n) + ":**\n\n" + strings.Join(lines, "") + "\n")
	}
	if n, lines := list(t.still); n > 0 {
		b.WriteString("⚠️ **" + strings.ToUpper(vulnerabilities(n)[:1]) + vulnerabilities(n)[1:] + " in what is locked then:**\n\n" + strings.Join(lines, "") + "\n")
	}
	if len(t.fixed) == 0 && len(t.still) == 0 {
		b.WriteString("No vulnerability is known of what is locked then.\n\n")
	}
}

// restrained lists what keeps packages from newer versions.
func (t *pythonText) restrained(b *strings.Builder, rows int) {
	if len(t.heldBack) == 0 {
		return
	}
	fmt.Fprintf(b, "<details><summary>%s held back</summary>\n\n| package | locked | without | by |\n|---|---|---|---|\n", count(len(t.heldBack), "package"))
	for _, r := range t.heldBack[:min(rows, len(t.heldBack))] {
		by := "the bounds of another one"
		if r.Line > 0 {
			by = Code(fmt.Sprintf("%s:%d", r.File, r.Line))
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", inline(r.Package), inline(r.Version), release(r.Package, r.Free), by)
	}
	if more := len(t.heldBack) - rows; more > 0 {
		fmt.Fprintf(b, "| … and %s | | | |\n", count(more, "more package"))
	}
	b.WriteString("\n</details>\n\n")
}
