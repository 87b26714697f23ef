package database

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Blocked is a session that waits for a lock.
type Blocked struct {
	PID int
	By  []Holder
}

// Holder is a session that has a lock for which another waits.
type Holder struct {
	PID         int
	Application string
	User        string
	State       string        // such as "idle in transaction"
	Since       time.Duration // how long its transaction is open
}

func (h Holder) String() string {
	return fmt.Sprintf("pid %d, user %s, application %q, %s, its transaction open for %s", h.PID, h.User, h.Application, h.State, h.Since.Round(time.Second))
}

// Blocked returns the sessions in this database that wait for the lock of
// another one, of those that came from the same host as this connection, after
// it, and go by one of the names of applications.
func (d *DB) Blocked(ctx context.Context, applications ...string) ([]Blocked, error) {
	const query = `
		SELECT a.pid, h.pid, coalesce(h.application_name, ''), coalesce(h.usename, ''), coalesce(h.state, ''),
			coalesce(extract(epoch FROM clock_timestamp() - h.xact_start), 0)::bigint
		FROM pg_stat_activity a
			CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS b(pid)
			JOIN pg_stat_activity h ON h.pid = b.pid
		WHERE a.datname = current_database() AND a.wait_event_type = 'Lock' AND a.application_name = ANY($1)
			AND a.client_addr IS NOT DISTINCT FROM inet_client_addr()
			AND a.backend_start > (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
		ORDER BY a.pid, h.pid`
	rows, err := d.query(ctx, query, array(applications))
	if err != nil {
		return nil, fmt.Errorf("look for locks in database %s: %w", d.Name, err)
	}
	var all []Blocked
	for _, r := range rows {
		pid := number(r.text(0))
		if len(all) == 0 || all[len(all)-1].PID != pid {
			all = append(all, Blocked{PID: pid})
		}
		last := &all[len(all)-1]
		open := time.Duration(number(r.text(5))) * time.Second
		last.By = append(last.By, Holder{PID: number(r.text(1)), Application: r.text(2), User: r.text(3), State: r.text(4), Since: open})
	}
	return all, nil
}

// number reads a whole number, which the server wrote.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// Cancel ends what a session is doing; the session stays.
func (d *DB) Cancel(ctx context.Context, pid int) error {
	_, err := d.query(ctx, "SELECT pg_cancel_backend($1)", strconv.Itoa(pid))
	return err
}
