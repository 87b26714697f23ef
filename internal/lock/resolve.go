package lock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/nuobit/odyssey/internal/near"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// RemoteError is a remote that could not be asked.
type RemoteError struct {
	Path string // the file that names the remote
	Line int
	Name string
	Err  error
}

func (e *RemoteError) Error() string {
	return fmt.Sprintf("%s:%d: remote %s: %v", e.Path, e.Line, e.Name, e.Err)
}

// OutOfReach says that no file is at fault.
func (*RemoteError) OutOfReach() {}

func (e *RemoteError) Unwrap() error { return e.Err }

// resolve asks each URL once, with all the refs that are wanted of it, jobs
// URLs at a time, and fills in the commits. It goes on after a fault, so that
// one run shows all of them, in the order of their lines. Its error is that ctx has ended.
func resolve(ctx context.Context, repos *File, wanted []*want, resolver Resolver, jobs int) ([]located, error) {
	byURL := map[string][]*want{}
	for _, w := range wanted {
		byURL[w.url] = append(byURL[w.url], w)
	}
	var (
		mu     sync.Mutex
		faults []located
		group  errgroup.Group
	)
	group.SetLimit(max(jobs, 1))
	for url, wants := range byURL {
		group.Go(func() error {
			found := resolveURL(ctx, repos, url, wants, resolver)
			mu.Lock()
			defer mu.Unlock()
			faults = append(faults, found...)
			return nil
		})
	}
	_ = group.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	slices.SortStableFunc(faults, func(a, b located) int { return a.line - b.line })
	return faults, nil
}

// located is an error, the line it belongs to, and the merges that stay without
// a commit for it.
type located struct {
	line  int
	err   error
	wants []*want
}

// joined joins all errors.
func joined(faults []located) error {
	var all []error
	for _, f := range faults {
		all = append(all, f.err)
	}
	return errors.Join(all...)
}

// Names near a missing ref are looked for among so many names, and for so
// many refs of one remote.
const (
	maxNames = 20_000
	maxHints = 5
)

func resolveURL(ctx context.Context, repos *File, url string, wants []*want, resolver Resolver) []located {
	var refs []string
	for _, w := range wants {
		refs = append(refs, w.merge.Ref)
	}
	slices.Sort(refs)
	commits, tags, err := ask(ctx, resolver, url, slices.Compact(refs))
	if err != nil {
		remote := wants[0].dest.Remote(wants[0].merge.Remote)
		return []located{{remote.Line, &RemoteError{repos.Path, remote.Line, remote.Name, err}, wants}}
	}
	var missing []*want
	for _, w := range wants {
		if w.merge.Commit = commits[w.merge.Ref]; w.merge.Commit == "" {
			missing = append(missing, w)
		}
		w.merge.Tag = tags[w.merge.Ref]
	}
	if len(missing) == 0 {
		return nil
	}
	have, err := resolver.Refs(ctx, url)
	if err != nil || len(have) > maxNames {
		have = nil // the names near the wanted one are a courtesy
	}
	var faults []located
	for i, w := range missing {
		if i == maxHints {
			have = nil
		}
		faults = append(faults, located{w.merge.Line, unknownRef(repos, w, have), []*want{w}})
	}
	return faults
}

// ask asks for refs, and which of them are tags where the resolver tells.
func ask(ctx context.Context, resolver Resolver, url string, refs []string) (commits map[string]string, tags map[string]bool, err error) {
	if r, tells := resolver.(TagResolver); tells {
		return r.ResolveTags(ctx, url, refs)
	}
	commits, err = resolver.Resolve(ctx, url, refs)
	return commits, nil, err
}

func unknownRef(repos *File, w *want, have []string) error {
	e := &yamldoc.Error{
		Path: repos.Path, Line: w.merge.Line,
		Msg: fmt.Sprintf("%s: merge %q not found on %s", w.dest.Path, w.merge.Remote+" "+w.merge.Ref, w.url),
	}
	if names := near.Names(w.merge.Ref, have); len(names) > 0 {
		e.Hint = "near: " + strings.Join(names, ", ")
	}
	return e
}
