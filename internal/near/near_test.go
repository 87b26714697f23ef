package near_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/near"
)

func TestNames(t *testing.T) {
	t.Parallel()
	keys := []string{"version", "merges", "pullRequests", "limit", "labels"}
	for _, test := range []struct {
		name, want string
		have, near []string
	}{
		{"typing error", "lables", keys, []string{"labels"}},
		{"other case", "pullrequests", keys, []string{"pullRequests"}},
		{"longer name", "limits", keys, []string{"limit"}},
		{"piece of a name", "pull", keys, []string{"pullRequests"}},
		{"path without its start", "oca/web", []string{"./oca/web", "./oca/webx", "./odoo"}, []string{"./oca/web", "./oca/webx"}},
		{"three at most, the nearest first, then by name", "abcde", []string{"abcxy", "abcdx", "abcde1", "zabcde", "abc"}, []string{"abcde1", "abcdx", "zabcde"}},
		{"nothing near", "schedule", keys, nil},
		{"nothing in common", "ab", []string{"xy"}, nil},
		{"empty", "", []string{"id"}, nil},
		{"no names", "a", nil, nil},
		{"two letters inside a long name", "er", keys, nil},
		{"too long", strings.Repeat("a", 201), []string{"aaa"}, nil},
		{"too long a name", "aaa", []string{strings.Repeat("a", 201)}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := near.Names(test.want, test.have); !slices.Equal(got, test.near) {
				t.Errorf("Names(%q) = %q, want %q", test.want, got, test.near)
			}
		})
	}
}
