package odoo

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/nuobit/odyssey/internal/yamldoc"
)

// CheckModules reads the manifest of every module of an addons path. Manifests
// are sorted by module; those with faults are left out. Faults are sorted as
// well, and for warnings: Odoo itself refuses a module only when it is wanted.
// The error is ctx's, or a manifest that could not be read.
func CheckModules(ctx context.Context, p *Path) (manifests []*Manifest, faults []*yamldoc.Error, err error) {
	modules := p.Modules()
	read := make([]*Manifest, len(modules))
	errs := make([]error, len(modules))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, module := range modules {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			dir, err := filepath.Rel(p.Src, module.Dir)
			if err != nil {
				return err
			}
			read[i], errs[i] = ReadManifest(p.Src, dir)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	for i, m := range read {
		if m != nil {
			manifests = append(manifests, m)
			continue
		}
		found, err := splitFaults(errs[i])
		if err != nil {
			return nil, nil, err
		}
		faults = append(faults, found...)
	}
	return manifests, faults, nil
}

// splitFaults returns the faults that errors.Join made one of; or err, when it
// is something else.
func splitFaults(err error) ([]*yamldoc.Error, error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*yamldoc.Error
		for _, e := range joined.Unwrap() {
			faults, err := splitFaults(e)
			if err != nil {
				return nil, err
			}
			all = append(all, faults...)
		}
		return all, nil
	}
	if fault := (*yamldoc.Error)(nil); errors.As(err, &fault) {
		return []*yamldoc.Error{fault}, nil
	}
	return nil, err
}
