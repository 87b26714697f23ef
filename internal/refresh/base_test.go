package refresh_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/internal/outward"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/test/registrytest"
)

// checkout is a refresh.Tree of data.
type checkout map[string]string

func (c checkout) Paths(context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(c)), nil
}

func (c checkout) Files(_ context.Context, paths []string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, p := range paths {
		if content, ok := c[p]; ok {
			files[p] = []byte(content)
		}
	}
	return files, nil
}

// nothing is a digest that no image has.
const nothing = "sha256:1111111111111111111111111111111111111111111111111111111111111111"

// foundation is a registry with images to build upon.
type foundation struct {
	t *testing.T
	*registrytest.Registry
	packages map[string][]refresh.Package // by reference
}

func newFoundation(t *testing.T) *foundation {
	t.Helper()
	return &foundation{t, registrytest.New(t), map[string][]refresh.Package{}}
}

// push pushes an image and returns its digest. content makes it another one.
func (f *foundation) push(name, content string, labels ...string) string {
	f.t.Helper()
	b := registrytest.Base{Files: map[string]string{"content": content}, Labels: map[string]string{}}
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		if key == "PYTHON_VERSION" {
			b.Env = append(b.Env, l)
		} else {
			b.Labels["org.opencontainers.image."+key] = value
		}
	}
	return registrytest.Push(f.t, f.Host+"/"+name, b)
}

// offer is what is proposed for Dockerfiles, in which HOST is the registry.
func (f *foundation) offer(files map[string]string, policy string) (refresh.Offer, error) {
	f.t.Helper()
	in := checkout{"README.md": "FROM nothing\n"}
	for name, content := range files {
		in[name] = strings.ReplaceAll(content, "HOST", f.Host)
	}
	parsed, err := config.ParseRepo(".odyssey.yaml", []byte(policy))
	if err != nil {
		f.t.Fatal(err)
	}
	source := &refresh.BaseImages{
		Registry: oci.New(oci.Options{Attempts: 1}),
		Now:      func() time.Time { return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC) },
		Packages: func(_ context.Context, ref oci.Reference) ([]refresh.Package, error) {
			if found, ok := f.packages[ref.Digest]; ok {
				return found, nil
			}
			return nil, oci.ErrNotFound
		},
	}
	return source.Offer(f.t.Context(), refresh.Repository{Policy: parsed, Tree: in, Commands: true})
}

// changed offers, and shows the lines that change, or what is said instead.
func (f *foundation) changed(files map[string]string, policy string) string {
	f.t.Helper()
	offer, err := f.offer(files, policy)
	if err != nil {
		f.t.Fatal(err)
	}
	var out []string
	for _, d := range offer.Drafts {
		for _, file := range d.Files {
			before, after := strings.Split(string(file.Old), "\n"), strings.Split(string(file.New), "\n")
			for i, line := range after {
				if i >= len(before) || before[i] != line {
					out = append(out, file.Path+": "+line)
				}
			}
		}
	}
	for _, h := range offer.Held {
		out = append(out, "held "+h.Group+": "+h.Reason)
	}
	slices.Sort(out)
	if len(out) == 0 {
		out = []string{offer.Idle}
	}
	return strings.ReplaceAll(strings.Join(out, "\n"), f.Host, "HOST")
}

