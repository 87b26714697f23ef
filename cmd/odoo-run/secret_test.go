package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/postgrestest"
)

// Secrets are in the rendered file, which only its user may read, and nowhere
// else: not in what is said, in arguments, in the environment of Odoo and what it
// starts, or in other files, whether all goes well or not.
func TestFault_T1_SecretsStayInTheFile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	password := postgrestest.New(t).Password
	const canary = "canary-admin"
	h.env = slices.DeleteFunc(h.env, func(kv string) bool { return strings.HasPrefix(kv, "ODOO_DB_PASSWORD_FILE=") })
	h.env = append(h.env, "ODOO_DB_PASSWORD="+password, "ODOO_ADMIN_PASSWD="+canary)
	if err := os.Remove(filepath.Join(h.dir, "password")); err != nil {
		t.Fatal(err)
	}
	h.write(t, "base.conf", "[options]\n"+canary+"\n")
	const look = "import sys\nfor name in ('environ', 'cmdline'):\n    print(open('/proc/self/' + name).read())\n"
	h.write(t, "look.py", look)
	with := func(kv ...string) *house {
		other := *h
		other.env = slices.Concat(slices.DeleteFunc(slices.Clone(h.env), func(have string) bool {
			return slices.ContainsFunc(kv, func(one string) bool {
				name, _, _ := strings.Cut(one, "=")
				return strings.HasPrefix(have, name+"=")
			})
		}), kv)
		return &other
	}
	looking := with("ODOO_BIN=" + filepath.Join(h.dir, "look.py"))
	for _, test := range []struct {
		house *house
		code  int
		words []string
	}{
		{looking, 0, []string{"odoo-run", "shell"}},
		{looking, 0, []string{"odoo-shell", h.name}},
		{looking, 1, []string{"odoo-init", h.name}}, // what ran was not Odoo
		{h, 0, []string{"odoo-run", "--check"}},
		{h, 0, []string{"odoo-init", h.name}},
		{h, 0, []string{"odoo-update", h.name, "--changed", "--check"}},
		{looking, 1, []string{"odoo-update", h.name + "-none", "all"}},
		{looking, 0, []string{"odoo-update", h.name, "all"}},
		{with("ODOO_DB_PORT=1"), 1, []string{"odoo-update", h.name, "all"}},
		{with("ODOO_DB_USER=" + "nobody"), 1, []string{"odoo-update", h.name, "all"}},
		{with("ODOO_BASE_CONFIG_FILE=" + filepath.Join(h.dir, "base.conf")), 2, []string{"odoo-run"}},
		{with("ODOO_ADMIN_PASSWD= " + canary), 2, []string{"odoo-run"}},
		{with("ODOO_RUNTIME_RC=/proc/x/odoo.conf"), 1, []string{"odoo-run"}},
	} {
		r := finish(t, test.house.command(t.Context(), test.words[0], test.words[1:]...))
		if r.code != test.code || r.stdout+r.stderr == "" {
			t.Errorf("%q: exit code %d, want %d\n%s%s", test.words, r.code, test.code, r.stdout, r.stderr)
		}
		for _, secret := range []string{password, canary} {
			if strings.Contains(r.stdout+r.stderr, secret) {
				t.Errorf("%q shows a secret:\n%s%s", test.words, r.stdout, r.stderr)
			}
		}
	}
	seen := 0
	err := filepath.WalkDir(h.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		has := strings.Contains(string(text), password) || strings.Contains(string(text), canary)
		switch name := strings.TrimPrefix(path, h.dir+"/"); {
		case name == "run/odoo.conf" && has:
			seen++
		case has && name != "base.conf":
			t.Errorf("%s has a secret", path)
		}
		return err
	})
	if err != nil || seen != 1 {
		t.Errorf("%v; the rendered file was seen %d times", err, seen)
	}
}
