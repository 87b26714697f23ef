package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/registrytest"
)

func TestMain(m *testing.M) { os.Exit(giteatest.Main(m)) }

// cutting passes requests on to a real registry and breaks the connection of uploads, each after some
// bytes.
func cutting(t testing.TB, to string, cuts ...int64) *registrytest.Registry {
	t.Helper()
	upstream, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { hangUp(w) },
	}
	reg := registrytest.Start(proxy)
	t.Cleanup(reg.Stop)
	var next atomic.Int32
	reg.Fail(func(_ http.ResponseWriter, r *http.Request) bool {
		if i := int(next.Load()); r.Method == http.MethodPatch && i < len(cuts) {
			next.Add(1)
			r.Body = &cutBody{ReadCloser: r.Body, left: cuts[i]}
		}
		return false
	})
	return reg
}

// cutBody is a body that ends with a fault.
type cutBody struct {
	io.ReadCloser
	left int64
}

func (c *cutBody) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the line is cut")
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// publishes has a registry take an image over a line that is cut, and read it back.
func publishes(t *testing.T, c *Client, base Reference, repository string) {
	t.Helper()
	dir := t.TempDir()
	files(t, dir, goldenFiles())
	a := assembly(t, c, base, dir)
	a.Sources[0].Tree = &Tree{Prefix: "opt/odoo/src/addons", Dirs: 3, Files: map[string][]byte{"noise": noiseBytes(t, 12<<20)}}
	a.Attach = attached
	to := target(t, repository)
	result, err := c.Assemble(t.Context(), a, to, Tags{Next: "17.0-py312-trixie-r"})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(result.Tags, " "); got != "17.0-py312-trixie-r0001" {
		t.Errorf("the tags are %q", got)
	}
	image, err := c.Image(t.Context(), to.Reference.WithTag("17.0-py312-trixie-r0001"), linux())
	if err != nil {
		t.Fatal(err)
	}
	if image.Layers[2].Annotations["key"] != "1" || image.Reference.Digest != result.Manifest {
		t.Errorf("read back %+v", image)
	}
	// The layer that was cut is whole: reading it checks its digest.
	found, err := c.HasFile(t.Context(), image, "opt/odoo/src/addons/noise")
	if err != nil || !found {
		t.Errorf("noise: %v, %v", found, err)
	}
	if differences, err := c.Compare(t.Context(), image, image.Layers[2], a.Sources[0].Tree); err != nil || len(differences) > 0 {
		t.Errorf("differs: %v, %v", differences, err)
	}
	// Nothing moved: the same layers, no new tag.
	again := a
	again.Sources = []Source{{Name: "./addons", From: image, Same: &image.Layers[2], Annotations: a.Sources[0].Annotations}, a.Sources[1]}
	same, err := c.Assemble(t.Context(), again, to, Tags{Next: "17.0-py312-trixie-r"})
	if err != nil || same.Digest != result.Digest || strings.Join(same.Tags, " ") != "17.0-py312-trixie-r0001" {
		t.Errorf("again: %+v, %v", same, err)
	}
	// What hangs on it is there once, though neither registry has the API for it.
	for _, kind := range []string{TypeSBOM, TypeStatement} {
		found, err := c.Referrers(t.Context(), to.Reference.WithDigest(result.Digest), kind)
		if err != nil || len(found) != 1 {
			t.Errorf("%s: %+v, %v", kind, found, err)
			continue
		}
		if data, err := c.ReadReferrer(t.Context(), to.Reference.WithDigest(result.Digest), found[0]); err != nil || len(data) == 0 {
			t.Errorf("%s: %q, %v", kind, data, err)
		}
	}
	// Another image gets the next number, and not a tag that is taken.
	other := a
	other.Annotations = map[string]string{AnnotationRevision: "def"}
	next, err := c.Assemble(t.Context(), other, to, Tags{Next: "17.0-py312-trixie-r"})
	if err != nil || strings.Join(next.Tags, " ") != "17.0-py312-trixie-r0002" {
		t.Errorf("next: %+v, %v", next, err)
	}
	taken := (*TagError)(nil)
	if _, err := c.Assemble(t.Context(), other, to, Tags{Names: []string{"17.0-py312-trixie-r0001"}}); !errors.As(err, &taken) || taken.Has != result.Digest {
		t.Errorf("a tag that is taken: %v", err)
	}
}

func noiseBytes(t testing.TB, size int) []byte {
	t.Helper()
	var b strings.Builder
	if err := noise(size)(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

// TestDockerRegistry publishes in Debian's docker-registry, which is asked how far it got.
func TestDockerRegistry(t *testing.T) {
	t.Parallel()
	daemon, err := registrytest.StartDaemon(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(daemon.Stop)
	reg := cutting(t, "http://"+daemon.Host, 5<<20, 2<<20)
	base := pushBase(t, registrytest.New(t))
	c, _ := newClient(t)
	publishes(t, c, base, reg.Host+"/acme/odoo")
	// From one repository to another of the same registry nothing is sent.
	before := reg.Count(http.MethodPatch, "")
	dir := t.TempDir()
	files(t, dir, addons())
	image, err := c.Image(t.Context(), Reference{Repository: reg.Host + "/acme/odoo", Tag: "17.0-py312-trixie-r0001"}, linux())
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.repository(t.Context(), reg.Host+"/acme/other", pushing, reg.Host+"/acme/odoo")
	if err != nil {
		t.Fatal(err)
	}
	from, err := c.repository(t.Context(), reg.Host+"/acme/odoo", pulling)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range image.Layers {
		if err := r.copyBlob(t.Context(), from, l); err != nil {
			t.Error(err)
		}
	}
	if sent := reg.Count(http.MethodPatch, "") - before; sent > 0 {
		t.Errorf("%d uploads instead of mounts", sent)
	}
}

// TestGitea publishes in Gitea's registry, with tokens that are asked for by a password. It loses
// sessions whose connection breaks.
func TestGitea(t *testing.T) {
	gitea := giteatest.New(t)
	user, err := gitea.NewUser(t.Context(), "packer")
	if err != nil {
		t.Fatal(err)
	}
	base := pushBase(t, registrytest.New(t))
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	host := strings.TrimPrefix(gitea.URL, "http://")
	reg := cutting(t, gitea.URL, 5<<20)
	auth := fmt.Sprintf(`{"auths":{%q:{"username":%q,"password":%q},%q:{"username":%q,"password":%q}}}`, host, user.Login, user.Token, reg.Host, user.Login, user.Token)
	mustWrite(t, filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), auth)
	c, _ := newClient(t)
	publishes(t, c, base, host+"/"+user.Login+"/odoo")
	// Through a line that is cut.
	r, err := c.repository(t.Context(), reg.Host+"/"+user.Login+"/cut", pushing)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.upload(context.WithoutCancel(t.Context()), "layer", noise(9<<20))
	if err != nil || got != digestOfNoise(t, 9<<20) {
		t.Errorf("over a line that is cut: %+v, %v", got, err)
	}
}
