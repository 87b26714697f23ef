package chain

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/buildahtest"
	"github.com/nuobit/odyssey/test/setup"
	"github.com/nuobit/odyssey/test/world"
)

// buildAct compiles act into a directory.
func buildAct(t *testing.T) string {
	t.Helper()
	root, err := setup.Root()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join(root, "tools", "act"), "-o", bin, "github.com/nektos/act")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build act: %v\n%s", err, out)
	}
	return bin
}

// pythonLock is the Python lock that the builder image makes of a repository.
func (s *stage) pythonLock(files map[string]string) string {
	s.t.Helper()
	c, err := s.store.From(s.t.Context(), s.runner)
	s.must(err)
	defer c.Remove(s.t.Context())
	for _, name := range []string{"repos.lock.yaml", "requirements.in", "requirements-constraints.in", "requirements-overrides.in", "requirements.lock.txt"} {
		s.must(c.Write(s.t.Context(), "/tmp/"+name, files[name], 0o644))
	}
	lock, err := c.Run(s.t.Context(), buildahtest.Process{
		Args: []string{"sh", "-euc", `cd /tmp
odoo-build-image --quiet --refresh-requirements-lock -r requirements.in -c requirements-constraints.in --overrides requirements-overrides.in \
    repos.lock.yaml requirements.lock.txt >&2
cat requirements.lock.txt`},
		User: "0:0", Volumes: map[string]string{"/run/secrets": s.secrets},
	})
	s.must(err)
	return lock + "\n"
}

// place is where a release is made: a checkout on a new machine.
type place struct {
	dir   string
	env   map[string]string
	umask string // 022 by default
}

// checkout brings the repository to the runner, and runs the workflow there.
const checkout = `
umask "$1"
git clone --quiet "$2" "$3"
cd "$3"
exec /opt/act/act push --workflows .gitea/workflows/release.yml --platform ubuntu-latest=-self-hosted \
    --var ODYSSEY_ON_HOST=true --secret-file /run/secrets/secrets --eventpath /run/secrets/event.json \
    --github-instance "${4#http://}" --env GITHUB_SERVER_URL="$4"`

// start runs the release workflow on a new machine.
func (s *stage) start(p place) (*buildahtest.Container, *buildahtest.Running) {
	s.t.Helper()
	c, err := s.store.From(s.t.Context(), s.runner)
	s.must(err)
	env := map[string]string{"HOME": "/root"}
	maps.Copy(env, p.env)
	umask := p.umask
	if umask == "" {
		umask = "022"
	}
	r, err := c.Start(s.t.Context(), buildahtest.Process{
		Args: []string{"bash", "-euc", checkout, "bash", umask, s.proxy.URL + "/" + s.Image + ".git", p.dir, s.proxy.URL},
		User: "0:0", Env: env, Volumes: map[string]string{"/opt/act": s.programs, "/run/secrets": s.secrets},
	})
	if err != nil {
		c.Remove(s.t.Context())
		s.t.Fatal(err)
	}
	return c, r
}

// release runs the release workflow to its end.
func (s *stage) release(p place) {
	s.t.Helper()
	c, r := s.start(p)
	defer c.Remove(s.t.Context())
	defer r.Close()
	if err := r.Wait(); err != nil {
		s.t.Fatalf("%s: %v\n%s", s.title, err, r.Output())
	}
	s.secret(r.Output())
}

// killBeforeProposal runs the release workflow, and kills it when it is about to
// change the deployment repository.
func (s *stage) killBeforeProposal(p place) {
	s.t.Helper()
	c, r := s.start(p)
	defer c.Remove(s.t.Context())
	defer r.Close()
	killed := make(chan error, 1)
	s.proxy.Intercept(func(call world.Call) world.Fault {
		if !call.Writes() || !strings.Contains(call.Path, s.deployment) {
			return world.None
		}
		select {
		case killed <- r.Kill(s.t.Context()):
		default:
		}
		return world.Reset
	})
	err := r.Wait()
	s.proxy.Intercept(nil)
	select {
	case failed := <-killed:
		s.must(failed)
	default:
		s.t.Fatalf("%s: it ended before: %v\n%s", s.title, err, r.Output())
	}
	if ended := (*buildahtest.Error)(nil); !errors.As(err, &ended) {
		s.t.Fatalf("%s: it was not killed: %v", s.title, err)
	}
}

// tells checks that what hangs on an image, as the registry has it, has words in
// it, and no secret.
func (s *stage) tells(image, what string, words ...string) {
	s.t.Helper()
	c, err := s.store.From(s.t.Context(), s.runner)
	s.must(err)
	defer c.Remove(s.t.Context())
	out, err := c.Run(s.t.Context(), buildahtest.Process{Args: []string{"odoo-build-image", what, "--json", image}, User: "0:0"})
	s.must(err)
	s.secret(out)
	for _, word := range words {
		if !strings.Contains(out, word) {
			s.t.Errorf("the %s has no %s:\n%s", what, word, out)
		}
	}
}

// version is one of a package as Gitea lists it: a tag, or a digest.
type version struct{ Name, Version string }

func (s *stage) versions() (all []version) {
	s.t.Helper()
	s.must(s.Server.API(s.t.Context(), s.Owner, http.MethodGet, "/packages/"+s.Owner.Login+"?type=container&q=odoo&limit=50", nil, &all))
	return all
}

// released is the one image of the registry, by name, tag and digest.
func (s *stage) released() string {
	s.t.Helper()
	var tags []string
	for _, v := range s.versions() {
		if !strings.HasPrefix(v.Version, "sha256") { // a digest, or the list of what refers to one
			tags = append(tags, v.Version)
		}
	}
	if want := []string{"17.0-py313-trixie-r0001"}; !slices.Equal(tags, want) {
		s.t.Fatalf("%s: the registry has the tags %v, want %v", s.title, tags, want)
	}
	name := s.repository() + ":" + tags[0]
	digest, err := s.digest(tags[0])
	s.must(err)
	return name + "@" + digest
}

// digest asks the registry what a tag stands for.
func (s *stage) digest(tag string) (string, error) {
	address := fmt.Sprintf("%s/v2/%s/odoo/manifests/%s", s.Server.URL, s.Owner.Login, tag)
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodHead, address, http.NoBody)
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(s.Owner.Login, s.tokens["REGISTRY_TOKEN"])
	req.Header.Set("Accept", "application/vnd.oci.image.index.v1+json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	digest := answer.Header.Get("Docker-Content-Digest")
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK || digest == "" {
		return "", fmt.Errorf("HEAD %s: %s %w", address, answer.Status, err)
	}
	return digest, nil
}

// forget deletes the released image, so that nothing of it can be taken over.
func (s *stage) forget() {
	s.t.Helper()
	for _, v := range s.versions() {
		s.must(s.Server.API(s.t.Context(), s.Owner, http.MethodDelete, "/packages/"+s.Owner.Login+"/container/"+v.Name+"/"+url.PathEscape(v.Version), nil, nil))
	}
	if left := s.versions(); len(left) != 0 {
		s.t.Fatalf("%s: the registry keeps %v", s.title, left)
	}
}
