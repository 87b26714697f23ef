package enterprise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/odoo"
)

// Community is a checkout of Odoo Community: what its commit holds, whatever was
// done to the files since.
type Community struct {
	Head    string // commit; empty of a directory that is no git work tree
	Tree    string
	When    time.Time // of the commit
	Shallow bool      // its history is cut off
	Series  string    // empty if there is no odoo/release.py
	Modules map[string]*Module
	repo    *git.Local
}

// openCommunity reads a checkout, by its commit if it is a git work tree; of a
// clone that is shallow, or has no blobs, that is enough.
func openCommunity(ctx context.Context, client *git.Client, dir string) (*Community, error) {
	repo, err := client.OpenLocal(ctx, dir)
	if errors.Is(err, git.ErrNoLocal) {
		return readCommunity(ctx, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	at := Checkout{Repo: repo}
	if at.Commit, err = repo.Line(ctx, "rev-parse", "--verify", "HEAD^{commit}"); err == nil {
		var c *Community
		if c, err = at.open(ctx); err == nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", dir, err)
}

// Checkout is a commit of Odoo Community in a repository, of which no files need
// be there: a clone that is shallow, or has no blobs, is enough.
type Checkout struct {
	Repo   *git.Local
	Commit string
	Tree   string // of an aggregate that Commit is but the base of; empty: Commit's
}

// open reads the checkout.
func (at *Checkout) open(ctx context.Context) (*Community, error) {
	c := &Community{Head: at.Commit, Tree: at.Tree, repo: at.Repo}
	var err error
	if c.Tree == "" {
		if c.Tree, err = at.Repo.Line(ctx, "rev-parse", "--verify", c.Head+"^{tree}"); err != nil {
			return nil, err
		}
	}
	shallow, err := at.Repo.Line(ctx, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return nil, err
	}
	c.Shallow = shallow == "true"
	if c.When, err = at.Repo.When(ctx, c.Head); err != nil {
		return nil, err
	}
	x, err := gitIndex(ctx, at.Repo, c.Tree, "", nil)
	if err != nil {
		return nil, err
	}
	for _, f := range x.files {
		if f.path != "odoo/release.py" {
			continue
		}
		// A clone without blobs may lack it; then the series is not compared.
		if data, err := at.Repo.Blob(ctx, f.id.String(), inMemory); err == nil {
			c.Series, _ = odoo.ParseSeries(f.path, data)
		}
	}
	err = c.find(x)
	return c, err
}

// readCommunity reads a directory without history.
func readCommunity(ctx context.Context, dir string) (*Community, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, errors.Join(fmt.Errorf("%s is no directory", dir), err)
	}
	c := &Community{}
	r := newBundleReader(nil)
	if err := (archive.Directory{Path: dir, Limits: archive.DefaultLimits()}).Walk(ctx, r.visit); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "odoo", "release.py")); err == nil {
		if c.Series, err = odoo.Series(dir); err != nil {
			return nil, err
		}
	}
	if err := c.find(r.index); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return c, nil
}

// find keeps the modules of an index. base is in every Odoo.
func (c *Community) find(x *index) (err error) {
	if c.Modules, err = x.modules(addonRoots("")); err != nil {
		return err
	}
	if c.Modules["base"] == nil {
		return errors.New("this is no checkout of Odoo: it lacks odoo/addons/base")
	}
	return nil
}

// gitIndex indexes what a commit or tree holds, below paths if there are any.
// Submodules are nothing.
func gitIndex(ctx context.Context, repo *git.Local, tree, gitDir string, paths []string) (*index, error) {
	x := newIndex()
	var broken error
	err := repo.Files(ctx, tree, gitDir, paths, func(e git.Entry) {
		if e.Mode == git.ModeGitlink || broken != nil {
			return
		}
		id, err := parseID(e.ID)
		broken = err
		x.add(file{e.Path, e.Mode, id})
	})
	return x, errors.Join(err, broken)
}

// Pin is what a lock says of a destination.
type Pin struct {
	Dest   string
	Commit string // of the first merge
	Merges int
	Tree   string // of the aggregate; empty if the lock does not say
}

// ReadPin reads the pin of a destination in a lock file.
func ReadPin(path, dest string) (Pin, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Pin{}, err
	}
	f, err := lock.ParseLock(path, data, gitname.Operator(true))
	if err != nil {
		return Pin{}, err
	}
	d := f.Find(dest)
	if d == nil {
		return Pin{}, &lock.NameError{Kind: "destination", Name: dest, All: f.Paths()}
	}
	return Pin{Dest: d.Path, Commit: d.Merges[0].Commit, Merges: len(d.Merges), Tree: d.Tree}, nil
}

// holds reports whether a checkout is at the pin. Merge commits differ from
// machine to machine: their trees are compared.
func (p Pin) holds(c *Community) bool {
	if p.Merges == 1 {
		return c.Head == p.Commit
	}
	return p.Tree != "" && c.Tree == p.Tree
}
