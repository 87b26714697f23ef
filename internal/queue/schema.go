package queue

import (
	"context"
	"fmt"
)

// schemas are our tables beside River's, by version from 1 on. What is
// published is never changed: a change is one more version. Times are
// nanoseconds since 1970 but in odyssey_process, whose clock is the database's.
//
// A target is a subject with a kind. Its wanted_generation counts the requests;
// a run takes the generations up to taken_generation, and what comes after it
// causes the run that follows. job is the river_job that waits or runs for it,
// or 0; token is the attempt's that counts, or empty; waiting is since when the
// job has been waiting for other kinds' of the subject, or 0.
func schemas() [][]string {
	return [][]string{{
		`CREATE TABLE odyssey_delivery (
			source text NOT NULL,
			id text NOT NULL,
			event text NOT NULL,
			at bigint NOT NULL,
			wants text NOT NULL DEFAULT '[]',
			PRIMARY KEY (source, id))`,
		`CREATE INDEX odyssey_delivery_at ON odyssey_delivery (at)`,
		`CREATE TABLE odyssey_target (
			subject text NOT NULL,
			kind text NOT NULL,
			wanted_generation bigint NOT NULL,
			taken_generation bigint NOT NULL DEFAULT 0,
			done_generation bigint NOT NULL DEFAULT 0,
			dead_generation bigint NOT NULL DEFAULT 0,
			job bigint NOT NULL DEFAULT 0,
			token text NOT NULL DEFAULT '',
			note text NOT NULL DEFAULT '',
			PRIMARY KEY (subject, kind))`,
		`CREATE TABLE odyssey_item (
			subject text NOT NULL,
			kind text NOT NULL,
			id text NOT NULL,
			generation bigint NOT NULL,
			state text NOT NULL,
			job bigint NOT NULL DEFAULT 0,
			at bigint NOT NULL,
			data text NOT NULL,
			PRIMARY KEY (subject, kind, id))`,
		`CREATE INDEX odyssey_item_waiting ON odyssey_item (subject, kind, generation) WHERE state = 'waiting'`,
		`CREATE INDEX odyssey_item_at ON odyssey_item (at)`,
		`CREATE TABLE odyssey_tick (key text NOT NULL PRIMARY KEY, at bigint NOT NULL)`,
		`CREATE TABLE odyssey_value (
			bucket text NOT NULL,
			key text NOT NULL,
			value bytea NOT NULL,
			PRIMARY KEY (bucket, key))`,
		`CREATE TABLE odyssey_process (id text NOT NULL PRIMARY KEY, beat timestamp with time zone NOT NULL)`,
	}, {
		`ALTER TABLE odyssey_target ADD COLUMN waiting bigint NOT NULL DEFAULT 0`,
	}}
}

const versionTable = `CREATE TABLE IF NOT EXISTS odyssey_schema (version bigint NOT NULL)`

// checkVersion refuses a store that a newer program has made.
func checkVersion(ctx context.Context, c conn) error {
	if _, err := c.exec(ctx, versionTable); err != nil {
		return err
	}
	_, err := storedVersion(ctx, c)
	return err
}

func storedVersion(ctx context.Context, c conn) (int, error) {
	var version int
	if _, err := one(ctx, c, []any{&version}, `SELECT COALESCE(MAX(version), 0) FROM odyssey_schema`); err != nil {
		return 0, err
	}
	if newest := len(schemas()); version > newest {
		return 0, fmt.Errorf("a newer odyssey-bot has made the store: it has version %d, this program knows %d; run the newer one", version, newest)
	}
	return version, nil
}

// migrateOwn makes the tables that are missing.
func migrateOwn(ctx context.Context, t tx) error {
	version, err := storedVersion(ctx, t)
	if err != nil {
		return err
	}
	for i, statements := range schemas()[version:] {
		for _, s := range statements {
			if _, err := t.exec(ctx, s); err != nil {
				return fmt.Errorf("make the store's tables: %w", err)
			}
		}
		if _, err := t.exec(ctx, `INSERT INTO odyssey_schema (version) VALUES ($1)`, version+i+1); err != nil {
			return err
		}
	}
	return nil
}
