package scaffolds_test

import (
	"slices"
	"testing"

	"github.com/nuobit/odyssey/test/deployment"
)

func TestCompose(t *testing.T) {
	t.Parallel()
	project := deployment.Compose(t, "deployment/compose/compose.yaml")
	for name, service := range project.Services {
		for _, v := range service.Volumes {
			if _, ok := project.Volumes[v.Source]; v.Type == "volume" && !ok {
				t.Errorf("%s: there is no volume %s", name, v.Source)
			}
		}
		if job := name == "init" || name == "update"; job != slices.Equal(service.Profiles, []string{"jobs"}) {
			t.Errorf("%s: profiles %v", name, service.Profiles)
		}
		for _, p := range service.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open to the world", name, p.Published)
			}
		}
		if !service.ReadOnly || service.User == "" {
			t.Errorf("%s: read-only %v, user %q", name, service.ReadOnly, service.User)
		}
	}
	if db := project.Services["db"]; len(db.Networks) != 1 || len(db.Ports) != 0 || !project.Networks["back"].Internal {
		t.Errorf("the database is to be reached from outside: %v %v", db.Networks, db.Ports)
	}
	if d, ok := project.Services["odoo"].DependsOn["db"]; !ok || d.Condition != "service_healthy" {
		t.Errorf("odoo does not wait for db: %+v", d)
	}
}
