package enterprise

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/nuobit/odyssey/internal/git"
)

// ErrMirror is of a mirror into which nothing can be imported as it is.
var ErrMirror = errors.New("the mirror cannot be imported into")

// mirrorError says why, and satisfies errors.Is(err, ErrMirror).
type mirrorError struct{ msg string }

func (e *mirrorError) Error() string        { return e.msg }
func (e *mirrorError) Is(target error) bool { return target == ErrMirror }

func mirrorErrorf(format string, args ...any) error {
	return &mirrorError{fmt.Sprintf(format, args...)}
}

// emptyTree is the id of the tree without entries, which git always has.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// mirror is the private repository of Enterprise modules, each in a directory at
// its top.
type mirror struct {
	repo    *git.Local
	head    string // commit; empty before the first one
	branch  string // full name of the ref; empty when HEAD is detached
	bare    bool   // there is no work tree, and nobody else writes
	files   *index // all files of head
	modules map[string]*Module
}

// openMirror reads the mirror at its HEAD.
func openMirror(ctx context.Context, client *git.Client, dir string) (*mirror, error) {
	repo, err := client.OpenLocal(ctx, dir)
	if errors.Is(err, git.ErrNoLocal) {
		return nil, mirrorErrorf("%s is no git work tree\n  clone the private mirror there, or begin one by git init", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	format, err := repo.Line(ctx, "rev-parse", "--show-object-format")
	if err != nil {
		return nil, err
	}
	if format != "sha1" {
		return nil, mirrorErrorf("%s has objects named by %s\n  use a repository with SHA-1 names: forges and Odoo's own repositories have these", dir, format)
	}
	m := &mirror{repo: repo}
	if m.branch, err = repo.Line(ctx, "symbolic-ref", "--quiet", "HEAD"); err != nil {
		m.branch = ""
	}
	if m.head, err = repo.Line(ctx, "rev-parse", "--quiet", "--verify", "HEAD^{commit}"); err != nil {
		m.head = ""
		if m.branch == "" {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
	}
	if err := m.read(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return m, nil
}

// Clone is a mirror without a work tree, for who pushes what was imported.
type Clone struct {
	Repo   *git.Local
	Head   string // commit that is imported onto
	Branch string // full name of the ref that gets the commits, whatever it was at
}

// open reads the mirror at its head.
func (c *Clone) open(ctx context.Context) (*mirror, error) {
	m := &mirror{repo: c.Repo, head: c.Head, branch: c.Branch, bare: true}
	err := m.read(ctx)
	return m, err
}

// read indexes the mirror's head.
func (m *mirror) read(ctx context.Context) (err error) {
	m.files = newIndex()
	if m.head != "" {
		if m.files, err = gitIndex(ctx, m.repo, m.head, "", nil); err != nil {
			return err
		}
	}
	m.modules, err = m.files.modules([]string{""})
	return err
}

// checkClean refuses a work tree with changes, or without a branch.
func (m *mirror) checkClean(ctx context.Context) error {
	if m.bare {
		return nil
	}
	if m.branch == "" {
		return mirrorErrorf("the mirror's HEAD is detached\n  check out the branch that the modules belong to")
	}
	status, err := m.repo.Line(ctx, "status", "--porcelain", "--untracked-files=all", "--ignore-submodules=none")
	if err != nil {
		return err
	}
	if status != "" {
		n := strings.Count(status, "\n") + 1
		return mirrorErrorf("the mirror's work tree is not clean: git status lists %s\n  commit or remove that first; after an import that was killed, git reset --hard brings it back to its last commit", count(n, "file"))
	}
	return nil
}

// checkAttributes refuses attributes with which git would change files between
// the repository and the work tree. more are those of the bundle, by path.
func (m *mirror) checkAttributes(ctx context.Context, more map[string][]byte) error {
	all := map[string][]byte{}
	var paths, ids []string
	for _, f := range m.files.files {
		if path.Base(f.path) == ".gitattributes" && f.mode != git.ModeSymlink {
			paths, ids = append(paths, f.path), append(ids, f.id.String())
		}
	}
	contents, err := m.repo.Blobs(ctx, ids)
	if err != nil {
		return err
	}
	for i, p := range paths {
		all[p] = contents[i]
	}
	for p, data := range more {
		all[p] = data
	}
	for p, data := range all {
		if git.Converts(map[string][]byte{p: data}) || strings.Contains(string(data), "filter=") {
			return mirrorErrorf("%q asks git to convert files (Git LFS, line ends, encodings)\n  the mirror must hold Enterprise byte for byte; take these attributes out", p)
		}
	}
	return nil
}

// readVersions reads the manifests of modules of the mirror.
func (m *mirror) readVersions(ctx context.Context, which func(*Module) bool) error {
	var paths, ids []string
	for _, name := range names(m.modules) {
		module := m.modules[name]
		if !which(module) {
			continue
		}
		for _, f := range module.files {
			if isModuleFile(f) {
				paths, ids = append(paths, module.Dir+"/"+f.path), append(ids, f.id.String())
			}
		}
	}
	contents, err := m.repo.Blobs(ctx, ids)
	if err != nil {
		return err
	}
	for i, p := range paths {
		m.files.read(p, contents[i])
		module := m.modules[path.Dir(p)]
		says := m.files.manifests[path.Dir(p)+"/"]
		module.Version, module.License = says.version, says.license
	}
	return nil
}
