package upkeep

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nuobit/odyssey/internal/odoo/addon"
	"github.com/nuobit/odyssey/internal/odoo/database"
)

// Update is what is to be updated.
type Update struct {
	Database   string
	Modules    []string // or all, or none with Changed
	Changed    bool     // the installed modules whose files are others than at the last update
	Neutralize bool     // afterwards, also when nothing was to be updated
	Args       []string // more words for Odoo

	// LockTimeout ends the update when it has waited so long for the lock of another
	// session; 0 for never.
	LockTimeout time.Duration
}

// Plan returns the modules that Update would update. Nothing is changed.
func (u *Upkeep) Plan(ctx context.Context, o Update) ([]string, error) {
	db, err := u.open(ctx, o.Database)
	if err != nil {
		return nil, err
	}
	defer db.Close(ctx)
	return u.wanted(ctx, db, o)
}

// Words are those by which Odoo updates modules.
func (o Update) Words(modules []string) []string {
	return append([]string{"-d", o.Database, "-u", strings.Join(modules, ","), "--stop-after-init"}, o.Args...)
}

// NeutralizeWords are those by which Odoo neutralizes the database.
func (o Update) NeutralizeWords() []string { return []string{"neutralize", "-d", o.Database} }

// Update updates a database and returns the modules for which Odoo was run,
// without those that depend on them. Errors are ErrNotOdoo, ErrBlocked,
// *database.ConnectError, *ModuleError and *launch.EndError.
func (u *Upkeep) Update(ctx context.Context, o Update) ([]string, error) {
	if err := u.Launch.Write(); err != nil {
		return nil, err
	}
	lock, err := u.lock(ctx, o.Database)
	if err != nil {
		return nil, err
	}
	defer lock.Close(ctx)
	db, err := u.open(ctx, o.Database)
	if err != nil {
		return nil, err
	}
	defer db.Close(ctx)
	modules, err := u.wanted(ctx, db, o)
	if err != nil {
		return nil, err
	}
	if len(modules) == 0 {
		u.Say("no addon of %s has changed", o.Database)
	} else if err := u.update(ctx, db, o, modules); err != nil {
		return nil, fmt.Errorf("update %s: %w", o.Database, err)
	}
	if o.Neutralize {
		u.Say("neutralizing %s", o.Database)
		if err := u.odoo(ctx, context.WithoutCancel(ctx), u.Environ, func(int) {}, o.NeutralizeWords()...); err != nil {
			return modules, fmt.Errorf("neutralize %s: %w", o.Database, err)
		}
	}
	return modules, nil
}

// open connects to a database of Odoo.
func (u *Upkeep) open(ctx context.Context, name string) (*database.DB, error) {
	db, err := u.server().Connect(ctx, name)
	if err != nil {
		return nil, err
	}
	content, err := db.Content(ctx)
	if err == nil && !content.IsOdoo {
		err = fmt.Errorf("database %s %w; nothing was done\n  odoo-init makes an empty database one", name, ErrNotOdoo)
	}
	if err != nil {
		db.Close(ctx)
		return nil, err
	}
	return db, nil
}

// wanted are the modules to update.
func (u *Upkeep) wanted(ctx context.Context, db *database.DB, o Update) ([]string, error) {
	if !o.Changed {
		if slices.Equal(o.Modules, []string{"all"}) {
			return o.Modules, nil
		}
		return o.Modules, u.checkModules(o.Modules)
	}
	before, err := db.Checksums(ctx)
	if err != nil {
		return nil, err
	}
	now, err := u.checksums(ctx, db)
	if err != nil {
		return nil, err
	}
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if before[name] != now[name] {
			changed = append(changed, name)
		}
	}
	return changed, nil
}

// checksums are those of the installed modules that are on the addons path.
func (u *Upkeep) checksums(ctx context.Context, db *database.DB) (map[string]string, error) {
	names, err := db.Installed(ctx)
	if err != nil {
		return nil, err
	}
	languages, err := db.Languages(ctx)
	if err != nil {
		return nil, err
	}
	exclude, err := db.Exclude(ctx)
	if err != nil {
		return nil, err
	}
	if exclude == nil {
		exclude = addon.Exclude()
	}
	roots := u.Launch.AddonsRoots()
	sums := map[string]string{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, name := range names {
		group.Go(func() error {
			dir := addon.Find(roots, name)
			if dir == "" || ctx.Err() != nil {
				return ctx.Err() // it is gone: Odoo could not update it
			}
			sum, err := addon.Checksum(dir, exclude, languages)
			mu.Lock()
			defer mu.Unlock()
			sums[name] = sum
			return err
		})
	}
	return sums, group.Wait()
}

// update has Odoo update some modules, and keeps what they are now.
func (u *Upkeep) update(ctx context.Context, db *database.DB, o Update, modules []string) error {
	u.Say("updating %s: %s", o.Database, strings.Join(modules, ", "))
	w, work, err := u.newWatcher(ctx, o)
	if err != nil {
		return err
	}
	err = u.odoo(ctx, work, w.environ, func(pid int) { w.start(work, pid) }, o.Words(modules)...)
	if blocked := w.stop(ctx); blocked != nil {
		return blocked // and not how Odoo ended of it
	}
	if err != nil {
		return err
	}
	named := modules
	if slices.Equal(modules, []string{"all"}) {
		named = nil
	}
	if err := finished(ctx, db, named); err != nil {
		return err
	}
	sums, err := u.checksums(ctx, db)
	if err != nil {
		return err
	}
	if !o.Changed && named != nil {
		// Others may have changed as well, and were not updated.
		before, err := db.Checksums(ctx)
		if err != nil {
			return err
		}
		for _, name := range named {
			before[name] = sums[name]
		}
		sums = before
	}
	return db.SaveChecksums(ctx, sums)
}
