package source

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// ConflictError says that a merge does not apply.
type ConflictError struct {
	Destination string
	Merge       string // "oca refs/pull/3091/head at 8828f88"
	Against     string // the earlier merge that it conflicts with, or what is known of it
	Files       []ConflictFile
	Commands    []string // that show the conflict in a new directory

	number int // of the merge in its destination, from 0
}

// ConflictFile is a file that both sides changed.
type ConflictFile struct {
	Path  string
	Addon string // "" when it is in none
	Text  string // what git says
}

func (e *ConflictError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s conflicts with %s", e.Destination, e.Merge, e.Against)
	for _, f := range e.Files {
		fmt.Fprintf(&text, "\n  %s", printable(f.Path))
		if f.Addon != "" {
			fmt.Fprintf(&text, " (addon %s)", printable(f.Addon))
		}
		if kind, _, ok := strings.Cut(f.Text, ":"); ok {
			fmt.Fprintf(&text, ": %s", printable(kind))
		}
	}
	text.WriteString("\n  to see it yourself:")
	for _, c := range e.Commands {
		fmt.Fprintf(&text, "\n    %s", c)
	}
	return text.String()
}

// printable quotes text of strangers that a terminal could take for more.
func printable(text string) string {
	quoted := fmt.Sprintf("%+q", text)
	if quoted == `"`+text+`"` {
		return text
	}
	return quoted
}

// conflict describes the conflicts of merging number i.
func (b *builder) conflict(ctx context.Context, d *lock.Destination, i int, ours, theirs string, conflicts []git.Conflict) error {
	addons := map[string]bool{}
	for _, tree := range []string{ours, theirs} {
		entries, err := b.Store.List(ctx, tree)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if base := path.Base(e.Path); base == "__manifest__.py" || base == "__openerp__.py" {
				addons[path.Dir(e.Path)] = true
			}
		}
	}
	e := &ConflictError{Destination: d.Path, Merge: name(&d.Merges[i]), Commands: commands(d, i), number: i}
	for _, c := range conflicts {
		if !slices.ContainsFunc(e.Files, func(f ConflictFile) bool { return f.Path == c.Path }) {
			e.Files = append(e.Files, ConflictFile{Path: c.Path, Addon: addonOf(c.Path, addons), Text: c.Text})
		}
	}
	var before []string
	for j := range d.Merges[:i] {
		before = append(before, name(&d.Merges[j]))
	}
	e.Against = strings.Join(before, ", ")
	return e
}

// addonOf is the name of the addon that a file is in.
func addonOf(file string, addons map[string]bool) string {
	for dir := path.Dir(file); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if addons[dir] {
			return path.Base(dir)
		}
	}
	return ""
}

// commands show the conflict of merge number i in a new directory.
func commands(d *lock.Destination, i int) []string {
	quote := func(word string) string {
		if strings.ContainsAny(word, " '\"$&;|<>()*?[]#~\\`!") {
			return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		return word
	}
	out := []string{"git init conflict && cd conflict"}
	for j := range d.Merges[:i+1] {
		m := &d.Merges[j]
		then := "git merge --no-edit FETCH_HEAD"
		if j == 0 {
			then = "git reset --hard FETCH_HEAD"
		}
		out = append(out, fmt.Sprintf("git fetch %s %s && %s", quote(d.Remote(m.Remote).URL), m.Commit, then))
	}
	return out
}

// blame finds, of several earlier merges, the one that a merge conflicts with
// also by itself. It is for the message alone: when anything fails, all of them are named.
func (b *builder) blame(ctx context.Context, d *lock.Destination, graph *git.Graph, tips []git.Tip, e *ConflictError) {
	i := e.number
	if i < 2 {
		return
	}
	for j := range tips[:i] {
		r, err := graph.Relate(ctx, tips[j].Commit, tips[i].Commit)
		if err != nil || len(r.Bases) != 1 || r.FastForward || r.UpToDate {
			continue
		}
		pair := []git.Tip{tips[j], tips[i]}
		if b.fetchWithBases(ctx, d, &aggregate{}, pair, []git.Relation{{}, r}) != nil {
			continue
		}
		result, err := b.Store.MergeTrees(ctx, git.Three{Base: r.Bases[0], Ours: tips[j].Commit, Theirs: tips[i].Commit}, nil)
		if err == nil && slices.ContainsFunc(result.Conflicts, func(c git.Conflict) bool { return c.Path == e.Files[0].Path }) {
			e.Against = name(&d.Merges[j])
			return
		}
	}
}

// locate puts the place in the lock in front of an error that says none.
func (b *builder) locate(file *lock.File, d *lock.Destination, err error) error {
	where := file.Path
	if d.Line > 0 {
		where = fmt.Sprintf("%s:%d", file.Path, d.Line)
	}
	if conflict, ok := err.(*ConflictError); ok { //nolint:errorlint // it names its destination itself
		return fmt.Errorf("%s: %w", where, conflict)
	}
	return fmt.Errorf("%s: %s: %w", where, d.Path, err)
}

// fault is an error in the lock, which no second try mends.
func fault(file *lock.File, d *lock.Destination, hint, format string, args ...any) error {
	return &yamldoc.Error{Path: file.Path, Line: d.Line, Msg: d.Path + ": " + fmt.Sprintf(format, args...), Hint: hint}
}
