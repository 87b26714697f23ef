package git

import (
	"context"
	"slices"
	"time"
)

// SetDepths sets to which depths histories are fetched, the last one last.
func (s *Store) SetDepths(depths ...int) { s.depths = slices.Concat(depths, []int{fullDepth}) }

// SetMaxPacks sets how many packs the pool may have.
func (s *Store) SetMaxPacks(n int) { s.packs = n }

// Tidy makes fewer packs of the pool's many.
func (s *Store) Tidy(ctx context.Context) error { return s.tidy(ctx) }

// SetPatience sets how long a dead line is borne with.
func (s *Store) SetPatience(d time.Duration) { s.direct.patience = d }

// MaxHaves is how many commits a server is told of.
const MaxHaves = maxHaves

// ParseMerge reads what merge-tree prints.
func ParseMerge(out string, labels map[string]string) (MergeResult, error) {
	return parseMerge(out, labels)
}

// ParseEntry reads what ls-tree prints of an entry.
func ParseEntry(record string) (Entry, error) { return parseEntry(record) }
