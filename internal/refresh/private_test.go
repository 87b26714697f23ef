package refresh_test

import (
	"testing"

	"github.com/nuobit/odyssey/internal/refresh"
)

func TestDiscretion(t *testing.T) {
	t.Parallel()
	private := []string{"https://git.example.org/acme/enterprise.git"}
	for url, tells := range map[string]bool{
		"https://git.example.org/acme/enterprise":       false,
		"https://git.example.org/ACME//x/../Enterprise": false,
		"git@git.example.org:acme/enterprise.git":       false,
		"ssh://git@git.example.org:22/acme/enterprise":  false,
		"https://git.example.org./acme/enterprise/":     false,
		"https://git.example.org/acme/enterprise2.git":  true,
		"https://git.example.org/oca/web.git":           true,
		"git@github.com:odoo/enterprise.git":            false,
		"https://git.example.net/odoo/enterprise":       false,
		"https://github.com/odoo/odoo":                  true,
		"no url at all":                                 false,
		// By ssh a forge may have another host name.
		"ssh://git@ssh.git.example.org:2222/acme/enterprise.git": false,
		"ssh://git@ssh.git.example.org:2222/acme/odoo.git":       true,
		"https://git.example.net/acme/enterprise":                true,
	} {
		if got := (refresh.Discretion{Public: true, Private: private}).Tells(url); got != tells {
			t.Errorf("%s is told of: %v, want %v", url, got, tells)
		}
		if !(refresh.Discretion{Private: private}).Tells(url) {
			t.Errorf("%s is not told of where nobody else reads", url)
		}
	}
}

// Of Enterprise nothing is told in a private repository either.
func TestDiscretion_enterprise(t *testing.T) {
	t.Parallel()
	d := refresh.Discretion{Enterprise: []string{"https://git.example.org/git/acme/enterprise.git"}}
	for url, tells := range map[string]bool{
		"https://git.example.org/git/acme/enterprise":      false,
		"ssh://git@ssh.example.org:2222/ACME/enterprise":   false,
		"git@git.example.org:git/acme/enterprise.git":      false,
		"https://git.example.org/git/acme/hotfix":          true,
		"git@git.example.org:other-acme/enterprise.git":    true,
		"https://mirror.example.org/git/acme/enterprise/x": true,
	} {
		for _, d.Public = range []bool{false, true} {
			if got := d.Tells(url); got != tells {
				t.Errorf("%s is told of: %v, want %v (public: %v)", url, got, tells, d.Public)
			}
		}
	}
}
