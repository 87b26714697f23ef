// Package upkeep initialises and updates Odoo databases: it looks into a
// database, runs Odoo as a child, and looks again. Two that work on the same
// database wait for one another.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/near"
	"github.com/nuobit/odyssey/internal/odoo/addon"
	"github.com/nuobit/odyssey/internal/odoo/database"
	"github.com/nuobit/odyssey/internal/odoo/launch"
	"github.com/nuobit/odyssey/internal/secret"
)

// Upkeep is what the work needs of the world.
type Upkeep struct {
	Launch  *launch.Launch
	Environ []string // for Odoo
	// Signals are handed on to Odoo while it runs. They end the context of the work
	// as well.
	Signals <-chan os.Signal
	Streams [3]*os.File // of Odoo
	// Say tells people what goes on, a line each time.
	Say func(format string, args ...any)
}

// Reasons for which nothing is done.
var (
	ErrIsOdoo   = errors.New("is a database of Odoo already")
	ErrNotEmpty = errors.New("is not empty")
	ErrNotOdoo  = errors.New("is no database of Odoo")
	ErrReserved = errors.New("is not for Odoo")
	ErrBlocked  = errors.New("the update waited too long for a lock, and was ended")
)

// ModuleError says that modules are not to be found.
type ModuleError struct{ Msg string }

func (e *ModuleError) Error() string { return e.Msg }

const (
	maintenance = "postgres"       // the database in which others are created
	grace       = 30 * time.Second // for Odoo to end by itself
)

// server is where the configuration says that the databases are.
func (u *Upkeep) server() database.Server {
	option := u.Launch.Option
	return database.Server{
		Host: option("db_host"), Port: option("db_port"), User: option("db_user"), Password: secret.New(option("db_password")), SSLMode: option("db_sslmode"),
	}
}

// connect connects to a database; nil when it is not there.
func (u *Upkeep) connect(ctx context.Context, name string) (*database.DB, error) {
	db, err := u.server().Connect(ctx, name)
	if errors.Is(err, database.ErrNotExist) {
		return nil, nil
	}
	return db, err
}

// lock keeps others from working on a database, which need not be there yet.
// It is held until the connection is closed that comes back. The lock is in the
// database of all databases; where the user may not connect to that one, in
// the database itself.
func (u *Upkeep) lock(ctx context.Context, name string) (*database.DB, error) {
	at, err := u.server().Connect(ctx, maintenance)
	if err != nil {
		own, ownErr := u.server().Connect(ctx, name)
		if errors.Is(ownErr, database.ErrNotExist) {
			return nil, fmt.Errorf("database %s does not exist, and Odoo could not create it: %w", name, err)
		}
		if ownErr != nil {
			return nil, ownErr
		}
		at = own
	}
	err = at.Lock(ctx, "odoo-run/"+name, func() { u.Say("another odoo-init or odoo-update works on %s; waiting for it", name) })
	if err != nil {
		at.Close(ctx)
		return nil, err
	}
	return at, nil
}

// odoo runs Odoo with some words and waits for its end.
func (u *Upkeep) odoo(ctx, work context.Context, environ []string, started func(pid int), words ...string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	argv, err := u.Launch.Argv(words...)
	if err != nil {
		return err
	}
	child, err := launch.Start(argv, environ, u.Streams)
	if err != nil {
		return err
	}
	started(child.PID)
	// The signals that end ctx are handed on themselves.
	err = child.Wait(work, u.Signals, grace)
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return err
}

// checkModules finds names that are no modules on the addons path.
func (u *Upkeep) checkModules(names []string) error {
	roots := u.Launch.AddonsRoots()
	var errs []error
	for _, name := range names {
		if addon.Find(roots, name) != "" {
			continue
		}
		msg := fmt.Sprintf("there is no module %q on the addons path", name)
		if alike := near.Names(name, addon.Names(roots)); len(alike) > 0 {
			msg += "\n  did you mean " + strings.Join(alike, ", ") + "?"
		}
		errs = append(errs, &ModuleError{msg})
	}
	return errors.Join(errs...)
}
