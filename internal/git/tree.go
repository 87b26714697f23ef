package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Modes of tree entries.
const (
	ModeFile       = "100644"
	ModeExecutable = "100755"
	ModeSymlink    = "120000"
	ModeGitlink    = "160000" // a submodule
)

// Entry is a file of a tree, or what else is not a tree.
type Entry struct {
	Mode string // one of the above: git reads others as one of them
	ID   string
	Path string // from the tree's root, slashes between names; any bytes but NUL
}

const (
	maxEntries = 1_000_000 // of a tree; Odoo has 82,000
	maxListing = 256 << 20 // bytes that git prints of them
)

// errTooLarge: a tree that no project has. Trees that hold the same tree many
// times over can be small, and list as billions of files.
var errTooLarge = fmt.Errorf("the tree has more than %d files", maxEntries)

// List returns the entries of a tree and of the trees below it, in git's order.
func (s *Store) List(ctx context.Context, tree string) ([]Entry, error) {
	if entries, ok := s.kept.list(tree); ok {
		return entries, nil
	}
	var entries []Entry
	err := s.list(ctx, tree, func(record string) error {
		e, err := parseEntry(record)
		entries = append(entries, e)
		return err
	})
	return entries, err
}

// list calls yield for each entry of a tree, as git prints it.
func (s *Store) list(ctx context.Context, tree string, yield func(record string) error) error {
	if err := checkIDs(tree); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var broken error
	count, size := 0, 0
	cmd := s.command(ctx, target{}, "ls-tree", "-r", "-z", "--full-tree", tree)
	cmd.Stdout = &splitter{end: 0, most: maxListing, yield: func(record string) {
		count, size = count+1, size+len(record)
		if broken == nil && (count > maxEntries || size > maxListing) {
			broken = errTooLarge
		}
		if broken == nil {
			broken = yield(record)
		}
		if broken != nil {
			cancel()
		}
	}}
	err := cmd.run()
	if broken != nil {
		err = broken
	}
	if err != nil {
		return fmt.Errorf("list tree %s: %w", tree, err)
	}
	return nil
}

// parseEntry reads a record of ls-tree: mode, type and id, a tab, the path.
func parseEntry(record string) (Entry, error) {
	head, path, ok := strings.Cut(record, "\t")
	words := strings.Split(head, " ")
	if !ok || len(words) != 3 || len(words[0]) != 6 || !gitname.IsObjectID(words[2]) {
		return Entry{}, fmt.Errorf("git says %.200q", record)
	}
	return Entry{Mode: words[0], ID: words[2], Path: path}, nil
}

// Three are the trees of a merge, or commits that have them.
type Three struct{ Base, Ours, Theirs string }

// MergeResult is what a merge gives: a tree, or conflicts.
type MergeResult struct {
	Tree      string
	Conflicts []Conflict
}

// Conflict is one that git could not resolve by itself.
type Conflict struct {
	Path string
	Text string // what git says of it
}

// emptyTree is the id of the tree without entries.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// MergeTrees merges what ours and theirs changed in base, as git merge does
// where base is the one merge base. attributes are the .gitattributes files of
// ours by their paths: built-in merge drivers are chosen there.
func (s *Store) MergeTrees(ctx context.Context, three Three, attributes map[string][]byte) (MergeResult, error) {
	for _, tree := range []string{three.Base, three.Ours, three.Theirs} {
		if err := s.list(ctx, tree, func(string) error { return nil }); err != nil {
			return MergeResult{}, err
		}
	}
	base, err := s.commit(ctx, three.Base)
	if err != nil {
		return MergeResult{}, err
	}
	ours, err := s.commit(ctx, three.Ours, base)
	if err != nil {
		return MergeResult{}, err
	}
	theirs, err := s.commit(ctx, three.Theirs, base)
	if err != nil {
		return MergeResult{}, err
	}
	return s.merge(ctx, s.bare, target{}, ours, theirs, attributes)
}

