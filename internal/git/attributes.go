package git

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
)

// maxAttributes is how much of all .gitattributes files of a tree is read, in
// bytes.
const maxAttributes = 16 << 20

// Attributes reads the .gitattributes files among the entries of a tree.
func (s *Store) Attributes(ctx context.Context, entries []Entry) (map[string][]byte, error) {
	var paths, ids []string
	for _, e := range entries {
		if path.Base(e.Path) == ".gitattributes" && (e.Mode == ModeFile || e.Mode == ModeExecutable) {
			paths, ids = append(paths, e.Path), append(ids, e.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil //nolint:nilnil // no files, no fault
	}
	files, sum := map[string][]byte{}, int64(0)
	err := s.Blobs(ctx, ids, func(i int, size int64, content io.Reader) error {
		if sum += size; sum > maxAttributes {
			return fmt.Errorf("%q: the .gitattributes files have more than %d MiB", paths[i], maxAttributes>>20)
		}
		data, err := io.ReadAll(content)
		files[paths[i]] = data
		return err
	})
	return files, err
}

var converting = regexp.MustCompile(`(?m)(\s|^\[attr\]\S+\s.*)(eol=|crlf|ident\b|working-tree-encoding=)`)

// Converts reports whether the files ask for contents that differ between the
// work tree and the repository: line ends, encodings, $Id$.
func Converts(attributes map[string][]byte) bool {
	for _, data := range attributes {
		if converting.Match(data) {
			return true
		}
	}
	return false
}

// attributed makes a directory that has only these files.
func (s *Store) attributed(attributes map[string][]byte) (string, error) {
	dir, err := os.MkdirTemp(s.scratch, "attributes-")
	if err != nil {
		return "", err
	}
	for name, data := range attributes {
		if !filepath.IsLocal(name) {
			return "", fmt.Errorf("%q is no path in a repository", name)
		}
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// Checkout writes a tree into an empty directory as git checkout does, with
// the conversions that its attributes ask for. It is for trees that need
// these; no program that attributes name is run, as none is configured.
func (s *Store) Checkout(ctx context.Context, tree, dir string) error {
	if err := checkIDs(tree); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(s.scratch, "index-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	cmd := s.command(ctx, target{}, "read-tree", "--reset", "-u", tree)
	cmd.Env = append(cmd.Env, "GIT_WORK_TREE="+dir, "GIT_INDEX_FILE="+filepath.Join(scratch, "index"))
	cmd.Dir = dir
	return cmd.run()
}
