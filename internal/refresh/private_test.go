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
	} {
		if got := (refresh.Discretion{Public: true, Private: private}).Tells(url); got != tells {
			t.Errorf("%s is told of: %v, want %v", url, got, tells)
		}
		if !(refresh.Discretion{Private: private}).Tells(url) {
			t.Errorf("%s is not told of where nobody else reads", url)
		}
	}
}
