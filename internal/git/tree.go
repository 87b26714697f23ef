package git

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
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
	Mode string // one of the above, or what old tools wrote, such as 100664
	ID   string
	Path string // from the tree's root, slashes between names; any bytes but NUL
}

// List returns the entries of a tree and of the trees below it, in git's order.
func (s *Store) List(ctx context.Context, tree string) ([]Entry, error) {
	var out bytes.Buffer
	cmd := s.command(ctx, target{}, "ls-tree", "-r", "-z", "--full-tree", tree)
	cmd.Stdout = &out
	if err := cmd.run(); err != nil {
		return nil, fmt.Errorf("list tree %s: %w", tree, err)
	}
	text := out.String()
	entries := make([]Entry, 0, strings.Count(text, "\x00"))
	for text != "" {
		var record string
		record, text, _ = strings.Cut(text, "\x00")
		head, path, ok := strings.Cut(record, "\t")
		words := strings.Fields(head)
		if !ok || len(words) != 3 {
			return nil, fmt.Errorf("list tree %s: git says %q", tree, record)
		}
		entries = append(entries, Entry{Mode: words[0], ID: words[2], Path: path})
	}
	return entries, nil
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

// commit makes a commit of a tree, the same one each time.
func (b *bare) commit(ctx context.Context, tree string, parents ...string) (string, error) {
	args := []string{"commit-tree", "-m", "merge", tree + "^{tree}"}
	for _, p := range parents {
		args = append(args, "-p", p)
	}
	cmd := b.command(ctx, target{}, args...)
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		cmd.Env = append(cmd.Env, "GIT_"+who+"_NAME=odyssey", "GIT_"+who+"_EMAIL=odyssey@localhost", "GIT_"+who+"_DATE=@1 +0000")
	}
	out, err := cmd.output()
	return strings.TrimSpace(string(out)), err
}

var conflictLine = regexp.MustCompile(`^CONFLICT \(`)

// merge runs git merge-tree in a repository. The commits it is given bring their own
// merge bases.
func (s *Store) merge(ctx context.Context, b *bare, t target, ours, theirs string, attributes map[string][]byte) (MergeResult, error) {
	cmd := b.command(ctx, t, "merge-tree", "--write-tree", "-z", "--messages", ours, theirs)
	if len(attributes) > 0 {
		dir, err := s.attributed(attributes)
		if err != nil {
			return MergeResult{}, err
		}
		cmd.Env = append(cmd.Env, "GIT_WORK_TREE="+dir)
		cmd.Dir = dir
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.run()
	if failed, ok := err.(*Error); err != nil && (!ok || failed.ExitCode != 1) { //nolint:errorlint // run returns it bare
		return MergeResult{}, fmt.Errorf("merge: %w", err)
	}
	result := parseMerge(out.String())
	if err == nil {
		result.Conflicts = nil // messages of what went well
	} else if len(result.Conflicts) == 0 {
		result.Conflicts = []Conflict{{Text: "git merge-tree reports a conflict and names no file"}}
	}
	return result, nil
}

// parseMerge reads what merge-tree -z prints: the tree; one record for each
// stage of a file in conflict, an empty one; then messages, each the number of
// its paths, these, its kind and its text.
func parseMerge(out string) MergeResult {
	records := strings.Split(out, "\x00")
	result := MergeResult{Tree: records[0]}
	at := 1
	for at < len(records) && records[at] != "" {
		at++
	}
	for at++; at < len(records); {
		var n int
		if _, err := fmt.Sscanf(records[at], "%d", &n); err != nil || n < 0 || at+n+2 >= len(records) {
			break
		}
		paths, text := records[at+1:at+1+n], strings.TrimSpace(records[at+n+2])
		if conflictLine.MatchString(text) {
			c := Conflict{Text: text}
			if n > 0 {
				c.Path = paths[0]
			}
			result.Conflicts = append(result.Conflicts, c)
		}
		at += n + 3
	}
	return result
}
