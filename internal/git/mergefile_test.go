package git_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/git"
)

func TestConflicts(t *testing.T) {
	t.Parallel()
	c := git.New(options())
	base := "a\n1\nb\n2\nc\n3\nd\n"
	for _, test := range []struct {
		name, base, ours, theirs string
		want                     bool
	}{
		{"same", base, base, base, false},
		{"one side", base, strings.Replace(base, "1", "x", 1), base, false},
		{"far apart", base, strings.Replace(base, "1", "x", 1), strings.Replace(base, "3", "y", 1), false},
		{"the same change", base, strings.Replace(base, "1", "x", 1), strings.Replace(base, "1", "x", 1), false},
		{"the same line", base, strings.Replace(base, "1", "x", 1), strings.Replace(base, "1", "y", 1), true},
		{"many", strings.Repeat("a\nb\n", 300), strings.Repeat("x\nb\n", 300), strings.Repeat("y\nb\n", 300), true},
		{"no base", "", "a\n", "b\n", true},
		{"all empty", "", "", "", false},
		{"odd names", "-x\n", "--ours\n", "-x\n", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.Conflicts(t.Context(), []byte(test.base), []byte(test.ours), []byte(test.theirs))
			if err != nil || got != test.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	if _, err := c.Conflicts(t.Context(), []byte("\x00a"), []byte("\x00b"), []byte("\x00c")); err == nil {
		t.Error("binary files merge")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Conflicts(ctx, nil, []byte("a\n"), []byte("b\n")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
