package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/test/registrytest"
	"github.com/nuobit/odyssey/test/world"
)

// foundation pushes a runtime or builder image of a release line and returns it
// as a Dockerfile names it.
func foundation(t *testing.T, registry *registrytest.Registry, name, tag, python, commit string) string {
	t.Helper()
	image := registry.Host + "/nuobit/" + name + ":" + tag
	return image + "@" + registrytest.Push(t, image, registrytest.Base{
		Env:    []string{"PYTHON_VERSION=" + python},
		Labels: map[string]string{oci.AnnotationSource: "https://github.com/nuobit/odyssey", oci.AnnotationRevision: commit},
		Files:  map[string]string{"release": name + tag},
	})
}

// The foundation images have a new release: one pull request moves builder and
// runtime in both Dockerfiles, and changes nothing else, not even what the merges
// have waiting. While the builder is still being made, nothing moves.
func TestBaseImages(t *testing.T) {
	s := newStage(t)
	registry := registrytest.New(t)
	s.AllowURL = "http://" + registry.Host
	const line = "17.0-py310-trixie-r"
	one, two := strings.Repeat("1", 40), strings.Repeat("2", 40)
	runtime, builder := foundation(t, registry, "oci-odoo", line+"0001", "3.10.19", one), foundation(t, registry, "oci-odoo-builder", line+"0001", "3.10.19", one)
	final := "# The image that runs.\nARG ODOO_RUNTIME_IMAGE=" + runtime + "\n\nFROM ${ODOO_RUNTIME_IMAGE}\nUSER 1000:1000\n"
	source := "ARG ODOO_BUILDER_IMAGE=" + builder + "\r\nFROM ${ODOO_BUILDER_IMAGE} AS build\r\n"
	s.commit("Pin the foundation", map[string]string{"Dockerfile": final, "Dockerfile.source-build": source})
	s.wantRun("idle")

	next := foundation(t, registry, "oci-odoo", line+"0002", "3.10.20", two)
	s.wantRun("idle")
	made := foundation(t, registry, "oci-odoo-builder", line+"0002", "3.10.20", two)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.wantRun("./odoo opened", "base opened")
	for _, pr := range s.pullRequests("open") {
		if pr.Head.Ref != "odyssey/base" {
			continue
		}
		want := []string{
			"-ARG ODOO_RUNTIME_IMAGE=" + runtime, "+ARG ODOO_RUNTIME_IMAGE=" + next,
			"-ARG ODOO_BUILDER_IMAGE=" + builder + "\r", "+ARG ODOO_BUILDER_IMAGE=" + made + "\r",
		}
		if d := cmp.Diff(want, changed(s.diff(pr.Number))); d != "" {
			t.Errorf("changed lines (-want +got):\n%s", d)
		}
		golden(t, "testdata/base.md", "# "+pr.Title+"\n\n"+anonymous(s, strings.ReplaceAll(pr.Body, registry.Host, "ghcr.io")))
		s.wantRun("./odoo unchanged", "base unchanged")
		s.merge(pr.Number)
	}
	s.wantRun("./odoo unchanged")
	if got := s.file("main", "Dockerfile"); got != strings.ReplaceAll(final, runtime, next) {
		t.Errorf("the Dockerfile is\n%s", got)
	}
}

// G4: a Dockerfile names a registry on a private address, which the operator has
// not allowed. It is told so, and nothing is asked.
func TestFault_G4_PrivateRegistry(t *testing.T) {
	s := newStage(t)
	registry := registrytest.New(t)
	image := foundation(t, registry, "oci-odoo", "17.0-r0001", "3.10.19", strings.Repeat("1", 40))
	registry.Fail(nil) // counts anew
	s.commit("Pin", map[string]string{"Dockerfile": "FROM " + image + "\n"})
	for _, o := range s.wantRun(registry.Host + "/nuobit/oci-odoo held") {
		if !strings.Contains(o.Reason, "git.allow") {
			t.Error(o.Reason)
		}
	}
	if n := registry.Count("GET", "/"); n > 0 {
		t.Errorf("%d requests", n)
	}
}

// A new image waits as long as the policy says since the bot has seen it, and
// nothing of the kind is proposed while people hold it.
func TestBaseImages_policy(t *testing.T) {
	s := newStage(t)
	registry := registrytest.New(t)
	s.AllowURL = "http://" + registry.Host
	const line = "17.0-py310-trixie-r"
	one := foundation(t, registry, "oci-odoo", line+"0001", "3.10.19", strings.Repeat("1", 40))
	s.commit("Pin the foundation", map[string]string{"Dockerfile": "FROM " + one + "\n", ".odyssey.yaml": "base:\n  minimumAge: 720h\n  schedule: never\nmerges:\n  schedule: never\n"})
	foundation(t, registry, "oci-odoo", line+"0002", "3.10.20", strings.Repeat("2", 40))
	if done := s.wantRun(registry.Host + "/nuobit/oci-odoo held"); !strings.Contains(done[0].Reason, "its newest, "+line+"0002, is known since ") || len(s.branches()) > 0 {
		t.Fatalf("%+v", done)
	}
	s.serve(world.ServeOptions{})
	k := s.talk()
	k.ends(k.say(s.Owner, "/hold base"), "rocket")
	s.wantRun("base held")
	k.ends(k.say(s.Owner, "/refresh base"), "confused")
	k.ends(k.say(s.Owner, "/unhold base"), "rocket")
	k.ends(k.say(s.Owner, "/refresh base"), "rocket") // which does not wait
	if pr := s.one(); pr.Head.Ref != "odyssey/base" {
		t.Errorf("branch %s", pr.Head.Ref)
	}
}
