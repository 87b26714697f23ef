package bot

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/odoo"
)

// installed reads the files of a deployment repository that list the addons which
// its databases have installed.
func (b *Bot) installed(ctx context.Context, f Reader, repo forge.Repo, paths []string) (map[string]bool, error) {
	snapshot, err := f.Snapshot(ctx, repo, paths)
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	for _, path := range paths {
		data, has := snapshot.Files[path]
		if !has {
			return nil, fmt.Errorf("%s has no %s", repo.Name, path)
		}
		for n, line := range slices.Collect(strings.Lines(string(data))) {
			line, _, _ = strings.Cut(line, "#")
			for _, addon := range separators.Split(strings.TrimSpace(line), -1) {
				if addon != "" && !odoo.IsModuleName(addon) {
					return nil, fmt.Errorf("%s: %s:%d: %.100q is no name of an addon", repo.Name, path, n+1, addon)
				}
				all[addon] = true
			}
		}
	}
	delete(all, "")
	return all, nil
}

var separators = regexp.MustCompile(`[\s,]+`)

// deployed finds out what is installed where the image of the repository runs, and
// who says so. All deployments must say it, and what is private is not told in a
// repository that is not; nil: not known.
func (v *visit) deployed(ctx context.Context) (addons map[string]bool, by string) {
	var names []string
	for _, d := range v.policy.Deployments {
		if len(d.Installed) == 0 {
			return nil, ""
		}
		name, err := forge.ParseName(d.Repository)
		if err != nil {
			return nil, ""
		}
		repo, err := v.forge.Repo(ctx, name)
		if err == nil && (repo.Private || repo.Internal) && !v.repo.Private {
			return nil, ""
		}
		var found map[string]bool
		if err == nil {
			found, err = v.installed(ctx, v.forge, repo, d.Installed)
		}
		if err != nil {
			v.Log.Info("which addons are installed is not known", "repo", v.repo.String(), "err", err)
			return nil, ""
		}
		if addons == nil {
			addons = map[string]bool{}
		}
		for addon := range found {
			addons[addon] = true
		}
		names = append(names, name.String())
	}
	return addons, strings.Join(names, ", ")
}
