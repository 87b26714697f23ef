package git

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Worktree makes a directory that holds the files of a tree a git work tree with
// one commit, for commands that want one. The function that it returns takes the
// repository away again.
func (s *Store) Worktree(ctx context.Context, tree, dir string, remotes map[string]string) (remove func() error, err error) {
	if err := checkIDs(tree); err != nil {
		return nil, err
	}
	gitDir := filepath.Join(dir, ".git")
	b, err := s.c.bare(gitDir)
	if err != nil {
		return nil, err
	}
	commit, err := s.commit(ctx, tree)
	if err != nil {
		return nil, err
	}
	var config strings.Builder
	config.WriteString("[core]\n\trepositoryformatversion = 0\n\tbare = false\n\thooksPath = /dev/null\n[user]\n\tname = odyssey\n\temail = odyssey@localhost\n")
	for name, url := range remotes {
		fmt.Fprintf(&config, "[remote %q]\n\turl = %q\n\tfetch = +refs/heads/*:refs/remotes/%s/*\n", name, url, name)
	}
	for name, text := range map[string]string{
		"config":                  config.String(),
		"HEAD":                    commit + "\n",
		"objects/info/alternates": filepath.Join(s.dir, "objects") + "\n",
		"shallow":                 commit + "\n",
	} {
		if err := os.WriteFile(filepath.Join(gitDir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	// The second run notes how the files look that are there: some commands
	// take them for changed otherwise.
	for _, args := range [][]string{{"read-tree", tree}, {"update-index", "-q", "--refresh"}} {
		cmd := b.command(ctx, target{}, args...)
		cmd.Env, cmd.Dir = append(cmd.Env, "GIT_WORK_TREE="+dir), dir
		if err := cmd.run(); err != nil {
			return nil, err
		}
	}
	return func() error { return os.RemoveAll(gitDir) }, nil
}
