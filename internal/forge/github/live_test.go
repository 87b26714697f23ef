//go:build live

package github_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/forge/github"
	"github.com/nuobit/odyssey/internal/secret"
)

// TestLive goes on a tour of a repository on GitHub itself. CONTRIBUTING.md
// says what it needs and what it leaves behind.
func TestLive(t *testing.T) {
	t.Parallel()
	name, err := forge.ParseName(os.Getenv("ODYSSEY_GITHUB_REPO"))
	if err != nil {
		t.Fatalf("ODYSSEY_GITHUB_REPO: %v", err)
	}
	o := github.Options{API: os.Getenv("ODYSSEY_GITHUB_API"), Token: secret.New(os.Getenv("ODYSSEY_GITHUB_TOKEN"))}
	if id := os.Getenv("ODYSSEY_GITHUB_APP"); id != "" {
		if o.App.ID, err = strconv.ParseInt(id, 10, 64); err != nil {
			t.Fatalf("ODYSSEY_GITHUB_APP: %v", err)
		}
		if o.App.Key, err = secret.ReadKey(os.Getenv("ODYSSEY_GITHUB_KEY")); err != nil {
			t.Fatalf("ODYSSEY_GITHUB_KEY: %v", err)
		}
	}
	f, err := github.New(o)
	if err != nil {
		t.Fatalf("%v: set ODYSSEY_GITHUB_TOKEN, or ODYSSEY_GITHUB_APP and ODYSSEY_GITHUB_KEY", err)
	}
	newTour(t, f, name, o.App.ID != 0).all()
}
