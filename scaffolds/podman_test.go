package scaffolds_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/deployment"
)

// podman's generator takes the units, and makes of them what they are to be.
func TestQuadlets(t *testing.T) {
	t.Parallel()
	dir, err := filepath.Abs("deployment/podman")
	if err != nil {
		t.Fatal(err)
	}
	units := deployment.Quadlet(t, dir)
	want := []string{
		"odoo-data-volume.service", "odoo-db-volume.service", "odoo-db.service", "odoo-init.service",
		"odoo-network.service", "odoo-update.service", "odoo.service",
	}
	if got := slices.Sorted(maps.Keys(units)); !slices.Equal(got, want) {
		t.Fatalf("units %v", got)
	}
	for _, name := range []string{"odoo", "odoo-init", "odoo-update"} {
		unit := units[name+".service"]
		start := unit["Service"].Get("ExecStart")
		for _, words := range []string{"--read-only ", "--cap-drop all ", "--security-opt=no-new-privileges ", "--user 1000:1000 ", "--init ", "--network odoo "} {
			if !strings.Contains(start, " "+words) {
				t.Errorf("%s is started without %s:\n%s", name, words, start)
			}
		}
		for _, needed := range []string{"odoo-db.service", "odoo-network.service", "odoo-data-volume.service"} {
			if !slices.Contains(unit["Unit"]["Requires"], needed) || !slices.Contains(unit["Unit"]["After"], needed) {
				t.Errorf("%s begins without %s", name, needed)
			}
		}
		if job := name != "odoo"; job != (unit["Service"].Get("Type") == "oneshot") || job != (len(unit["Install"]) == 0) {
			t.Errorf("%s: type %s, install %v", name, unit["Service"].Get("Type"), unit["Install"])
		}
	}
	// A quotation mark at the end of the value would be lost.
	if start := units["odoo.service"]["Service"].Get("ExecStart"); !strings.Contains(start, `/web/health', timeout=5)\" || exit 1"`) {
		t.Errorf("the health check is not what was written:\n%s", start)
	}
	if !slices.Contains(units["odoo-update.service"]["Unit"]["Conflicts"], "odoo.service") {
		t.Error("an update runs beside the server")
	}
}