// commit makes a commit of a tree, the same one each time. It is younger than
// what it has for parents, as a merge made now would be: where several merge bases
// have the same date, git's order of them depends on it.
func (b *bare) commit(ctx context.Context, tree string, parents ...string) (string, error) {
	args, date := []string{"commit-tree", "-m", "merge", tree + "^{tree}"}, "1"
	for _, p := range parents {
		args, date = append(args, "-p", p), future
	}
	cmd := b.command(ctx, target{}, args...)
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		cmd.Env = append(cmd.Env, "GIT_"+who+"_NAME=odyssey", "GIT_"+who+"_EMAIL=odyssey@localhost", "GIT_"+who+"_DATE=@"+date+" +0000")
	}
	out, err := cmd.output()
	return strings.TrimSpace(string(out)), err
}

// future is the year 2100, in Unix seconds.
const future = "4102444800"

// merge runs git merge-tree in a repository. The commits it is given bring their own
// merge bases.
func (s *Store) merge(ctx context.Context, b *bare, t target, ours, theirs string, attributes map[string][]byte) (MergeResult, error) {
	ctx, cancel := context.WithTimeout(ctx, s.c.fetching)
	defer cancel()
	cmd := b.command(ctx, t, "merge-tree", "--write-tree", "-z", "--messages", ours, theirs)
	if len(attributes) > 0 {
		dir, err := s.attributed(attributes)
		if err != nil {
			return MergeResult{}, err
		}
		defer os.RemoveAll(dir)
		cmd.Env = append(cmd.Env, "GIT_WORK_TREE="+dir)
		cmd.Dir = dir
	}
	out := &bounded{}
	cmd.Stdout = out
	err := cmd.run()
	failed := (*Error)(nil)
	conflict := errors.As(err, &failed) && failed.ExitCode == 1
	switch {
	case out.full:
		return MergeResult{}, fmt.Errorf("merge: %w", errTooMuch)
	case err != nil && !conflict:
		return MergeResult{}, fmt.Errorf("merge: %w", err)
	}
	result, err := parseMerge(string(out.data), map[string]string{ours: "ours", theirs: "theirs"})
	switch {
	case err != nil:
		return MergeResult{}, fmt.Errorf("merge: %w", err)
	case !conflict:
		result.Conflicts = nil // messages of what went well
	case len(result.Conflicts) == 0:
		return MergeResult{}, fmt.Errorf("merge: git reports a conflict and names no file: %s", failed.Stderr)
	}
	return result, nil
}

// parseMerge reads what merge-tree -z prints: the tree; one record for each
// stage of a file in conflict, an empty one; then messages, each the number of
// its paths, these, its kind and its text. labels are what the two sides are to be called
// in texts, by their ids, which git also makes up paths of: "FILE~ID".
func parseMerge(out string, labels map[string]string) (MergeResult, error) {
	records := strings.Split(out, "\x00")
	result := MergeResult{Tree: records[0]}
	if !gitname.IsObjectID(result.Tree) {
		return result, fmt.Errorf("git says %.200q", records[0])
	}
	at := 1
	for at < len(records) && records[at] != "" {
		at++
	}
	for at++; at < len(records)-1; {
		n, err := strconv.Atoi(records[at])
		if err != nil || n < 0 || n > len(records)-at-3 {
			return result, fmt.Errorf("git says %.200q", records[at])
		}
		paths, kind, text := records[at+1:at+1+n], records[at+n+1], strings.TrimSpace(records[at+n+2])
		if strings.HasPrefix(kind, "CONFLICT") {
			result.add(paths, text, labels)
		}
		at += n + 3
	}
	result.dropRemarks()
	return result, nil
}

// add adds a conflict for each of the paths.
func (r *MergeResult) add(paths []string, text string, labels map[string]string) {
	var seen []string
	for id, label := range labels {
		text = strings.ReplaceAll(text, id, label)
	}
	for _, path := range paths {
		for id := range labels {
			path, _, _ = strings.Cut(path, "~"+id)
		}
		if !slices.Contains(seen, path) {
			seen = append(seen, path)
			r.Conflicts = append(r.Conflicts, Conflict{Path: path, Text: text})
		}
	}
}

// dropRemarks takes away what only says more of a conflict that is there, too.
func (r *MergeResult) dropRemarks() {
	const prefix = "CONFLICT ("
	named := map[string]bool{}
	for _, c := range r.Conflicts {
		named[c.Path] = named[c.Path] || strings.HasPrefix(c.Text, prefix)
	}
	r.Conflicts = slices.DeleteFunc(r.Conflicts, func(c Conflict) bool { return named[c.Path] && !strings.HasPrefix(c.Text, prefix) })
}
