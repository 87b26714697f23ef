// Bench measures the programs against what one would do without them, on the
// same machine, servers and repositories, in one run, and prints ratios.
//
//	go run ./test/bench [NAME...]
//
// Without a name, all of them; their names are in suite.benchmarks.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	if err := bench(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(names []string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "odyssey-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := newSuite(dir)
	defer func() { err = errors.Join(err, s.close()) }()
	var known []string
	for _, b := range s.benchmarks() {
		known = append(known, b.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("no benchmark is called %q; there are: %s", name, strings.Join(known, ", "))
		}
	}
	// One that fails leaves the others to be run.
	for _, b := range s.benchmarks() {
		if len(names) > 0 && !slices.Contains(names, b.name) {
			continue
		}
		fmt.Printf("%s: %s\n", b.name, b.about)
		if failed := b.run(ctx); failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", b.name, failed))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return err
}

// suite holds what several benchmarks share, made when it is first needed.
type suite struct {
	dir      string
	trees    string // for source trees; made when it is first needed
	programs *programs
	large    func(context.Context) (*scene, error) // makes it once
	small    func(context.Context) (*scene, error) // makes them once
	opened   []*scene
	watched  *forgeScene
}

func newSuite(dir string) *suite {
	s := &suite{dir: dir}
	s.large = s.scene("large", largeScene)
	s.small = s.scene("many", manyScene)
	return s
}

// scene has a scene made when it is first needed.
func (s *suite) scene(name string, open func(context.Context, string, programs) (*scene, error)) func(context.Context) (*scene, error) {
	var once sync.Once
	var made *scene
	var err error
	return func(ctx context.Context) (*scene, error) {
		once.Do(func() {
			var p programs
			if p, err = s.find(ctx); err == nil {
				made, err = s.opening(open(ctx, filepath.Join(s.trees, name), p))
			}
		})
		return made, err
	}
}

type benchmark struct {
	name, about string
	run         func(context.Context) error
}

func (s *suite) benchmarks() []benchmark {
	return []benchmark{
		{"odoo-run", "odoo-run and a bash script that has Python render the same file", s.odooRun},
		{"lock-repos", "lock-repos --refresh-all and git ls-remote for each merge", s.lockRepos},
		{"plan", "a plan of many destinations with their changelogs and git fetch and git log for each", s.plan},
		{"cold", "Odoo and a repository with two merges, nothing cached", s.cold},
		{"warm", "the same trees are there, one merge moved", s.warm},
		{"still", "the same trees are there, nothing moved", s.still},
		{"many", fmt.Sprintf("%d small repositories, nothing cached", manyCount), s.many},
		{"many-far", fmt.Sprintf("the same of a server that answers %v later, as one in another network", farDelay), s.manyFar},
		{"pack", "odoo-build-image pack and buildah bud of two Dockerfiles with a push", s.pack},
		{"enterprise", "enterprise-import --apply and git add and git commit for each module", s.enterprise},
		{"deliveries", "webhooks that serve takes while it works on what they ask for", s.deliveries},
		{"sweep", "serve looks at repositories where there is nothing to do", s.sweep},
	}
}

func (s *suite) deliveries(ctx context.Context) error {
	watched, err := s.forge(ctx)
	if err != nil {
		return err
	}
	return watched.deliveries(ctx)
}

func (s *suite) sweep(ctx context.Context) error {
	watched, err := s.forge(ctx)
	if err != nil {
		return err
	}
	return watched.sweep(ctx)
}

// forge is a Gitea with repositories, made when it is first needed.
func (s *suite) forge(ctx context.Context) (*forgeScene, error) {
	if s.watched != nil {
		return s.watched, nil
	}
	made, err := newForgeScene(ctx, filepath.Join(s.dir, "forge"))
	if err == nil {
		s.watched = made
	}
	return made, err
}

func (s *suite) lockRepos(ctx context.Context) error {
	dir := filepath.Join(s.dir, "lock-repos")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return lockRepos(ctx, dir)
}

func (s *suite) cold(ctx context.Context) error {
	large, err := s.large(ctx)
	if err != nil {
		return err
	}
	return large.cold(ctx, coldRounds, coldRatio)
}

func (s *suite) warm(ctx context.Context) error {
	large, err := s.builtScene(ctx)
	if err != nil {
		return err
	}
	return large.warm(ctx)
}

func (s *suite) still(ctx context.Context) error {
	large, err := s.builtScene(ctx)
	if err != nil {
		return err
	}
	return large.still(ctx)
}

func (s *suite) many(ctx context.Context) error {
	many, err := s.small(ctx)
	if err != nil {
		return err
	}
	return many.cold(ctx, coldRounds, nearRatio)
}

func (s *suite) manyFar(ctx context.Context) error {
	many, err := s.small(ctx)
	if err != nil {
		return err
	}
	many.server.Watch(func(*http.Request) { time.Sleep(farDelay) })
	defer many.server.Watch(nil)
	return many.cold(ctx, coldRounds, manyRatio)
}

// builtScene is the large scene after both have built it.
func (s *suite) builtScene(ctx context.Context) (*scene, error) {
	large, err := s.large(ctx)
	if err != nil || large.built {
		return large, err
	}
	_, _, err = large.race(ctx, 1, func(int) error { return nil })
	return large, err
}

// opening keeps a scene for close.
func (s *suite) opening(made *scene, err error) (*scene, error) {
	if made != nil {
		s.opened = append(s.opened, made)
	}
	return made, err
}

func (s *suite) close() error {
	for _, opened := range s.opened {
		opened.server.Stop()
	}
	if s.watched != nil {
		s.watched.gitea.Stop()
	}
	if s.trees == "" {
		return nil
	}
	return os.RemoveAll(s.trees)
}

// find finds or builds the programs, once.
func (s *suite) find(ctx context.Context) (programs, error) {
	if s.programs == nil {
		p, err := findPrograms(ctx, s.dir)
		if err == nil {
			s.trees, err = treesDir(s.dir)
		}
		if err != nil {
			return p, err
		}
		s.programs = &p
	}
	return *s.programs, nil
}
