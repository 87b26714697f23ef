package addonwheels_test

import (
	"archive/zip"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/addonwheels"
)

// Every wheel has one addon where the doc comment says.
func TestWheels(t *testing.T) {
	t.Parallel()
	series := map[string]int{}
	for _, wheel := range addonwheels.Wheels(t) {
		r, err := zip.OpenReader(wheel)
		if err != nil {
			t.Fatal(err)
		}
		var manifests []string
		for _, file := range r.File {
			dir, base := path.Split(file.Name)
			switch parent := path.Dir(path.Clean(dir)); {
			case base == "__manifest__.py" && parent == "odoo/addons", base == "__openerp__.py" && parent == "odoo_addons":
				manifests = append(manifests, file.Name)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if len(manifests) != 1 {
			t.Errorf("%s has the manifests %q", filepath.Base(wheel), manifests)
		}
		version, _, _ := strings.Cut(strings.Split(filepath.Base(wheel), "-")[1], ".")
		series[version]++
	}
	for _, want := range []string{"8", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20"} {
		if series[want] == 0 {
			t.Errorf("no addon of series %s; there are %v", want, series)
		}
	}
}
