// Package source turns a lock into directories: it fetches the locked commits
// into a cache, merges their trees as git-aggregator would, and writes the files
// of each destination. No work tree with a .git is ever made, and nothing that
// the fetched repositories bring along is run.
package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
)

// Options say how a lock is materialised.
type Options struct {
	Store  *git.Store
	Source string // the directory that destinations are below
	Jobs   int    // destinations at once; default 8
	// Only are the destinations to materialise, as the lock spells them; the others are left as
	// they are, there or not. Nil: all.
	Only []string
	// AllowShellCommands runs the shell_command_after of destinations that
	// have one; otherwise these are refused.
	AllowShellCommands bool
	// Environ is what shell commands see, beside git's own variables.
	Environ []string
	// Progress is told what happens. It may be called concurrently, and be nil.
	Progress func(Event)
}

// Report is what Materialize did.
type Report struct {
	Destinations []Destination `json:"destinations"`
	Fetched      int64         `json:"fetchedBytes"`
	Files        int           `json:"files"`
	Written      int           `json:"filesWritten"`
	Bytes        int64         `json:"bytesWritten"`
}

// Destination is what became of one destination.
type Destination struct {
	Path    string  `json:"path"`
	Tree    string  `json:"tree"`         // of the aggregate, before shell commands
	Fetched int64   `json:"fetchedBytes"` // in packs
	Merges  int     `json:"merges"`       // commits that went into it
	Files   int     `json:"files"`        // files and links it has
	Bytes   int64   `json:"bytesWritten"` // 0 when it was in place
	InPlace bool    `json:"inPlace"`      // nothing had to be written
	Seconds Seconds `json:"seconds"`
}

// Seconds says how long a destination took.
type Seconds struct {
	Fetch float64 `json:"fetch"` // and merge
	Write float64 `json:"write"`
}

// builder is one run.
type builder struct {
	Options
	root    *os.Root // the source directory
	staging string   // below Source, for what is being written
	writers chan struct{}
	records map[string]*state // of the source directory, by destination
	urls    sync.Map          // URL to *sync.Mutex: one fetch at a time
}

// Materialize writes every destination of a lock below the source directory,
// or those of Only, and removes those of an earlier lock. What is in place already is left
// alone. When a destination fails, all failures are reported, and the directories stay as
// they were but for destinations that were written completely.
func Materialize(ctx context.Context, file *lock.File, o Options) (*Report, error) {
	b, unlock, err := newBuilder(file, o)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := errors.Join(b.loadRecords(), b.removeGone(file, false)); err != nil {
		return nil, err
	}
	work := b.wanted(file)
	report := &Report{Destinations: make([]Destination, len(work.Destinations))}
	err = b.each(ctx, work, func(ctx context.Context, i int, d *lock.Destination) error {
		return b.destination(ctx, d, &report.Destinations[i])
	})
	if err != nil {
		return nil, err
	}
	for i := range report.Destinations {
		d := &report.Destinations[i]
		report.Fetched += d.Fetched
		report.Files += d.Files
		report.Bytes += d.Bytes
		if !d.InPlace {
			report.Written += d.Files
		}
	}
	return report, b.removeGone(file, true)
}

// wanted is the lock with the destinations that are asked for.
func (b *builder) wanted(file *lock.File) *lock.File {
	if b.Only == nil {
		return file
	}
	some := &lock.File{Path: file.Path}
	for _, d := range file.Destinations {
		if slices.Contains(b.Only, d.Path) {
			some.Destinations = append(some.Destinations, d)
		}
	}
	return some
}

// Trees computes the tree of every destination, and the merge bases, and
// writes them into the lock: nothing else is written. Destinations that have
// both are computed again, and it is an error if the result differs.
func Trees(ctx context.Context, file *lock.File, o Options) error {
	b := &builder{Options: o}
	b.defaults()
	return b.each(ctx, file, func(ctx context.Context, _ int, d *lock.Destination) error {
		a, err := b.aggregate(ctx, d, nil)
		if err != nil {
			return err
		}
		d.Tree = a.tree
		for i := range d.Merges {
			d.Merges[i].MergeBase = a.bases[i]
		}
		return nil
	})
}

func (b *builder) defaults() {
	if b.Jobs <= 0 {
		b.Jobs = 8
	}
	if b.Progress == nil {
		b.Progress = func(Event) {}
	}
}

func newBuilder(file *lock.File, o Options) (b *builder, unlock func(), err error) {
	b = &builder{Options: o, writers: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}
	b.defaults()
	if err := b.refuse(file); err != nil {
		return nil, nil, err
	}
	if b.Source, err = filepath.Abs(b.Source); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(b.Source, 0o755); err != nil {
		return nil, nil, fmt.Errorf("source directory: %w", err)
	}
	dir, err := os.Open(b.Source)
	if err != nil {
		return nil, nil, fmt.Errorf("source directory: %w", err)
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = dir.Close()
		return nil, nil, fmt.Errorf("source directory %s: another build is at work in it", b.Source)
	}
	b.staging = filepath.Join(b.Source, stagingName)
	err = errors.Join(os.RemoveAll(b.staging), os.Mkdir(b.staging, 0o755))
	if err == nil {
		b.root, err = os.OpenRoot(b.Source)
	}
	if err != nil {
		_ = dir.Close()
		return nil, nil, fmt.Errorf("source directory: %w", err)
	}
	return b, func() {
		_ = os.RemoveAll(b.staging)
		_ = b.root.Close()
		// Closing alone would leave the lock to a child that is just being started.
		_ = syscall.Flock(int(dir.Fd()), syscall.LOCK_UN)
		_ = dir.Close()
	}, nil
}

// stagingName is the directory that files are written in before they are moved
// into place.
const stagingName = ".odyssey-staging"

// each calls do for every destination, Jobs at once, and joins what fails.
func (b *builder) each(ctx context.Context, file *lock.File, do func(ctx context.Context, i int, d *lock.Destination) error) error {
	errs := make([]error, len(file.Destinations))
	var wait sync.WaitGroup
	free := make(chan struct{}, b.Jobs)
	for i := range file.Destinations {
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			d := &file.Destinations[i]
			if err := do(ctx, i, d); err != nil {
				errs[i] = b.locate(file, d, err)
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// destination brings one destination to its tree.
func (b *builder) destination(ctx context.Context, d *lock.Destination, report *Destination) error {
	report.Path, report.Merges = d.Path, len(d.Merges)
	p, err := b.place(d)
	if err != nil {
		return err
	}
	start := time.Now()
	t := &staging{parent: b.staging}
	defer t.remove() //nolint:errcheck // it is empty, or the whole of the staging is removed in the end
	a, err := b.aggregate(ctx, d, p.early(t))
	if err != nil {
		return err
	}
	report.Tree, report.Fetched = a.tree, a.fetched
	report.Seconds.Fetch = time.Since(start).Seconds()
	commands, err := shellCommands(d)
	if err != nil {
		return err
	}
	if p.foreign {
		if err := b.adopt(ctx, p, a.tree); err != nil {
			return err
		}
	}
	if n, ok := p.inPlace(a.tree, commands); ok {
		report.Files, report.InPlace = n, true
		b.done("write", d.Path, false, start, "in place")
		return nil
	}
	start = time.Now()
	err = b.write(ctx, d, a, commands, p, t, report)
	report.Seconds.Write = time.Since(start).Seconds()
	return err
}
