package deployment

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// Compose loads a compose file, with all its profiles, by the library that docker
// compose loads it by.
func Compose(t testing.TB, file string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{file}, cli.WithDefaultProfiles("*"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func composed(t testing.TB, dir string) (all []Container) {
	t.Helper()
	project := Compose(t, filepath.Join(dir, "compose.yaml"))
	for _, name := range project.ServiceNames() {
		s := project.Services[name]
		if name == "db" {
			continue
		}
		c := Container{
			Name: "compose " + name, Image: s.Image, Command: slices.Concat(s.Entrypoint, s.Command),
			Env: map[string]string{}, Files: map[string]string{}, User: s.User, ReadOnly: s.ReadOnly,
			NoNewPrivileges: slices.Contains(s.SecurityOpt, "no-new-privileges:true"),
			NoCapabilities:  slices.Equal(s.CapDrop, []string{"ALL"}) && len(s.CapAdd) == 0,
		}
		for key, value := range s.Environment {
			c.Env[key] = *value
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				c.Volumes = append(c.Volumes, v.Target)
				continue
			}
			text, err := os.ReadFile(v.Source)
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			c.Files[v.Target] = string(text)
		}
		for _, m := range s.Tmpfs {
			target, _, _ := strings.Cut(m, ":")
			c.Memory = append(c.Memory, target)
		}
		for _, secret := range s.Secrets {
			if _, ok := project.Secrets[secret.Source]; !ok {
				t.Errorf("%s: there is no secret %s", c.Name, secret.Source)
			}
			c.Secrets = append(c.Secrets, "/run/secrets/"+secret.Source)
		}
		if s.HealthCheck != nil {
			c.Health = strings.Join(s.HealthCheck.Test, " ")
		}
		all = append(all, c)
	}
	return all
}
