package upkeep

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/odoo/database"
)

// Init makes an empty database, or one that is not there, one of Odoo with
// some modules. args are more words for Odoo. Errors are ErrIsOdoo and
// ErrNotEmpty, when it does nothing, *database.ConnectError, *ModuleError and
// *launch.EndError.
func (u *Upkeep) Init(ctx context.Context, name string, modules, args []string) error {
	if slices.Contains([]string{maintenance, "template0", "template1"}, name) {
		return fmt.Errorf("database %s %w: PostgreSQL needs it", name, ErrReserved)
	}
	if err := u.checkModules(modules); err != nil {
		return err
	}
	if err := u.Launch.Write(); err != nil {
		return err
	}
	lock, err := u.lock(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Close(ctx)
	if err := u.checkEmpty(ctx, name); err != nil {
		return err
	}
	u.Say("initialising %s with %s", name, strings.Join(modules, ", "))
	words := append([]string{"-d", name, "-i", strings.Join(modules, ","), "--stop-after-init", "--without-demo=all"}, args...)
	if err := u.odoo(ctx, context.WithoutCancel(ctx), u.Environ, func(int) {}, words...); err != nil {
		return fmt.Errorf("initialise %s: %w", name, err)
	}
	return u.checkInitialised(ctx, name, modules)
}

// checkEmpty refuses a database with anything in it.
func (u *Upkeep) checkEmpty(ctx context.Context, name string) error {
	db, err := u.connect(ctx, name)
	if err != nil || db == nil {
		return err
	}
	defer db.Close(ctx)
	content, err := db.Content(ctx)
	switch {
	case err != nil:
		return err
	case content.IsTemplate:
		return fmt.Errorf("database %s %w: it is a template", name, ErrReserved)
	case content.IsOdoo:
		return fmt.Errorf("database %s %w; nothing was done\n  start it with odoo-run, or update it with odoo-update", name, ErrIsOdoo)
	case content.Tables == 1:
		return fmt.Errorf("database %s %w: it has the table %s; nothing was done", name, ErrNotEmpty, content.Example)
	case content.Tables > 1:
		return fmt.Errorf("database %s %w: it has %d tables, such as %s; nothing was done", name, ErrNotEmpty, content.Tables, content.Example)
	}
	return nil
}

// checkInitialised looks whether Odoo did what it was asked to do: it ends well
// also where it has passed over a module. What the addons were is kept, for the
// next update.
func (u *Upkeep) checkInitialised(ctx context.Context, name string, modules []string) error {
	db, err := u.server().Connect(ctx, name)
	if err != nil {
		return fmt.Errorf("initialise %s: Odoo ended well, but: %w", name, err)
	}
	defer db.Close(ctx)
	if err := finished(ctx, db, modules); err != nil {
		return fmt.Errorf("initialise %s: %w", name, err)
	}
	sums, err := u.checksums(ctx, db)
	if err == nil {
		err = db.SaveChecksums(ctx, sums)
	}
	if err != nil {
		return fmt.Errorf("%s is initialised, but what its addons were cannot be kept: %w", name, err)
	}
	return nil
}

// finished checks that modules are installed and none is left half done.
func finished(ctx context.Context, db *database.DB, modules []string) error {
	content, err := db.Content(ctx)
	if err != nil {
		return err
	}
	if !content.IsOdoo {
		return fmt.Errorf("although Odoo ended well, the database %w; its log tells more", ErrNotOdoo)
	}
	states, err := db.Unfinished(ctx, modules)
	if err != nil {
		return err
	}
	if len(states) > 0 {
		return fmt.Errorf("although Odoo ended well, it did not finish: %s; its log tells more", strings.Join(states, ", "))
	}
	return nil
}
