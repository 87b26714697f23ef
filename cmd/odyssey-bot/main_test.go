package main

import (
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nuobit/odyssey/test/clitest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"odyssey-bot": main, "lock-repos": main})
}

func TestScript(t *testing.T) {
	t.Parallel()
	clitest.Scripts(t, "testdata/script", nil, nil)
}

func TestJoinMergeNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want []string }{
		{nil, nil},
		{[]string{"--refresh-merge", "./a", "o", "1"}, []string{"--refresh-merge", "./a o 1"}},
		{[]string{"--refresh-merge", "./a o 1", "--check"}, []string{"--refresh-merge", "./a o 1", "--check"}},
		{[]string{"--refresh-merge=./a o 1"}, []string{"--refresh-merge=./a o 1"}},
		{[]string{"--refresh-merge", "./a", "o", "1", "--refresh-merge", "./b", "p", "2", "-q"}, []string{"--refresh-merge", "./a o 1", "--refresh-merge", "./b p 2", "-q"}},
		{[]string{"--refresh-merge", "./a", "o"}, []string{"--refresh-merge", "./a o"}},
		{[]string{"--refresh-merge", "./a", "--check"}, []string{"--refresh-merge", "./a", "--check"}},
		{[]string{"--refresh-merge", "--check"}, []string{"--refresh-merge", "", "--check"}},
		{[]string{"--refresh-merge"}, []string{"--refresh-merge"}},
		{[]string{"--refresh-merge", "./a", "o", "1", "2"}, []string{"--refresh-merge", "./a o 1", "2"}},
		{[]string{"--", "--refresh-merge", "./a", "o", "1"}, []string{"--", "--refresh-merge", "./a", "o", "1"}},
	} {
		if got := joinMergeNames(test.in); !slices.Equal(got, test.want) {
			t.Errorf("%q\ngot  %q\nwant %q", test.in, got, test.want)
		}
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want []string }{
		{[]string{"/usr/bin/odyssey-bot", "plan"}, []string{"plan"}},
		{[]string{"/usr/local/bin/lock-repos", "--check"}, []string{"lock-repos", "--check"}},
		{[]string{"lock-repos", "--refresh-merge", "./a", "o", "1"}, []string{"lock-repos", "--refresh-merge", "./a o 1"}},
	} {
		if got := arguments(test.in); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q", test.in, got)
		}
	}
}
