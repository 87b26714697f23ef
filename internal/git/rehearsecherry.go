package git

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of what is compared commit by commit.
const (
	maxPicked = 50   // commits that may have been applied elsewhere
	maxAmong  = 5000 // commits among which they are looked for
)

// Cherry counts the commits that only theirs has, merges left out, and how many of
// these ours has too, as other commits that change the same. applied is 0 where
// there are too many to compare.
func (r *Rehearsal) Cherry(ctx context.Context, ours, theirs Tip) (own, applied int, err error) {
	relation, err := r.Relate(ctx, ours.Commit, theirs.Commit)
	if err != nil || len(relation.Bases) != 1 {
		return 0, 0, err
	}
	if own, err = r.count(ctx, "--no-merges", relation.Bases[0]+".."+theirs.Commit); err != nil || own == 0 || own > maxPicked {
		return own, 0, err
	}
	among, err := r.count(ctx, relation.Bases[0]+".."+ours.Commit)
	if err != nil || among > maxAmong {
		return own, 0, err
	}
	applied, err = r.trees.cherry(ctx, ours, theirs)
	return own, applied, err
}

func (r *Rehearsal) count(ctx context.Context, args ...string) (int, error) {
	out, err := r.graph.line(ctx, append([]string{"rev-list", "--count"}, args...)...)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(out)
}

// cherry has git compare the patches. It looks into files only where two commits
// change the same paths.
func (w *treeRepo) cherry(ctx context.Context, ours, theirs Tip) (applied int, err error) {
	err = w.asking(ctx, urlsOf([]Tip{ours, theirs}), func(ctx context.Context, t target) error {
		applied = 0
		cmd := w.q.command(ctx, t, "rev-list", "--cherry-mark", "--right-only", "--no-merges", ours.Commit+"..."+theirs.Commit)
		cmd.Stdout = &splitter{end: '\n', most: 200, yield: func(line string) {
			if strings.HasPrefix(line, "=") {
				applied++
			}
		}}
		return cmd.run()
	})
	if err != nil {
		err = fmt.Errorf("compare the commits of %s: %w", theirs.Commit, err)
	}
	return applied, err
}
