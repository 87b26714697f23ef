package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// Conflicts reports whether git, merging the changes that ours and theirs
// made to base, would leave a conflict in the file.
func (c *Client) Conflicts(ctx context.Context, base, ours, theirs []byte) (bool, error) {
	dir, err := os.MkdirTemp("", "odyssey-merge-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	for name, data := range map[string][]byte{"base": base, "ours": ours, "theirs": theirs} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return false, err
		}
	}
	cmd := c.git(ctx, target{}, "merge-file", "--stdout", "ours", "base", "theirs")
	cmd.Dir = dir
	_, err = cmd.output()
	// The exit code is the number of conflicts, up to 127; faults are above.
	if failed := (*Error)(nil); errors.As(err, &failed) && failed.ExitCode > 0 && failed.ExitCode <= 127 {
		return true, nil
	}
	return false, err
}
