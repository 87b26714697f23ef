package images

import (
	"debug/elf"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/test/buildahtest"
	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/world"
)

// botImage is the bot's image, built.
func botImage(t *testing.T) (*scene, *buildahtest.Container) {
	t.Helper()
	s := built(t)
	image, err := s.store.Bot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, from(t, s, image)
}

func TestBot(t *testing.T) {
	s, c := botImage(t)
	config, err := c.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"user": "1000:1000", "entry point": []string{"odyssey-bot"}, "command": []string{"serve", "--config", "/etc/odyssey/odyssey.yaml"},
		"ports": map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}}, "version": buildahtest.Version, "revision": buildahtest.Revision,
		"source": "https://github.com/nuobit/odyssey", "home": true,
	}
	for what, got := range map[string]any{
		"user": config.User, "entry point": config.Entrypoint, "command": config.Cmd, "ports": config.ExposedPorts,
		"version": config.Labels["org.opencontainers.image.version"], "revision": config.Labels["org.opencontainers.image.revision"],
		"source": config.Labels["org.opencontainers.image.source"], "home": slices.Contains(config.Env, "HOME=/var/lib/odyssey"),
	} {
		if fmt.Sprint(got) != fmt.Sprint(want[what]) {
			t.Errorf("%s: %v, want %v", what, got, want[what])
		}
	}
	out, err := c.Run(t.Context(), buildahtest.Process{Args: []string{"sh", "-euc", "odyssey-bot --version; git --version; ssh -V 2>&1; ls /etc/ssl/certs/ca-certificates.crt /usr/share/zoneinfo/Europe/Madrid"}})
	if err != nil || !strings.HasPrefix(out, "odyssey-bot version "+buildahtest.Version+" ") || !strings.Contains(out, "\ngit version 2.") {
		t.Errorf("%v: %s", err, out)
	}
	program, err := c.Read(t.Context(), "usr/local/bin/odyssey-bot")
	if err != nil {
		t.Fatal(err)
	}
	file, err := elf.NewFile(strings.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("%v: it links %v", err, libraries)
	}
	found := see(t, s, c)
	for _, fault := range findSetuidBut(found, "usr/lib/openssh/ssh-keysign", "usr/bin/ssh-agent") {
		t.Error(fault)
	}
	for name, f := range found.files {
		if _, base := s.before[name]; !base && f.Type != 'l' && f.Mode&0o022 != 0 {
			t.Errorf("/%s has the mode %04o", name, f.Mode)
		}
		if name == "var/lib/odyssey" && (f.UID != 1000 || f.GID != 1000 || f.Mode != 0o700) {
			t.Errorf("/%s: mode %04o, owner %d:%d", name, f.Mode, f.UID, f.GID)
		}
	}
}

// findSetuidBut looks for setuid and setgid programs but for those of Debian's that are named.
func findSetuidBut(s *subject, names ...string) (faults []string) {
	for name, f := range s.files {
		if f.Mode&0o6000 != 0 && s.before[name].Mode&0o6000 != f.Mode&0o6000 && f.Type == 'f' && !slices.Contains(names, name) {
			faults = append(faults, fmt.Sprintf("/%s: mode %04o", name, f.Mode))
		}
	}
	return faults
}

// readOnly runs a command in a container whose file system cannot be written
// to, as docker run --read-only --tmpfs /tmp does, with a directory for its state
// and one for its configuration.
const readOnly = `#!/bin/sh
set -eu
exec %[1]s unshare --mount sh -euc '
mount --bind %[2]s %[2]s
mount -o remount,ro,bind %[2]s
mount -t tmpfs -o mode=1777 tmpfs %[2]s/tmp
mount -t proc none %[2]s/proc
mount --bind %[3]s/state %[2]s/var/lib/odyssey
mount --bind -o ro %[3]s/config %[2]s/etc/odyssey
mount -o remount,ro,bind %[2]s/etc/odyssey
! touch %[2]s/usr/x 2>/dev/null
exec chroot --userspec=1000:1000 %[2]s env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/var/lib/odyssey odyssey-bot "$@"' odyssey-bot "$@"
`

// The image serves, and opens a pull request, as user 1000 on a file system that
// it cannot change.
func TestBot_readOnly(t *testing.T) {
	s, c := botImage(t)
	ctx := t.Context()
	server, err := giteatest.Start(ctx, giteatest.Options{Dir: t.TempDir(), Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	binary, err := world.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(ctx, server, binary, t.TempDir(), "image-")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Scene(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Grow(ctx, "odoo", "17.0", world.Hotfix()...); err != nil {
		t.Fatal(err)
	}
	public, err := world.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	status, err := world.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	dir := botFiles(t, s, w, public, status)
	wrapper := filepath.Join(t.TempDir(), "odyssey-bot")
	if err := os.WriteFile(wrapper, fmt.Appendf(nil, readOnly, strings.Join(s.store.AsRoot(), " "), c.Root(), dir), 0o755); err != nil {
		t.Fatal(err)
	}
	serving, err := world.StartProgram(ctx, wrapper, "/etc/odyssey/odyssey.yaml", public, status)
	if serving != nil {
		defer serving.Kill()
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, serving.Log())
	}
	if page, err := serving.Get(ctx, "/healthz"); err != nil {
		t.Errorf("%v: %s", err, page)
	}
	if err := w.Hook(ctx, serving.Webhooks); err != nil {
		t.Fatal(err)
	}
	var issue struct{ Number int64 }
	err = w.API(ctx, http.MethodPost, "/issues", map[string]string{"title": "Is there news?"}, &issue)
	if err == nil {
		err = w.API(ctx, http.MethodPost, fmt.Sprintf("/issues/%d/comments", issue.Number), map[string]string{"body": "/refresh"}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 600 {
		open, err := w.PullRequests(ctx, "open")
		if err != nil {
			t.Fatal(err)
		}
		if len(open) > 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("it opens no pull request:\n%s", serving.Log())
}

// botFiles makes the directories that the bot's container has from outside: its
// state, and its configuration with the secrets.
func botFiles(t *testing.T, s *scene, w *world.World, public, status string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"config", "state"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		"token": w.Bot.Token, "webhook-secret": "a-secret-of-the-tests", "odyssey.yaml": fmt.Sprintf(`version: 1
forges:
  - kind: gitea
    url: %[1]s
    tokenFile: token
    webhookSecretFile: webhook-secret
    repositories: [%[2]s]
git:
  allow: [%[1]s]
store: /var/lib/odyssey/odyssey.db
listen: %[3]s
statusListen: %[4]s
`, w.Server.URL, w.Image, public, status),
	} {
		if err := os.WriteFile(filepath.Join(dir, "config", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.store.Root(t.Context(), "chown", "-R", "1000:1000", dir); err != nil {
		t.Fatal(err)
	}
	return dir
}
