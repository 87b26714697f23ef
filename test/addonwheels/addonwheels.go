// Package addonwheels finds wheels with real Odoo addons, of the Odoo series 8
// to 20 and of many repositories. test/setup.sh downloads them if they are
// missing.
package addonwheels

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/nuobit/odyssey/test/setup"
)

// find looks for the directory once in a process.
var find = sync.OnceValues(func() (string, error) { return setup.Part("addonwheels", "addonwheels") })

// Wheels returns the paths of the wheels, sorted. Each is a zip archive with
// one addon, in odoo/addons/NAME; in odoo_addons/NAME of series 8, and with
// __openerp__.py for a manifest.
func Wheels(t testing.TB) []string {
	t.Helper()
	dir, err := find()
	if err != nil {
		t.Fatal(err)
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(wheels) == 0 {
		t.Fatalf("%s has no wheels; remove it and run test/setup.sh addonwheels", dir)
	}
	return wheels
}
