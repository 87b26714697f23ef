package deployment

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/setup"
)

// Section is a section of a unit: key to values, in order.
type Section map[string][]string

// Get returns the last value of a key, which is the one that holds, or "".
func (s Section) Get(key string) string {
	values := s[key]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// Unit reads a systemd unit without continued lines: section to its keys.
func Unit(t testing.TB, name, text string) map[string]Section {
	t.Helper()
	unit := map[string]Section{}
	var section Section
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, found := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && line[len(line)-1] == ']':
			section = Section{}
			unit[line[1:len(line)-1]] = section
		case !found || section == nil || strings.HasSuffix(line, `\`):
			t.Fatalf("%s: %q", name, line)
		default:
			section[key] = append(section[key], value)
		}
	}
	return unit
}

// Quadlet has podman's own generator make systemd units of the quadlets of a
// directory, and returns them by name. What it warns of fails the test.
func Quadlet(t testing.TB, dir string) map[string]map[string]Section {
	t.Helper()
	home, err := setup.Part("quadlet", "quadlet")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(home, "quadlet")
	if named := os.Getenv("QUADLET"); named != "" {
		program = named
	}
	cmd := exec.Command(program, "--user", "--dryrun", "--no-kmsg-log")
	cmd.Env = append(os.Environ(), "QUADLET_UNIT_DIRS="+dir)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("quadlet: %v\n%s", err, log.String())
	}
	for line := range strings.Lines(log.String()) {
		if _, said, _ := strings.Cut(line, ": "); !strings.HasPrefix(said, "Loading source unit file ") {
			t.Errorf("quadlet says: %s", line)
		}
	}
	units := map[string]map[string]Section{}
	for _, part := range strings.Split("\n"+out.String(), "\n---")[1:] {
		name, text, _ := strings.Cut(part, "---\n")
		units[name] = Unit(t, name, text)
	}
	return units
}

func quadlets(t testing.TB, dir string) (all []Container) {
	t.Helper()
	for _, name := range []string{"odoo", "odoo-init", "odoo-update"} {
		file := filepath.Join(dir, name+".container")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		unit := Unit(t, file, string(text))["Container"]
		c := Container{
			Name: "podman " + name, Image: unit.Get("Image"), User: unit.Get("User") + ":" + unit.Get("Group"),
			Command: append(strings.Fields(unit.Get("Entrypoint")), strings.Fields(unit.Get("Exec"))...),
			Env:     map[string]string{}, Files: map[string]string{}, Health: unit.Get("HealthCmd"),
			ReadOnly: unit.Get("ReadOnly") == "true", NoNewPrivileges: unit.Get("NoNewPrivileges") == "true",
			NoCapabilities: unit.Get("DropCapability") == "all" && unit["AddCapability"] == nil,
		}
		for _, e := range unit["Environment"] {
			key, value, _ := strings.Cut(e, "=")
			c.Env[key] = value
		}
		for _, s := range unit["Secret"] {
			secret, options, _ := strings.Cut(s, ",")
			target := "/run/secrets/" + secret
			for _, o := range strings.Split(options, ",") {
				if t, ok := strings.CutPrefix(o, "target="); ok {
					target = t
				}
			}
			c.Secrets = append(c.Secrets, target)
		}
		for _, v := range unit["Tmpfs"] {
			target, _, _ := strings.Cut(v, ":")
			c.Memory = append(c.Memory, target)
		}
		for _, v := range unit["Volume"] {
			from, to, _ := strings.Cut(v, ":")
			to, _, _ = strings.Cut(to, ":")
			if strings.HasSuffix(from, ".volume") {
				c.Volumes = append(c.Volumes, to)
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, from))
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			c.Files[to] = string(text)
		}
		all = append(all, c)
	}
	return all
}
