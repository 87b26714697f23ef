package main

import (
	"context"
	"strings"

	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/world"
)

// retire shows what becomes of a merge whose fix is in its base by now.
func retire(ctx context.Context, w *world.World) error {
	step("A fix that a repository merges has landed in its base")
	fix := giteatest.Commit{
		Branch: "17.0-fix-rules", From: "17.0", Message: "[FIX] base_exception: rules without a model", Author: "Chi Okafor <chi@example.org>",
		Files: map[string]giteatest.File{"base_exception/views/rules.xml": {Content: "<!-- rules without a model -->\n"}},
	}
	landed := fix
	landed.Branch, landed.Message = "17.0", fix.Message+" (#7)"
	if _, err := w.Server.Push(ctx, w.Upstream, w.Upstream.Login+"/server-tools", fix, landed); err != nil {
		return err
	}
	repos, err := w.File(ctx, "main", "repos.yaml")
	if err != nil {
		return err
	}
	locked, err := w.File(ctx, "main", "repos.lock.yaml")
	if err != nil {
		return err
	}
	repos = strings.Replace(repos, "    - oca 17.0\n", "    - oca 17.0\n    # until it is in 17.0\n    - oca 17.0-fix-rules\n", 1)
	if locked, err = w.Lock(ctx, repos, locked, "--refresh", "./oca/server-tools"); err != nil {
		return err
	}
	if _, err := w.Commit(ctx, "Merge a fix of OCA", map[string]string{"repos.yaml": repos, "repos.lock.yaml": locked}); err != nil {
		return err
	}
	step("odyssey-bot run --only merges: the line is not needed any more")
	if err := runBot(ctx, w, "--only", "merges"); err != nil {
		return err
	}
	return show(ctx, w, "odyssey/retire/oca+server-tools")
}

// onboard shows the pull request that adds a first configuration.
func onboard(ctx context.Context, w *world.World) error {
	step("odyssey-bot run, with onboarding: a repository without an .odyssey.yaml is asked for one")
	w.Onboarding = true
	defer func() { w.Onboarding = false }()
	if err := runBot(ctx, w, "--only", "merges"); err != nil {
		return err
	}
	return show(ctx, w, "odyssey/configure")
}