func TestBaseImages(t *testing.T) {
	t.Parallel()
	f := newFoundation(t)
	runtime1, builder1 := f.push("odoo/oci-odoo:17.0-py310-r0001", "r1"), f.push("odoo/oci-odoo-builder:17.0-py310-r0001", "b1")
	runtime2, builder2 := f.push("odoo/oci-odoo:17.0-py310-r0002", "r2"), f.push("odoo/oci-odoo-builder:17.0-py310-r0002", "b2")
	f.push("odoo/oci-odoo:17.0-py310-r0003", "r3") // its builder is being made
	f.push("odoo/oci-odoo:18.0-py312-r0009", "other line")
	f.push("odoo/alone:17.0-py310-r0002", "alone")
	py19, py20, slim := f.push("python:3.10.19-slim", "19"), f.push("python:3.10.20-slim", "20"), f.push("python:3.10-slim", "20")
	f.push("python:3.11.1-slim", "another Python")
	const none = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	both := func(runtime, builder string) map[string]string {
		return map[string]string{
			"Dockerfile":              "ARG R=HOST/odoo/oci-odoo:17.0-py310-" + runtime + "\nFROM ${R}\n",
			"Dockerfile.source-build": "ARG B=HOST/odoo/oci-odoo-builder:17.0-py310-" + builder + "\nFROM $B\n",
		}
	}
	to2 := "Dockerfile.source-build: ARG B=HOST/odoo/oci-odoo-builder:17.0-py310-r0002@" + builder2 + "\nDockerfile: ARG R=HOST/odoo/oci-odoo:17.0-py310-r0002@" + runtime2
	one := func(image string) map[string]string {
		return map[string]string{"a/Dockerfile": "FROM HOST/" + image + "\n"}
	}
	for _, test := range []struct {
		name   string
		files  map[string]string
		policy string
		want   string
	}{
		{"builder and runtime", both("r0001@"+runtime1, "r0001@"+builder1), "", to2},
		{"one of them was moved by hand", both("r0002@"+runtime2, "r0001@"+builder1), "", "Dockerfile.source-build: ARG B=HOST/odoo/oci-odoo-builder:17.0-py310-r0002@" + builder2},
		{"as a scaffold has them", both("r0001@"+none, "r0001@"+none), "", to2},
		{"at the newest", both("r0002@"+runtime2, "r0002@"+builder2), "", "every base image is at the newest of its line"},
		{"never back", both("r0003@"+nothing, "r0002@"+builder2), "", "held HOST/odoo/oci-odoo: no tag 17.0-py310-r* from 3 on is there of all that move together"},
		{"a tag that moved", one("odoo/alone:17.0-py310-r0002@" + nothing), "", "held HOST/odoo/alone: HOST/odoo/alone:17.0-py310-r0002 stands for another image than the one that is pinned, and tags of releases are not rewritten; look before you trust it"},
		{"the tag alone, where releases moved", both("r0001@"+nothing, "r0001@"+builder1), "base: {follow: tag}", "held HOST/odoo/oci-odoo: HOST/odoo/oci-odoo:17.0-py310-r0001 stands for another image than the one that is pinned, and tags of releases are not rewritten; look before you trust it"},
		{"the next patch", one("python:3.10.19-slim@" + py19), "", "a/Dockerfile: FROM HOST/python:3.10.20-slim@" + py20},
		{"the tag alone", one("python:3.10.19-slim@" + py19), "base: {follow: tag}", "every base image is at the newest of its line"},
		{"a new build of a tag", one("python:3.10-slim@" + nothing), "", "a/Dockerfile: FROM HOST/python:3.10-slim@" + slim},
		{"a new build of a tag with a number", one("python:3.10.20-slim@" + nothing), "", "a/Dockerfile: FROM HOST/python:3.10.20-slim@" + py20},
		{
			"by digest, with a note",
			map[string]string{"Dockerfile": "# HOST/python:3.10.19-slim, 2026-01-02\nFROM HOST/python@" + py19 + "\n"},
			"",
			"Dockerfile: # HOST/python:3.10.20-slim, 2026-11-23\nDockerfile: FROM HOST/python@" + py20,
		},
		{"by digest alone", one("python@" + py19), "", "no Dockerfile pins an image by tag and digest"},
		{"by tag alone", one("python:3.10.19-slim"), "", "no Dockerfile pins an image by tag and digest"},
		{"tag that is gone", one("python:3.9-slim@" + nothing), "", "held HOST/python: the registry has no HOST/python:3.9-slim"},
		{"no such image", one("gone/python:3.9.1@" + nothing), "", "held HOST/gone/python: no tag 3.9.* from 1 on is there of all that move together"},
		{"no Dockerfile", nil, "", "no Dockerfile pins an image by tag and digest"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			want := strings.Split(test.want, "\n")
			slices.Sort(want)
			g := *f
			g.t = t
			if d := cmp.Diff(strings.Join(want, "\n"), g.changed(test.files, test.policy)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestBaseImages_describe(t *testing.T) {
	t.Parallel()
	f := newFoundation(t)
	const source = "source=https://github.com/acme/foundation"
	runtime1 := f.push("acme/oci-odoo:17.0-r0001", "1", source, "revision="+id(1), "version=17.0-1 @evil <b>", "PYTHON_VERSION=3.10.19")
	runtime2 := f.push("acme/oci-odoo:17.0-r0002", "2", source, "revision="+id(2), "version=17.0-2", "PYTHON_VERSION=3.11.1")
	builder1, _ := f.push("acme/oci-odoo-builder:17.0-r0001", "b1"), f.push("acme/oci-odoo-builder:17.0-r0002", "b2")
	f.packages[runtime1] = []refresh.Package{{"deb", "libc6", "2.41-1"}, {"deb", "libpq5", "17.1"}, {"deb", "gone", "1"}}
	f.packages[runtime2] = []refresh.Package{{"deb", "libc6", "2.41-2"}, {"deb", "libpq5", "17.1"}, {"pypi", "new|x", "1"}}
	offer, err := f.offer(map[string]string{
		"Dockerfile":   "ARG R=HOST/acme/oci-odoo:17.0-r0001@" + runtime1 + "\nFROM ${R}\nFROM HOST/acme/oci-odoo:17.0-r0001@" + runtime1 + " AS again\n",
		"Dockerfile.b": "FROM HOST/acme/oci-odoo-builder:17.0-r0001@" + builder1 + "\n",
	}, "")
	if err != nil || len(offer.Drafts) != 1 {
		t.Fatalf("%v, %+v", err, offer)
	}
	d := offer.Drafts[0]
	text, err := d.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(text.Message, "\n"+refresh.Trailer+d.Target+"\n") {
		t.Errorf("message %q", text.Message)
	}
	shown := strings.ReplaceAll("# "+text.Title+"\n\n"+text.Body+"\n---\n\n"+text.Message, f.Host, "registry.example.org")
	golden(t, "base.md", strings.ReplaceAll(shown, d.Target, "TARGET"))

	// The same images, wherever they are pinned, are the same proposal.
	again, err := f.offer(map[string]string{
		"Dockerfile":   "# moved\n\nFROM HOST/acme/oci-odoo:17.0-r0001@" + runtime1 + "\n",
		"Dockerfile.b": "FROM HOST/acme/oci-odoo-builder:17.0-r0001@" + builder1 + "\n",
	}, "")
	if err != nil || again.Drafts[0].Target != d.Target {
		t.Errorf("another target: %v", err)
	}
}

// What a registry answers decides whether the run is tried again.
func TestBaseImages_trouble(t *testing.T) {
	t.Parallel()
	f := newFoundation(t)
	old := f.push("python:3.10.19", "old")
	f.push("python:3.10.20", "new")
	files := map[string]string{"Dockerfile": "FROM HOST/python:3.10.19@" + old + "\n"}
	for status, want := range map[int]string{
		http.StatusServiceUnavailable: "transient",
		http.StatusForbidden:          "the registry does not let me read HOST/python; its credentials are for the operator of this bot to give",
		http.StatusTeapot:             "the registry does not answer for HOST/python as it should",
	} {
		f.Fail(func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/tags/list") {
				w.WriteHeader(status)
				return true
			}
			return false
		})
		offer, err := f.offer(files, "")
		got := "transient"
		if err == nil && len(offer.Held) == 1 && len(offer.Drafts) == 0 && len(offer.Waiting) == 1 {
			got = strings.ReplaceAll(offer.Held[0].Reason, f.Host, "HOST")
		} else if !errors.Is(err, refresh.ErrTransient) {
			got = "another error"
		}
		if got != want {
			t.Errorf("%d: %s, want %s; %v", status, got, want, err)
		}
	}
}

// A registry that is not there is asked again; that an address is not allowed is
// another fault, and nobody takes one for the other.
func TestBaseImages_unreachable(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	host := strings.TrimPrefix(gone.URL, "http://")
	gone.Close()
	for _, test := range []struct {
		name, host string
		insecure   bool
		allow      []string
		held       bool
	}{
		{"no such name", "gone.invalid", false, nil, false},
		{"no such name, and plain HTTP is not allowed", "gone.invalid", true, nil, false},
		{"down, and TLS is not allowed", host, true, []string{"http://" + host}, false},
		{"private", host, false, nil, true},
		{"private, both ways", host, true, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			policy, err := gitname.Bot(test.allow)
			if err != nil {
				t.Fatal(err)
			}
			asked := 0
			lookup := func(_ context.Context, _, host string) ([]netip.Addr, error) {
				asked++
				if addr, err := netip.ParseAddr(host); err == nil {
					return []netip.Addr{addr}, nil
				}
				return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
			}
			source := &refresh.BaseImages{Now: time.Now, Registry: oci.New(oci.Options{Transport: outward.Transport(policy, lookup), Insecure: test.insecure, Attempts: 1})}
			parsed, err := config.ParseRepo(".odyssey.yaml", nil)
			if err != nil {
				t.Fatal(err)
			}
			offer, err := source.Offer(t.Context(), refresh.Repository{Policy: parsed, Tree: checkout{
				"Dockerfile": "FROM " + test.host + "/x:1.2.3@" + nothing + "\nFROM " + test.host + "/y:1.2.3@" + nothing + "\n",
			}})
			if held := err == nil && len(offer.Held) == 2 && strings.Contains(offer.Held[0].Reason, "git.allow"); held != test.held || !held && !errors.Is(err, refresh.ErrTransient) {
				t.Errorf("%+v, %v", offer, err)
			}
			if asked > 1 {
				t.Errorf("looked up %d times", asked)
			}
		})
	}
}

// One registry that does not answer keeps no other images from moving.
func TestBaseImages_onePassing(t *testing.T) {
	t.Parallel()
	f := newFoundation(t)
	old := f.push("python:3.10.19", "old")
	f.push("python:3.10.20", "new")
	f.push("odoo:1.0.0", "odoo")
	f.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if broken := strings.HasPrefix(r.URL.Path, "/v2/odoo/"); !broken {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	offer, err := f.offer(map[string]string{
		"a/Dockerfile": "FROM HOST/odoo:1.0.0@" + nothing + "\n", "b/Dockerfile": "FROM HOST/python:3.10.19@" + old + "\n",
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(offer.Drafts) != 1 || len(offer.Drafts[0].Files) != 1 || offer.Drafts[0].Files[0].Path != "b/Dockerfile" {
		t.Errorf("%+v", offer.Drafts)
	}
	if !errors.Is(offer.Passing, refresh.ErrTransient) {
		t.Errorf("nobody asks again: %v", offer.Passing)
	}
	want := []refresh.Held{{Group: f.Host + "/odoo", Reason: "the registry of " + f.Host + "/odoo does not answer now; it is asked again"}}
	if d := cmp.Diff(want, offer.Held); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
