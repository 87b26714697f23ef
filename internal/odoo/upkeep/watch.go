package upkeep

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nuobit/odyssey/internal/odoo/database"
)

// watcher looks whether an update waits for the locks of other sessions.
type watcher struct {
	u       *Upkeep
	timeout time.Duration
	db      *database.DB // nil when nothing is watched

	environ     []string           // for Odoo
	application string             // by which its sessions go
	cancel      context.CancelFunc // of the context in which Odoo runs and is watched
	ended       chan struct{}      // closed when the watch is over; nil before it begins
	blocked     error              // set before ended is closed
}

// newWatcher connects before Odoo does. The context is the one to run Odoo in.
func (u *Upkeep) newWatcher(ctx context.Context, o Update) (*watcher, context.Context, error) {
	const variable = "ODOO_PGAPPNAME="
	w := &watcher{u: u, timeout: o.LockTimeout, application: "odoo-update-" + rand.Text()[:8]}
	w.environ = slices.DeleteFunc(slices.Clone(u.Environ), func(kv string) bool { return strings.HasPrefix(kv, variable) })
	w.environ = append(w.environ, variable+w.application)
	if w.timeout > 0 {
		db, err := u.server().Connect(ctx, o.Database)
		if err != nil {
			return nil, nil, err
		}
		w.db = db
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel = cancel
	return w, work, nil
}

// start begins to watch Odoo.
func (w *watcher) start(work context.Context, pid int) {
	if w.db == nil {
		return
	}
	w.ended = make(chan struct{})
	go func() {
		defer close(w.ended)
		w.blocked = w.watch(work, []string{w.application, fmt.Sprintf("odoo-%d", pid)})
	}()
}

// stop ends the watch. The error is ErrBlocked when Odoo had to be ended.
func (w *watcher) stop(ctx context.Context) error {
	w.cancel()
	if w.ended != nil {
		<-w.ended
	}
	if w.db != nil {
		w.db.Close(ctx)
	}
	return w.blocked
}

// watch looks until work ends. It ends the work when a session has waited too long.
func (w *watcher) watch(work context.Context, applications []string) error {
	tick := time.NewTicker(min(time.Second, w.timeout/3))
	defer tick.Stop()
	since := map[int]time.Time{}
	for {
		select {
		case <-work.Done():
			return nil
		case <-tick.C:
		}
		sessions, err := w.db.Blocked(work, applications...)
		if err != nil {
			if work.Err() == nil {
				w.u.Say("locks are no longer watched: %v", err)
			}
			return nil
		}
		now := time.Now()
		waiting := map[int]time.Time{}
		for _, b := range sessions {
			first, known := since[b.PID]
			if !known {
				first = now
				for _, holder := range b.By {
					w.u.Say("the update waits for the lock of another session (%s)", holder)
				}
			}
			waiting[b.PID] = first
			if now.Sub(first) >= w.timeout {
				return w.end(work, b)
			}
		}
		since = waiting
	}
}

// end has the server end the statement that waits, in which Odoo heeds no
// signal, and Odoo itself.
func (w *watcher) end(work context.Context, b database.Blocked) error {
	var holders []string
	for _, holder := range b.By {
		holders = append(holders, holder.String())
	}
	err := fmt.Errorf("%w after %s: %s\n  end that session, or set --lock-timeout", ErrBlocked, w.timeout, strings.Join(holders, "; "))
	w.u.Say("ending the update")
	if failed := w.db.Cancel(work, b.PID); failed != nil {
		w.u.Say("its statement cannot be cancelled: %v", failed)
	}
	w.cancel()
	return err
}
