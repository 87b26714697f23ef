package scaffolds_test

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/deployment"
)

// kinds are the deployment scaffolds, with how many containers run Odoo in each:
// the server, init and update; on Kubernetes for two overlays.
var kinds = map[string]int{"k8s": 6, "compose": 3, "podman": 3}

var pinnedRE = regexp.MustCompile(`^registry\.example\.com/acme/odoo:18\.0-py312-trixie-r0001@sha256:[0-9a-f]{64}$`)

// What holds for every container that runs Odoo, whatever runs the container.
func TestContainers(t *testing.T) {
	t.Parallel()
	for kind, count := range kinds {
		all := deployment.Odoo(t, kind, filepath.Join("deployment", kind))
		if len(all) != count {
			t.Errorf("%s has %d containers of Odoo, want %d", kind, len(all), count)
		}
		for _, c := range all {
			if !pinnedRE.MatchString(c.Image) {
				t.Errorf("%s: the image is %s", c.Name, c.Image)
			}
			if c.User != "1000:1000" || !c.ReadOnly || !c.NoNewPrivileges || !c.NoCapabilities {
				t.Errorf("%s may do what it need not: %+v", c.Name, c)
			}
			server := len(c.Command) == 0
			if server && !strings.Contains(c.Health, "/web/health") {
				t.Errorf("%s: nobody asks /web/health, but %q", c.Name, c.Health)
			}
			if !slices.Contains(c.Volumes, "/var/lib/odoo") || c.Env["ODOO_DATA_DIR"] != "/var/lib/odoo" {
				t.Errorf("%s: data in %q, volumes %v", c.Name, c.Env["ODOO_DATA_DIR"], c.Volumes)
			}
			if !slices.Contains(c.Memory, "/run") && !slices.Contains(c.Memory, "/run/odoo") {
				t.Errorf("%s: /run/odoo is not in memory, but %v", c.Name, c.Memory)
			}
			checkFiles(t, &c)
		}
	}
}

// checkFiles checks that each file that a variable names is mounted, and each
// mounted secret is named.
func checkFiles(t *testing.T, c *deployment.Container) {
	t.Helper()
	var named []string
	for _, key := range slices.Sorted(maps.Keys(c.Env)) {
		switch value := c.Env[key]; {
		case key == "ODOO_BASE_CONFIG_FILE":
			if c.Files[value] == "" {
				t.Errorf("%s: %s is %s, and the files are %v", c.Name, key, value, slices.Collect(maps.Keys(c.Files)))
			}
		case strings.HasSuffix(key, "_FILE"):
			named = append(named, value)
		case strings.Contains(key, "PASS"):
			t.Errorf("%s: %s is given in the clear", c.Name, key)
		}
	}
	slices.Sort(named)
	if secrets := slices.Sorted(slices.Values(c.Secrets)); !slices.Equal(named, secrets) {
		t.Errorf("%s: the variables name %v, the secrets are %v", c.Name, named, secrets)
	}
}
