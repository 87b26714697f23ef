package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/nuobit/odyssey/test/enterprisetest"
	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/standin"
	"github.com/nuobit/odyssey/test/world"
)

// enterprise shows the pull request in a private mirror of Odoo Enterprise: a
// portal has a bundle, from which what is not Community is imported.
func enterprise(ctx context.Context, w *world.World) error {
	step("A portal has a bundle of Odoo Enterprise, and a second repository uses a private mirror of it")
	portal := enterprisetest.StartPortal()
	defer portal.Close()
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	data, err := enterprisetest.New(3).Archive("odoo-17.0+e.20261120", day)
	if err != nil {
		return err
	}
	portal.Offer("odoo_17.0+e.20261120.tar.gz", data)
	image, mirror, err := mirrored(ctx, w)
	if err != nil {
		return err
	}
	code := filepath.Join(w.Dir, "subscription-code")
	if err := os.WriteFile(code, []byte(enterprisetest.Code+"\n"), 0o600); err != nil {
		return err
	}
	image.More = fmt.Sprintf("enterprise:\n  - repository: %s\n    mirror: %s\n    portal: %s\n    platformVersion: src_17e\n    subscriptionCodeFile: %s\n    workDirectory: %s\n",
		image.Image, mirror.Image, portal.URL, code, filepath.Join(w.Dir, "enterprise"))
	step("odyssey-bot run --only enterprise: one commit for each module, in the mirror")
	if err := runBot(ctx, image, "--only", "enterprise"); err != nil {
		return err
	}
	return show(ctx, mirror, "odyssey/enterprise/main")
}

// mirrored makes a repository with Community and a private mirror in its lock, and
// the mirror, which is empty.
func mirrored(ctx context.Context, w *world.World) (image, mirror *world.World, err error) {
	one, other := *w, *w
	image, mirror = &one, &other
	image.Image, mirror.Image = w.Owner.Login+"/odoo-enterprise-image", w.Owner.Login+"/enterprise"
	for name, private := range map[string]bool{"odoo-enterprise-image": false, "enterprise": true} {
		if err := w.Server.NewRepo(ctx, w.Owner, name, giteatest.RepoOptions{Private: private}); err != nil {
			return nil, nil, err
		}
		if err := w.Server.AddCollaborator(ctx, w.Owner, w.Owner.Login+"/"+name, w.Bot); err != nil {
			return nil, nil, err
		}
	}
	if err := w.NewUpstream(ctx, "community"); err != nil {
		return nil, nil, err
	}
	commit := giteatest.Commit{Branch: "17.0", Message: "[ADD] all: Community", Files: map[string]giteatest.File{}}
	modes := standin.Modes()
	for path, content := range standin.Files() {
		commit.Files[path] = giteatest.File{Content: content, Mode: modes[path]}
	}
	if _, err := w.Server.Push(ctx, w.Upstream, w.Upstream.Login+"/community", commit); err != nil {
		return nil, nil, err
	}
	remote, err := url.Parse(w.Server.URL)
	if err != nil {
		return nil, nil, err
	}
	remote.User = url.UserPassword(w.Bot.Login, w.Bot.Token)
	image.Credentials = filepath.Join(w.Dir, "git-credentials")
	if err := os.WriteFile(image.Credentials, []byte(remote.String()+"\n"), 0o600); err != nil {
		return nil, nil, err
	}
	repos := fmt.Sprintf("./odoo:\n  remotes:\n    odoo: %s\n  merges:\n    - odoo 17.0\n./enterprise:\n  remotes:\n    acme: %s/%s.git\n  merges:\n    - acme main\n",
		w.URL("community"), w.Server.URL, mirror.Image)
	locked, err := image.Lock(ctx, repos, "")
	if err != nil {
		return nil, nil, err
	}
	_, err = image.Commit(ctx, "Lock Community and the mirror", map[string]string{
		"repos.yaml": repos, "repos.lock.yaml": locked, ".odyssey.yaml": "enterprise: {enabled: true}\n",
	})
	return image, mirror, err
}
