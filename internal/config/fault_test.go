package config_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/config"
)

// hostile are documents that would be large, deep or slow if taken at their
// word.
func hostile() map[string]string {
	bomb := "merges:\n  group: &a0 {x: [y]}\n"
	for i := range 9 {
		bomb += fmt.Sprintf("  a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	var keys, groups strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
		fmt.Fprintf(&groups, "    g%d: [a]\n", i)
	}
	return map[string]string{
		"alias bomb":        bomb,
		"alias of itself":   "merges: &m {labels: [a], group: *m}\n",
		"merge of itself":   "merges: &m {<<: *m}\n",
		"depth":             "merges:\n  group: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"depth, blocks":     "merges:\n  " + strings.Repeat("- ", 5000) + "a\n",
		"duplicate key":     "merges: {}\nmerges: {}\n",
		"duplicate below":   "merges:\n  labels: [a]\n  'labels': [b]\n",
		"unknown key":       "mergers: {}\n",
		"many unknown keys": keys.String(),
		"huge unknown key":  strings.Repeat("k", 100_000) + "\n",
		"huge label":        "merges: {labels: [" + strings.Repeat("l", 500_000) + "]}\n",
		"many groups":       "merges:\n  group:\n" + groups.String(),
		"many labels":       "merges:\n  labels: [" + strings.Repeat("a,", 20_000) + "]\n",
		"foreign tag":       "merges: !!python/object:os.system {}\n",
	}
}

// TestFault_Y1_Bounded is not parallel: it measures what the process allocates.
func TestFault_Y1_Bounded(t *testing.T) { //nolint:paralleltest // it measures what the process allocates
	for name, in := range hostile() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := config.ParseRepo("f.yaml", []byte(in))
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if first := faults(t, err)[0]; first[0] != ':' || first[1] < '1' || first[1] > '9' {
			t.Errorf("%s: no line: %.100s", name, first)
		}
		if text := err.Error(); len(text) > 10_000 {
			t.Errorf("%s: a message of %d bytes", name, len(text))
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
			t.Errorf("%s: %d MiB allocated for %d KiB", name, used>>20, len(in)>>10)
		}
	}
}

func TestFault_Y1_ManyFaults(t *testing.T) {
	t.Parallel()
	_, err := config.ParseRepo("f.yaml", []byte(hostile()["many unknown keys"]))
	if got := faults(t, err); len(got) != 51 || got[50] != ": has 19950 more faults" {
		t.Errorf("%d faults, the last %q", len(got), got[len(got)-1])
	}
}

// TestFault_Y3_Glob: a glob is capped, and one that backtracks is answered.
func TestFault_Y3_Glob(t *testing.T) {
	t.Parallel()
	glob := strings.Repeat("*a", 100)
	if _, err := config.ParseRepo("f.yaml", []byte("merges: {group: {x: ['"+glob+"a']}}")); err == nil {
		t.Error("a glob of 201 characters is accepted")
	}
	repo, err := config.ParseRepo("f.yaml", []byte("merges: {group: {x: ['"+glob+"']}}"))
	if err != nil {
		t.Fatal(err)
	}
	dest := strings.Repeat("a", 4000) + "b"
	if got := repo.Merges.Group.Name(dest, "", ""); got != dest {
		t.Errorf("group is %q", got)
	}
}
