package lock_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

// What cannot be resolved stays, and all else is at its newest commit.
func TestNewest(t *testing.T) {
	t.Parallel()
	refused := errors.New("permission denied")
	for _, test := range []struct {
		name       string
		edit       []string // of repos
		fail       string   // URL
		lost, want []string
	}{
		{
			"all is there", nil, "", nil,
			[]string{"./odoo odoo 17.0 a1a1", "./odoo nuobit 17.0-fix b1b1", "./web oca 17.0 c1c1", "./web nuobit 17.0-fix b1b1", "./web oca refs/pull/7/head c2c2"},
		},
		{
			"a remote of two destinations is down", nil, "https://h/nuobit",
			[]string{"./odoo nuobit 17.0-fix", "./web nuobit 17.0-fix"},
			[]string{"./odoo odoo 17.0 a1a1", "./odoo nuobit 17.0-fix 2222", "./web oca 17.0 c1c1", "./web nuobit 17.0-fix 4444", "./web oca refs/pull/7/head c2c2"},
		},
		{
			"a remote that is another one now",
			[]string{"odoo: https://h/odoo, nuobit: https://h/nuobit", "odoo: https://h/nuobit, nuobit: https://h/nuobit"},
			"https://h/nuobit",
			[]string{"./odoo odoo 17.0, not locked", "./odoo nuobit 17.0-fix", "./web nuobit 17.0-fix"},
			[]string{"./odoo odoo 17.0 1111", "./odoo nuobit 17.0-fix 2222 base", "./odoo tree", "./web oca 17.0 c1c1", "./web nuobit 17.0-fix 4444", "./web oca refs/pull/7/head c2c2"},
		},
		{
			"a ref that is not locked",
			[]string{"[odoo 17.0,", "[odoo 17.O,"},
			"",
			[]string{"./odoo odoo 17.O, not locked"},
			[]string{"./odoo odoo 17.0 1111", "./odoo nuobit 17.0-fix 2222 base", "./odoo tree", "./web oca 17.0 c1c1", "./web nuobit 17.0-fix b1b1", "./web oca refs/pull/7/head c2c2"},
		},
		{
			"a destination that is not locked",
			[]string{"./web:", "./wep:"},
			"https://h/web",
			[]string{"./wep oca 17.0, not locked", "./wep oca refs/pull/7/head, not locked"},
			[]string{"./odoo odoo 17.0 a1a1", "./odoo nuobit 17.0-fix b1b1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			resolver := newest()
			resolver.broken = map[string]error{test.fail: refused}
			got, lost, err := lock.Newest(t.Context(), mustParse(t, strings.NewReplacer(test.edit...).Replace(repos)), mustParseLock(t, locked), resolver, 2)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, short(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var words []string
			for _, l := range lost {
				word := l.Dest + " " + l.Remote + " " + l.Ref
				if l.Locked == "" {
					word += ", not locked"
				}
				words = append(words, word)
				if fault := (*yamldoc.Error)(nil); errors.As(l.Err, &fault) == errors.Is(l.Err, refused) || l.URL == "" {
					t.Errorf("%s: %v", word, l.Err)
				}
			}
			if diff := cmp.Diff(test.lost, words); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := lock.Newest(ctx, mustParse(t, repos), &lock.File{}, newest(), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A lock without refs that cannot be brought up to date is kept as it is.
func TestNewest_withoutRefs(t *testing.T) {
	t.Parallel()
	var bare []string
	for line := range strings.Lines(locked) {
		if !strings.Contains(line, "# locked-from") {
			bare = append(bare, line)
		}
	}
	at := mustParseLock(t, strings.Join(bare, ""))
	got, lost, err := lock.Newest(t.Context(), mustParse(t, strings.Replace(repos, "[odoo 17.0,", "[odoo 17.0, odoo 17.O,", 1)), at, newest(), 2)
	if err != nil || len(lost) != 1 || got.Find("./odoo").Merges[1].Commit != at.Find("./odoo").Merges[1].Commit {
		t.Fatalf("%v, lost %+v", err, lost)
	}
	for _, c := range lock.Changes(at, got) {
		if c.Dest == "./odoo" {
			t.Errorf("changes %+v", c)
		}
	}
}
