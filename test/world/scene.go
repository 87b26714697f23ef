package world

import (
	"context"
	"fmt"
)

// The people of the scene.
const (
	ana  = "Ana Prat <ana@example.org>"
	bram = "Bram de Wit <bram@example.org>"
	chi  = "Chi Okafor <chi@example.org>"
)

// Scene makes upstream repositories odoo (branches 17.0 and
// 17.0-hotfix-stock) and server-tools (17.0), and commits a repos.yaml that
// aggregates them, with its lock, to the derived-image repository. It returns
// the repos.yaml.
func (w *World) Scene(ctx context.Context) (repos string, err error) {
	for _, name := range []string{"odoo", "server-tools"} {
		if err := w.NewUpstream(ctx, name); err != nil {
			return "", err
		}
	}
	if _, err := w.Grow(ctx, "odoo", "17.0",
		Subject{ana, "[ADD] base: the beginning"},
		Subject{ana, "[ADD] stock: pickings"},
		Subject{bram, "[ADD] stock_barcode: scan lots"},
	); err != nil {
		return "", err
	}
	if _, err := w.Fork(ctx, "odoo", "17.0", "17.0-hotfix-stock", Subject{bram, "[FIX] stock: lots without a name"}); err != nil {
		return "", err
	}
	if _, err := w.Grow(ctx, "server-tools", "17.0", Subject{chi, "[ADD] base_exception: rules"}); err != nil {
		return "", err
	}
	repos = fmt.Sprintf(`# What runs in production. Ask the platform team before adding a fork.

./odoo:
  remotes:
    odoo: %[1]s
    acme: %[1]s
  target: odoo 17.0
  merges:
    - odoo 17.0
    # until the fix is in 17.0 itself
    - acme 17.0-hotfix-stock

# --- OCA ---
./oca/server-tools:
  remotes:
    oca: %[2]s
  merges:
    - oca 17.0
`, w.URL("odoo"), w.URL("server-tools"))
	locked, err := w.Lock(ctx, repos, "")
	if err != nil {
		return "", err
	}
	_, err = w.Commit(ctx, "Lock the sources", map[string]string{"repos.yaml": repos, "repos.lock.yaml": locked})
	return repos, err
}

// Hotfix is what happens upstream in the demo.
func Hotfix() []Subject {
	return []Subject{
		{bram, "[FIX] stock: reserve once when a picking is split"},
		{ana, "[IMP] stock: migration for the new reservation field"},
		{bram, "[FIX] stock_barcode: no crash on an empty lot"},
	}
}
