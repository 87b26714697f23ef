package config_test

import (
	"testing"

	"github.com/nuobit/odyssey/internal/config"
)

func TestGrouping_Name(t *testing.T) {
	t.Parallel()
	named := "{oca: [./oca/*, 'l10n-??'], core: [odoo, './[a-c]*//'], late: ['./oca/web', '*']}"
	for _, test := range []struct{ group, dest, want string }{
		{"destination", "./oca/web", "./oca/web"},
		{"merge", "./oca/web", "./oca/web remote ref"},
		{"all", "./oca/web", "all"},
		{named, "./oca/web", "oca"},
		{named, "oca/web", "oca"},
		{named, "./oca//web/", "oca"},
		{named, "./l10n-es", "oca"},
		{named, "odoo", "core"},
		{named, "./odoo", "core"},
		{named, "./branch", "core"},
		{named, "zebra", "late"},
		{named, "./oca/web/sub", "./oca/web/sub"},
		{named, "x/oca/web", "x/oca/web"},
	} {
		repo, err := config.ParseRepo("f.yaml", []byte("merges: {group: "+test.group+"}"))
		if err != nil {
			t.Fatal(err)
		}
		if got := repo.Merges.Group.Name(test.dest, "remote", "ref"); got != test.want {
			t.Errorf("%s: group of %s is %q, want %q", test.group, test.dest, got, test.want)
		}
	}
	if got := (config.Grouping{}).Name("./odoo", "remote", "ref"); got != "./odoo" {
		t.Errorf("zero value: group is %q", got)
	}
}
