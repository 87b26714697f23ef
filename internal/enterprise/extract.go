package enterprise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/nuobit/odyssey/internal/enterprise/archive"
)

// extractor writes files below a staging directory beside the destination, to
// which they are moved when all is there.
type extractor struct {
	dest  string
	dir   string   // the staging directory
	root  *os.Root // dir/all, where files are as in the bundle
	known map[string]blobID
}

// checkExtract refuses a destination that has something in it.
func checkExtract(dest string) error {
	entries, err := os.ReadDir(dest)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return &inputError{fmt.Errorf("%s is not empty\n  name a directory that is new or empty", dest)}
	}
	return nil
}

func newExtractor(dest string) (*extractor, error) {
	dest, err := filepath.Abs(dest)
	if err != nil {
		return nil, err
	}
	x := &extractor{dest: dest, known: map[string]blobID{}}
	if x.dir, err = os.MkdirTemp(filepath.Dir(dest), "."+filepath.Base(dest)+".partial-"); err != nil {
		return nil, err
	}
	for _, sub := range []string{"all", "out"} {
		err = errors.Join(err, os.Mkdir(filepath.Join(x.dir, sub), 0o755))
	}
	if err == nil {
		x.root, err = os.OpenRoot(filepath.Join(x.dir, "all"))
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(x.dir))
	}
	return x, nil
}

// put implements sink.
func (x *extractor) put(e archive.Entry, _ *blobID, content io.Reader) error {
	if err := x.root.MkdirAll(path.Dir(e.Path), 0o755); err != nil {
		return err
	}
	if e.Mode == archive.Link {
		return x.root.Symlink(e.Target, e.Path)
	}
	mode := os.FileMode(0o644)
	if e.Mode == archive.Executable {
		mode = 0o755
	}
	f, err := x.root.OpenFile(e.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// stored implements sink.
func (x *extractor) stored(e archive.Entry, id blobID) { x.known[e.Path] = id }

// publish moves the modules to the destination.
func (x *extractor) publish(modules map[string]*Module) error {
	out := filepath.Join(x.dir, "out")
	for _, name := range names(modules) {
		from := filepath.Join(x.dir, "all", filepath.FromSlash(modules[name].Dir))
		if err := os.Rename(from, filepath.Join(out, name)); err != nil {
			return err
		}
	}
	// Only an empty directory can be removed.
	if err := os.Remove(x.dest); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(out, x.dest)
}

// close removes what was not published.
func (x *extractor) close() error { return errors.Join(x.root.Close(), os.RemoveAll(x.dir)) }
