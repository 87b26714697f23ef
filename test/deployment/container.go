package deployment

import "testing"

// Container is a container of a deployment, whatever describes it.
type Container struct {
	Name    string // of what describes it, and of the container in it
	Image   string
	Command []string // instead of the image's entrypoint, with arguments; none: the entrypoint
	Env     map[string]string
	Files   map[string]string // what is mounted, but no secret: path to content
	Secrets []string          // paths of the secrets
	// Volumes are the paths of volumes that are kept, Memory those of volumes in memory.
	Volumes, Memory []string
	User            string // that it runs as: UID:GID
	Health          string // what is asked whether it is well, "" when nothing is
	// What it may not do.
	ReadOnly, NoNewPrivileges, NoCapabilities bool
}

// Odoo returns the containers of a deployment scaffold that run Odoo. Dir is a
// scaffold of the kind: k8s, compose or podman.
func Odoo(t testing.TB, kind, dir string) []Container {
	t.Helper()
	switch kind {
	case "k8s":
		return kubernetes(t, dir)
	case "compose":
		return composed(t, dir)
	case "podman":
		return quadlets(t, dir)
	}
	t.Fatalf("there is no kind %s", kind)
	return nil
}
