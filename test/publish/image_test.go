// Package publish tests what a tag of this repository publishes: its workflows,
// the archives of the programs, and images/publish.sh.
package publish

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/buildahtest"
	"github.com/nuobit/odyssey/test/registrytest"
)

// publisher runs images/publish.sh with a buildah and a registry.
type publisher struct {
	t          *testing.T
	env        []string
	repository string
	args       []string // of a build, with which all is pinned
}

// run returns what it prints, and its exit code.
func (p *publisher) run(args ...string) (stdout, stderr string, code int) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), root+"/images/publish.sh", args...)
	cmd.Env = append(os.Environ(), p.env...)
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(out.String()), said.String(), cmd.ProcessState.ExitCode()
}

// want fails the test unless it ends with an exit code and has said something.
func (p *publisher) want(code int, words string, args ...string) string {
	p.t.Helper()
	out, said, got := p.run(args...)
	if got != code || !strings.Contains(said, words) {
		p.t.Fatalf("publish.sh %q ends with %d, want %d and %q:\n%s", args, got, code, words, said)
	}
	return out
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	ctx := t.Context()
	store, err := buildahtest.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	registry, err := registrytest.StartDaemon(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Stop)
	b, err := store.Foundation(ctx, "bot")
	if err != nil {
		t.Fatal(err)
	}
	p := &publisher{t: t, repository: registry.Host + "/nuobit/odyssey-bot"}
	for key, value := range b.Args {
		switch key {
		case "BASE_IMAGE", "GO_IMAGE":
			digest, err := store.Digest(ctx, value)
			if err != nil {
				t.Fatal(err)
			}
			value = value[:strings.LastIndex(value, ":")] + "@" + digest
		case "VERSION", "REVISION":
			continue
		}
		p.args = append(p.args, key+"="+value)
	}
	program := filepath.Join(t.TempDir(), "odoo-build-image")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/nuobit/odyssey/cmd/odoo-build-image").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.env = []string{
		"BUILDAH=" + strings.Join(store.Command(), " "), "ODOO_BUILD_IMAGE=" + program, "BUILDAH_ISOLATION=chroot", "BUILDAH_LAYERS=true",
	}
	t.Cleanup(func() {
		for _, tag := range []string{"v1.2.3", "17.0-py310-trixie-r0001"} {
			_ = store.Forget(context.WithoutCancel(ctx), "localhost/odyssey-publish/bot:"+tag)
		}
	})
	return p
}

// An image whose bases are pinned is built, pushed, joined and tagged, with the
// annotations on the index by which a registry knows its repository. Its tag is
// never moved.
func TestImage(t *testing.T) {
	p := newPublisher(t)
	dir := t.TempDir()
	bot, other := filepath.Join(dir, "bot"), filepath.Join(dir, "other")
	p.want(2, "images/bot/Dockerfile: BASE_IMAGE is docker.io/library/debian:trixie-slim, which is no image by its digest", "build", "bot", p.repository, release, bot)
	p.want(2, "there is no images/absent/Dockerfile", "build", "absent", p.repository, release, bot)
	p.want(2, "is for another Python than the base has", append([]string{"build", "bot", p.repository, "17.0-py310-trixie-r0001", bot}, p.args...)...)

	p.want(0, "", append([]string{"build", "bot", p.repository, release, bot}, p.args...)...)
	image := p.want(0, "", "join", p.repository, release, bot)
	name, digest, _ := strings.Cut(image, "@")
	if name != p.repository+":"+release || !strings.HasPrefix(digest, "sha256:") {
		t.Errorf("it prints %q", image)
	}
	index := p.index(release)
	revision, err := exec.CommandContext(t.Context(), "git", "-C", root, "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"source": "https://github.com/nuobit/odyssey", "revision": strings.TrimSpace(string(revision)), "version": release,
		"description": "Keeps the sources of Odoo images locked and fresh with pull requests",
	} {
		if got := index.Annotations["org.opencontainers.image."+key]; got != want {
			t.Errorf("the index has the %s %q, want %q", key, got, want)
		}
	}
	if content := string(read(t, bot)); len(index.Manifests) != 1 || content != p.repository+"@"+index.Manifests[0].Digest+"\n" {
		t.Errorf("the index is of %+v, and the image is %s", index.Manifests, content)
	}

	// What was begun may be done again, and what is another image is refused.
	if again := p.want(0, "", "join", p.repository, release, bot); again != image {
		t.Errorf("it prints %q, and printed %q", again, image)
	}
	p.want(4, "is there already", append([]string{"build", "bot", p.repository, release, bot}, p.args...)...)
	another := registrytest.Push(t, p.repository+":another", registrytest.Base{})
	if err := os.WriteFile(other, []byte(p.repository+"@"+another+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.want(4, release, "join", p.repository, release, other)
	if now := p.index(release); len(now.Manifests) != 1 || now.Manifests[0] != index.Manifests[0] {
		t.Error("the tag was moved")
	}
}

// index is one of images, as a registry has it.
type index struct {
	MediaType   string
	Annotations map[string]string
	Manifests   []struct{ Digest string }
}

func (p *publisher) index(tag string) (i index) {
	p.t.Helper()
	host, name, _ := strings.Cut(p.repository, "/")
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+host+"/v2/"+name+"/manifests/"+tag, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.oci.image.index.v1+json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err == nil {
		err = json.Unmarshal(data, &i)
	}
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(i.MediaType, "index") {
		p.t.Fatalf("%s: %v: %s", answer.Status, err, data)
	}
	return i
}
