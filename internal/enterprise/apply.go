package enterprise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
)

// commits are what an import makes, in their order.
func (i *run) commits(ctx context.Context) ([]commit, error) {
	var all []commit
	add := func(tag, verb string, m *Module) {
		title := fmt.Sprintf("[%s] %s: %s from Odoo Enterprise %s\n", tag, m.Name, verb, day(i.bundle.Date))
		all = append(all, commit{module: m.Name, files: m.files, message: title + i.trailers(m.Version)})
	}
	plan := i.report.ImportPlan.Actions
	for _, name := range plan.Add {
		add("ADD", "import", i.enterprise[name])
	}
	for _, name := range plan.Update {
		add("IMP", "update", i.enterprise[name])
	}
	if i.o.Removals {
		for _, name := range plan.Remove {
			add("REM", "remove", &Module{Name: name})
		}
	}
	if i.bundle.SHA256 == "" {
		return all, nil
	}
	readme, err := i.mirror.readme(ctx, i.bundle)
	if readme != nil {
		all = append(all, commit{readme: readme, message: "[DOC] README: update source bundle identity\n" + i.trailers("")})
	}
	return all, err
}

// BundleTrailer is the name of the trailer with a bundle's SHA-256.
const BundleTrailer = "Source-Bundle-SHA256"

// trailers say where a commit is from.
func (i *run) trailers(version string) string {
	var b strings.Builder
	b.WriteByte('\n')
	for _, t := range [][2]string{{BundleTrailer, i.bundle.SHA256}, {"Odoo-Version", i.bundle.Series}, {"Module-Version", version}} {
		if t[1] != "" {
			fmt.Fprintf(&b, "%s: %s\n", t[0], t[1])
		}
	}
	if b.Len() == 1 {
		return ""
	}
	return b.String()
}

// apply makes the commits: all of them or none.
func (i *run) apply(ctx context.Context, f *fastImport) error {
	all, err := i.commits(ctx)
	if err != nil {
		return err
	}
	m := i.mirror
	i.report.ApplyResult = &ApplyResult{Branch: strings.TrimPrefix(m.branch, "refs/heads/"), Before: m.head, After: m.head, Commits: []CommitResult{}}
	if len(all) == 0 {
		return nil
	}
	for _, c := range all {
		if err := f.write(c, i.bundle.Date); err != nil {
			return err
		}
	}
	ids, err := f.finish()
	if err != nil {
		return err
	}
	after := ids[len(ids)-1]
	if err := i.verify(ctx, f, after, all); err != nil {
		return err
	}
	if err := f.publish(ctx); err != nil {
		return err
	}
	if err := m.move(ctx, after); err != nil {
		return err
	}
	i.report.ApplyResult.After = after
	for n, c := range all {
		title, _, _ := strings.Cut(c.message, "\n")
		i.report.ApplyResult.Commits = append(i.report.ApplyResult.Commits, CommitResult{Commit: ids[n], Title: title, Module: c.module})
	}
	return nil
}

// verify compares the tree that was made with what should be in it, file for
// file.
func (i *run) verify(ctx context.Context, f *fastImport, after string, all []commit) error {
	changed, want := map[string]bool{}, map[string]file{}
	for _, c := range all {
		changed[c.module] = true
		for _, file := range c.files {
			file.path = c.module + "/" + file.path
			want[file.path] = file
		}
		if c.module == "" {
			hash := newBlobHash(int64(len(c.readme)))
			_, _ = hash.Write(c.readme)
			readme := file{path: readmeName, mode: git.ModeFile}
			hash.Sum(readme.id[:0])
			want[readmeName] = readme
		}
	}
	for _, file := range i.mirror.files.files {
		top, _, nested := strings.Cut(file.path, "/")
		if nested && changed[top] || file.path == readmeName && changed[""] {
			continue
		}
		want[file.path] = file
	}
	got, err := gitIndex(ctx, i.mirror.repo, after, f.dir, nil)
	if err != nil {
		return err
	}
	for _, file := range got.files {
		if want[file.path] != file {
			return fmt.Errorf("the commits that git made do not hold what the bundle has: %q differs\n  nothing was changed; tell the developers", file.path)
		}
		delete(want, file.path)
	}
	if len(want) > 0 {
		return fmt.Errorf("the commits that git made lack %s of the bundle, such as %q\n  nothing was changed; tell the developers", count(len(want), "file"), slices.Sorted(maps.Keys(want))[0])
	}
	return nil
}

// move brings the branch to a commit, and then the work tree. A work tree that
// cannot follow leaves both as they were.
func (m *mirror) move(ctx context.Context, after string) error {
	if m.bare {
		return m.repo.Run(ctx, git.Command{Args: []string{"update-ref", m.branch, after}, Stdout: io.Discard})
	}
	before, old := m.head, m.head
	if before == "" {
		before, old = strings.Repeat("0", 40), emptyTree
	}
	if err := m.repo.Run(ctx, git.Command{Args: []string{"update-ref", "-m", "import of Odoo Enterprise", m.branch, after, before}, Stdout: io.Discard}); err != nil {
		return fmt.Errorf("the mirror's branch has moved during the import, or cannot be written: %w", err)
	}
	// From here on it is done, or undone.
	ctx = context.WithoutCancel(ctx)
	err := m.repo.Run(ctx, git.Command{Args: []string{"read-tree", "-m", "-u", old, after}, Stdout: io.Discard, Config: map[string]string{"checkout.workers": "0"}})
	if err == nil {
		return nil
	}
	back := []string{"update-ref", "-m", "import of Odoo Enterprise undone", m.branch, before, after}
	if m.head == "" {
		back = []string{"update-ref", "-d", m.branch, after}
	}
	undo := m.repo.Run(ctx, git.Command{Args: back, Stdout: io.Discard})
	reset := m.repo.Run(ctx, git.Command{Args: []string{"read-tree", "--reset", "-u", old}, Stdout: io.Discard})
	return errors.Join(fmt.Errorf("the mirror's work tree cannot be updated, so that nothing was imported: %w", err), undo, reset)
}
