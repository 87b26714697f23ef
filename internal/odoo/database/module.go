package database

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// The parameters of a database in which click-odoo-update keeps what it knows.
const (
	checksumsParameter = "module_auto_update.installed_checksums"
	excludeParameter   = "module_auto_update.exclude_patterns"
)

// Installed returns the names of the modules that are installed or about to
// be updated, sorted.
func (d *DB) Installed(ctx context.Context) ([]string, error) {
	return d.texts(ctx, "SELECT name FROM ir_module_module WHERE state IN ('installed', 'to upgrade') ORDER BY name COLLATE \"C\"")
}

// Languages returns the codes of the active languages, such as fr_FR.
func (d *DB) Languages(ctx context.Context) ([]string, error) {
	return d.texts(ctx, "SELECT code FROM res_lang WHERE active ORDER BY code COLLATE \"C\"")
}

// texts runs a query with one column.
func (d *DB) texts(ctx context.Context, query string, args ...string) ([]string, error) {
	rows, err := d.query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("ask database %s: %w", d.Name, err)
	}
	var all []string
	for _, r := range rows {
		all = append(all, r.text(0))
	}
	return all, nil
}

// Exclude returns the patterns of files that do not count in a checksum; nil
// when the database has none of its own.
func (d *DB) Exclude(ctx context.Context) ([]string, error) {
	value, ok, err := d.parameter(ctx, excludeParameter)
	if err != nil || !ok {
		return nil, err
	}
	var patterns []string
	for pattern := range strings.SplitSeq(value, ",") {
		patterns = append(patterns, strings.TrimSpace(pattern))
	}
	return patterns, nil
}

// Checksums returns the checksums of the modules when they were last updated.
// A module without one has none there.
func (d *DB) Checksums(ctx context.Context) (map[string]string, error) {
	value, ok, err := d.parameter(ctx, checksumsParameter)
	if err != nil || !ok || value == "" {
		return map[string]string{}, err
	}
	var all map[string]any // click-odoo-update notes a module without files as false
	if err := json.Unmarshal([]byte(value), &all); err != nil {
		return nil, fmt.Errorf("database %s: the parameter %s is not what odoo-update wrote: %w\n  remove it; then the next update updates every module", d.Name, checksumsParameter, err)
	}
	sums := map[string]string{}
	for name, sum := range all {
		if text, ok := sum.(string); ok {
			sums[name] = text
		}
	}
	return sums, nil
}

// SaveChecksums keeps checksums in the place of those that are there.
func (d *DB) SaveChecksums(ctx context.Context, sums map[string]string) error {
	value, err := json.Marshal(sums)
	if err != nil {
		return err
	}
	const (
		update = "UPDATE ir_config_parameter SET value = $2, write_date = now() AT TIME ZONE 'UTC' WHERE key = $1 RETURNING 1"
		insert = "INSERT INTO ir_config_parameter (key, value, create_date, write_date) VALUES ($1, $2, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')"
	)
	rows, err := d.query(ctx, update, checksumsParameter, string(value))
	if err == nil && len(rows) == 0 {
		_, err = d.query(ctx, insert, checksumsParameter, string(value))
	}
	if err != nil {
		return fmt.Errorf("keep the checksums in database %s: %w", d.Name, err)
	}
	return nil
}

func (d *DB) parameter(ctx context.Context, key string) (value string, ok bool, err error) {
	rows, err := d.query(ctx, "SELECT value FROM ir_config_parameter WHERE key = $1 AND value IS NOT NULL", key)
	if err != nil {
		return "", false, fmt.Errorf("read the parameter %s of database %s: %w", key, d.Name, err)
	}
	if len(rows) == 0 {
		return "", false, nil
	}
	return rows[0].text(0), true, nil
}

// Unfinished returns those of some modules that are not installed, and every
// module that is yet to be updated, each with its state.
func (d *DB) Unfinished(ctx context.Context, modules []string) ([]string, error) {
	const query = `
		SELECT coalesce(m.name, wanted.name) || ' is ' || coalesce(m.state, 'unknown')
		FROM ir_module_module m FULL JOIN unnest($1::text[]) AS wanted(name) ON wanted.name = m.name
		WHERE m.state = 'to upgrade' OR wanted.name IS NOT NULL AND m.state IS DISTINCT FROM 'installed'
		ORDER BY 1`
	return d.texts(ctx, query, array(modules))
}
