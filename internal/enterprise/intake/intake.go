// Package intake brings Odoo Enterprise from the portal to a branch of a private
// mirror, without a checkout of anything: it gets Community's locked commit,
// downloads a bundle or takes the one that it has kept, imports it into a bare
// clone of the mirror, and pushes what came of that.
//
// Nothing that it returns for people other than the mirror's own readers has a
// path or content of Enterprise in it: see Stop.
package intake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nuobit/odyssey/internal/enterprise"
	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/enterprise/portal"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
)

// Intake works for one mirror.
type Intake struct {
	// Dir keeps the newest bundle, and clones that spare the next run what was
	// fetched. It is made if need be, for its owner alone; all in it may be lost.
	Dir string
	// Reports is a directory outside of the mirror that gets the report of each
	// bundle; empty: none does.
	Reports string
	URL     string         // of the mirror
	Mirror  *git.Client    // that may read and write the mirror
	Git     *git.Client    // that may read Community's remotes
	Portal  portal.Options // where bundles are
	// Aggregate merges a destination of several merges in a store, and returns the
	// tree.
	Aggregate func(ctx context.Context, store *git.Store, d *lock.Destination) (tree string, err error)
	Limits    archive.Limits   // of bundles
	Now       func() time.Time // nil: time.Now
}

// Request is what an intake is to do.
type Request struct {
	Base   string // commit of the mirror that the import is put on
	Branch string // of the mirror, that the import is for

	Community *lock.Destination // as it is locked

	// Bundle is the SHA-256 of the bundle to take. If it is empty, or of a bundle
	// that was not kept, it is the one that was kept lately, unless it is to be
	// Fresh, and else the portal's.
	Bundle string
	Fresh  bool
	// DaysApart is how many days the bundle and Community's commit may be apart
	// without a warning; 0: as enterprise.DefaultLag has it.
	DaysApart int

	// Removals and Drift are the SHA-256 of the bundles whose removals and drift
	// somebody has accepted; empty: nobody has.
	Removals, Drift string
}

// Result is what came of a request.
type Result struct {
	Report *enterprise.Report // nil when the bundle could not be read
	SHA256 string             // of the bundle; empty when there is none
	Head   string             // commit that the branch is to be at; the base when there is nothing to import
	Stop   *Stop              // why nothing was imported; nil when it was
}

// ErrBusy says that somebody else is at work in the directory.
var ErrBusy = errors.New("another import into the same mirror is running")

// Prepare gets a bundle and makes the commits, in the clone. What is wrong with
// the bundle, the mirror or the subscription is in the result; an error is of what
// may pass, or was not foreseen.
func (in *Intake) Prepare(ctx context.Context, r Request) (*Result, error) {
	unlock, err := in.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	at, err := in.community(ctx, r.Community)
	if err != nil {
		return nil, fmt.Errorf("get Community as it is locked: %w", err)
	}
	clone, err := in.clone(ctx, r.Base)
	if err != nil {
		return nil, fmt.Errorf("get the mirror: %w", err)
	}
	kept, err := in.obtain(ctx, r)
	if err != nil {
		return stopped(nil, err)
	}
	report, err := enterprise.Import(ctx, in.Git, enterprise.Options{
		Bundle: kept.path, Dest: r.Community.Path, Pin: &enterprise.Pin{Dest: r.Community.Path, Commit: at.Commit, Merges: len(r.Community.Merges)},
		Checkout: at, Clone: &enterprise.Clone{Repo: clone, Head: r.Base, Branch: importRef}, Apply: true,
		Removals: r.Removals == kept.SHA256, AllowDrift: r.Drift == kept.SHA256, AllowHead: true,
		MaxLag: time.Duration(r.DaysApart) * 24 * time.Hour, Limits: in.Limits,
	})
	if err != nil {
		result, err := stopped(report, err)
		if result != nil {
			result.SHA256 = kept.SHA256
			err = in.keepReport(report)
		}
		return result, err
	}
	return &Result{Report: report, SHA256: kept.SHA256, Head: report.ApplyResult.After}, in.keepReport(report)
}

// Push makes the branch of the mirror be at a commit that Prepare has made, if it
// is at lease now; lease is empty when there is none. The error is git.ErrLease if
// it is not.
func (in *Intake) Push(ctx context.Context, branch, commit, lease string) error {
	unlock, err := in.lock()
	if err != nil {
		return err
	}
	defer unlock()
	clone, err := in.Mirror.OpenBare(in.path("mirror.git"))
	if err != nil {
		return err
	}
	return clone.Push(ctx, in.URL, branch, commit, lease)
}

const importRef = "refs/odyssey/import"

func (in *Intake) path(name string) string { return filepath.Join(in.Dir, name) }

// lock keeps others out of the directory.
func (in *Intake) lock() (unlock func(), err error) {
	if err := os.MkdirAll(in.Dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(in.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, err
	}
	return func() {
		// A program that is just being started may have the file open, too.
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		_ = f.Close()
	}, nil
}

// clone brings a commit of the mirror, with its files and without its history.
func (in *Intake) clone(ctx context.Context, base string) (*git.Local, error) {
	repo, err := in.Mirror.OpenBare(in.path("mirror.git"))
	if err != nil {
		return nil, err
	}
	err = repo.Fetch(ctx, in.URL, git.Clone{Commit: base, Depth: 1, Keep: "base"})
	return repo, err
}

// history is how many commits of Community are fetched for what they tell of
// drift.
const history = 100

// community gets what a destination is locked at. Of a single merge that is its
// newest history without files; several are merged as a build does.
func (in *Intake) community(ctx context.Context, d *lock.Destination) (*enterprise.Checkout, error) {
	repo, err := in.Git.OpenBare(in.path("community.git"))
	if err != nil {
		return nil, err
	}
	m := &d.Merges[0]
	at := &enterprise.Checkout{Repo: repo, Commit: m.Commit}
	url := d.Remote(m.Remote).URL
	if err := repo.Fetch(ctx, url, git.Clone{Commit: m.Commit, Depth: history, Trees: true, Keep: "community"}); err != nil {
		return nil, err
	}
	if len(d.Merges) > 1 {
		if at.Tree, err = in.aggregate(ctx, d); err != nil {
			return nil, err
		}
		return at, nil
	}
	// The series is in a file, the only one that is needed.
	id, err := repo.Line(ctx, "rev-parse", "--quiet", "--verify", m.Commit+":odoo/release.py")
	if err != nil {
		return at, nil //nolint:nilerr // it is not there, so that the series is not compared
	}
	return at, repo.FetchBlob(ctx, url, id)
}
