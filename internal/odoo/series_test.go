package odoo_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/odoo"
	"github.com/nuobit/odyssey/internal/yamldoc"
)

func TestSeries(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ line, want string }{
		{"version_info = (17, 0, 0, FINAL, 0, '')", "17.0"},
		{"version_info = (19, 1, 0, ALPHA, 1, '')", "19.1"},
		{"version_info = ('saas~17', 4, 0, FINAL, 0, '')", "saas~17.4"},
		{"version_info = (\"saas~17\", 4, 0, FINAL, 0, '')", "saas~17.4"},
		{"version_info=(  10 ,0,0,FINAL,0,'')", "10.0"},
		{"version_info = (\n    18,\n    0, 0, FINAL, 0, '')", "18.0"},
		{"version_info = (16, 0, 0, FINAL, 0, '')\r\nversion_info = (17, 0, 0, FINAL, 0, '')", "17.0"},
		{"# version_info = (16, 0, 0, FINAL, 0, '')", ""},
		{"version_info = (MAJOR, 0, 0, FINAL, 0, '')", ""},
		{"version_info = (99999, 0, 0, FINAL, 0, '')", ""},
		{"version_info = (17,)", ""},
		{"", ""},
		{"version_info = (17, 0, 0, FINAL, 0, '')\n" + strings.Repeat("#", 1<<20), ""},
	} {
		for _, name := range []string{"odoo", "openerp"} {
			tree := write(t, map[string]string{name + "/release.py": "# -*- coding: utf-8 -*-\nimport os\nFINAL = 'final'\n" + test.line + "\nserie = 'x'\n"})
			got, err := odoo.Series(tree)
			fault := (*yamldoc.Error)(nil)
			switch {
			case test.want == "" && (!errors.As(err, &fault) || fault.Path != filepath.Join(tree, name, "release.py")):
				t.Errorf("%s: %v is no fault of the file", test.line, err)
			case test.want != "" && (err != nil || got != test.want):
				t.Errorf("%s: %q, %v", test.line, got, err)
			}
		}
	}
	_, err := odoo.Series(t.TempDir())
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "odoo/release.py") {
		t.Errorf("%v", err)
	}
	outside := write(t, map[string]string{"release.py": "version_info = (17, 0, 0, FINAL, 0, '')"})
	tree := write(t, map[string]string{"odoo/release.py": "-> " + filepath.Join(outside, "release.py")})
	if got, err := odoo.Series(tree); err == nil {
		t.Errorf("read %s by a link out of the tree", got)
	}
}
