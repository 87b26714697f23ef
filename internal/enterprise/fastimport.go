package enterprise

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/git"
)

// fastImport is a git fast-import into a repository of its own, which borrows the
// mirror's objects. Until publish nothing of it is the mirror's.
type fastImport struct {
	mirror *mirror
	dir    string // of the repository; git prune removes what a killed import left
	known  map[blobID]bool
	pipe   *io.PipeWriter
	w      *bufio.Writer
	done   chan struct{}
	ended  error // why git ended, once done is closed
	marks  int
}

const importRef = "refs/heads/import"

// Who makes the commits: the same everywhere, so that these are.
const (
	CommitterName  = "Odyssey"
	CommitterEmail = "odyssey@localhost"
)

// newFastImport starts git. End it by finish or abort.
func newFastImport(ctx context.Context, m *mirror) (*fastImport, error) {
	objects, err := m.objects(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(objects, "tmp_objdir-odyssey-")
	if err != nil {
		return nil, err
	}
	f := &fastImport{mirror: m, dir: dir, known: map[blobID]bool{}, done: make(chan struct{})}
	if err := f.layOut(objects); err != nil {
		return nil, fmt.Errorf("%w%s", err, f.remove())
	}
	for _, file := range m.files.files {
		f.known[file.id] = true
	}
	in, out := io.Pipe()
	f.pipe, f.w = out, bufio.NewWriterSize(out, 256<<10)
	go func() {
		err := m.repo.Run(ctx, git.Command{
			Args:   []string{"fast-import", "--quiet", "--done", "--export-marks=" + filepath.Join(dir, "marks")},
			GitDir: dir, Stdin: in, Stdout: io.Discard,
			// One pack, large files passed through, and speed before size: git gc
			// packs better later.
			Config: map[string]string{"fastimport.unpackLimit": "0", "core.bigFileThreshold": "8m", "core.compression": "1", "pack.depth": "0"},
		})
		_ = in.CloseWithError(fmt.Errorf("git fast-import has ended: %w", cmpErr(err)))
		f.ended = err
		close(f.done)
	}()
	return f, nil
}

// cmpErr is what a writer is told when git has ended without being asked to.
func cmpErr(err error) error {
	if err == nil {
		return io.ErrClosedPipe
	}
	return err
}

// objects is the directory of the mirror's objects.
func (m *mirror) objects(ctx context.Context) (string, error) {
	objects, err := m.repo.Line(ctx, "rev-parse", "--git-path", "objects")
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(objects) {
		objects = filepath.Join(m.repo.Dir(), objects)
	}
	return objects, nil
}

// layOut writes what makes a directory a repository.
func (f *fastImport) layOut(objects string) error {
	for _, sub := range []string{"objects/info", "objects/pack", "refs"} {
		if err := os.MkdirAll(filepath.Join(f.dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(f.dir, "HEAD"), []byte("ref: refs/heads/none\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.dir, "objects", "info", "alternates"), []byte(objects+"\n"), 0o644)
}

func (f *fastImport) remove() string {
	if err := os.RemoveAll(f.dir); err != nil {
		return "\n  " + err.Error()
	}
	return ""
}

// put implements sink.
func (f *fastImport) put(e archive.Entry, id *blobID, content io.Reader) error {
	if id != nil && f.known[*id] {
		return nil
	}
	fmt.Fprintf(f.w, "blob\ndata %d\n", e.Size)
	if _, err := io.Copy(f.w, content); err != nil {
		return err
	}
	return f.w.WriteByte('\n')
}

// stored implements sink.
func (f *fastImport) stored(_ archive.Entry, id blobID) { f.known[id] = true }

// commit is one to be made.
type commit struct {
	message string // title, empty line, trailers
	module  string // that the commit is about; empty: the README
	files   []file // of the module
	readme  []byte
}

// write sends a commit, dated at when.
func (f *fastImport) write(c commit, when time.Time) error {
	f.marks++
	fmt.Fprintf(f.w, "commit %s\nmark :%d\ncommitter %s <%s> %d +0000\ndata %d\n%s\n",
		importRef, f.marks, CommitterName, CommitterEmail, when.Unix(), len(c.message), c.message)
	if f.marks == 1 && f.mirror.head != "" {
		fmt.Fprintf(f.w, "from %s\n", f.mirror.head)
	}
	if c.module == "" {
		fmt.Fprintf(f.w, "M %s inline %s\ndata %d\n", git.ModeFile, readmeName, len(c.readme))
		_, err := fmt.Fprintf(f.w, "%s\n", c.readme)
		return err
	}
	fmt.Fprintf(f.w, "D %s\n", quotePath(c.module))
	for _, file := range c.files {
		if _, err := fmt.Fprintf(f.w, "M %s %s %s\n", file.mode, file.id, quotePath(c.module+"/"+file.path)); err != nil {
			return err
		}
	}
	return nil
}

// quotePath is a path as fast-import reads it. It has no backslash and no
// control character.
func quotePath(p string) string { return `"` + strings.ReplaceAll(p, `"`, `\"`) + `"` }

// finish ends git and returns the commits that it made, by their marks.
func (f *fastImport) finish() ([]string, error) {
	_, err := f.w.WriteString("done\n")
	if err == nil {
		err = f.w.Flush()
	}
	_ = f.pipe.Close()
	<-f.done
	if f.ended != nil {
		return nil, f.ended
	}
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(f.dir, "marks"))
	if err != nil {
		return nil, err
	}
	ids := make([]string, f.marks)
	for line := range strings.Lines(string(data)) {
		var mark int
		var id string
		if _, err := fmt.Sscanf(line, ":%d %40s", &mark, &id); err == nil && mark >= 1 && mark <= f.marks {
			ids[mark-1] = id
		}
	}
	return ids, nil
}

// abort ends git and throws away what it made.
func (f *fastImport) abort() {
	_ = f.pipe.CloseWithError(io.ErrUnexpectedEOF)
	<-f.done
	f.remove()
}

// publish moves the packs to the mirror's, which makes their objects the
// mirror's. git looks for the .idx, which so comes last.
func (f *fastImport) publish(ctx context.Context) error {
	objects, err := f.mirror.objects(ctx)
	if err != nil {
		return err
	}
	packs, err := filepath.Glob(filepath.Join(f.dir, "objects", "pack", "pack-*.pack"))
	if err != nil {
		return err
	}
	for _, pack := range packs {
		for _, name := range []string{pack, strings.TrimSuffix(pack, ".pack") + ".idx"} {
			if err := os.Rename(name, filepath.Join(objects, "pack", filepath.Base(name))); err != nil {
				return err
			}
		}
	}
	return nil
}
