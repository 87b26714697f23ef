package main

import (
	"testing"

	"github.com/nuobit/odyssey/internal/gitname"
)

// Only a registry that the operator names without TLS is asked without.
func TestRegistries_of(t *testing.T) {
	t.Parallel()
	allow := []string{"http://registry.internal:5000", "http://Plain.internal/acme/", "https://tls.internal:5000/", "ssh://git.internal/"}
	policy, err := gitname.Bot(allow)
	if err != nil {
		t.Fatal(err)
	}
	r := newRegistries(policy, allow)
	for repository, plain := range map[string]bool{
		"registry.internal:5000/a/b": true, "plain.internal/acme/x": true,
		"registry.internal/a": false, "registry.internal:50000/a": false, "tls.internal:5000/a": false, "git.internal/a": false, "ghcr.io/acme/odoo": false,
	} {
		if got := r.of(repository) == r.plain; got != plain {
			t.Errorf("%s without TLS: %v, want %v", repository, got, plain)
		}
	}
}
