package queue

import (
	"context"
	"errors"
	"fmt"
)

const maxValue = 1 << 20 // bytes

// Put keeps a value of at most 1 MiB under a key of a bucket. It is for what
// may be lost: the store is no other thing's home.
func (q *Queue) Put(ctx context.Context, bucket, key string, value []byte) error {
	if err := errors.Join(checkName(bucket), checkName(key)); err != nil {
		return fmt.Errorf("keep a value: its bucket or key %w", err)
	}
	if len(value) > maxValue {
		return fmt.Errorf("keep a value for %s: it has more than %d KiB", key, maxValue>>10)
	}
	if value == nil {
		value = []byte{}
	}
	return q.transact(ctx, func(t tx) error {
		_, err := t.exec(ctx, `INSERT INTO odyssey_value (bucket, key, value) VALUES ($1, $2, $3)
			ON CONFLICT (bucket, key) DO UPDATE SET value = EXCLUDED.value`, bucket, key, value)
		return err
	})
}

// Get returns a value; nil when there is none.
func (q *Queue) Get(ctx context.Context, bucket, key string) ([]byte, error) {
	var value []byte
	found, err := one(ctx, q.store.reader(), []any{&value}, `SELECT value FROM odyssey_value WHERE bucket = $1 AND key = $2`, bucket, key)
	if found && value == nil {
		value = []byte{} // SQLite's driver makes no difference
	}
	return value, q.store.failure(err)
}

// All returns the values of a bucket by key.
func (q *Queue) All(ctx context.Context, bucket string) (map[string][]byte, error) {
	values := map[string][]byte{}
	err := q.store.reader().each(ctx, func(scan func(...any) error) error {
		var (
			key   string
			value []byte
		)
		if err := scan(&key, &value); err != nil {
			return err
		}
		if value == nil {
			value = []byte{}
		}
		values[key] = value
		return nil
	}, `SELECT key, value FROM odyssey_value WHERE bucket = $1`, bucket)
	if err != nil {
		return nil, q.store.failure(err)
	}
	return values, nil
}
