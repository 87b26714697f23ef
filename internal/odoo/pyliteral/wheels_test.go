package pyliteral_test

import (
	"archive/zip"
	"io/fs"
	"testing"

	"github.com/nuobit/odyssey/test/addonwheels"
)

// TestParse_wheels compares on the manifests of real addons.
func TestParse_wheels(t *testing.T) {
	t.Parallel()
	var files [][]byte
	for _, wheel := range addonwheels.Wheels(t) {
		r, err := zip.OpenReader(wheel)
		if err != nil {
			t.Fatal(err)
		}
		for _, pattern := range []string{"odoo/addons/*/__manifest__.py", "odoo_addons/*/__openerp__.py"} {
			names, err := fs.Glob(r, pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				data, err := fs.ReadFile(r, name)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, data)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(files) == 0 {
		t.Fatal("no manifest")
	}
	compare(t, files, false)
}
