package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/oci"
	"github.com/nuobit/odyssey/test/registrytest"
	"github.com/nuobit/odyssey/test/world"
)

const (
	overlay    = "overlays/production/kustomization.yaml"
	kustomized = `# Changed by pull requests of odyssey-bot.
images:
  - name: odoo
    newName: %s
    newTag: %s
    digest: %s
`
)

// release is an image of the derived-image repository at its present commit.
type released struct{ name, tag, digest string }

func (r released) String() string { return r.name + ":" + r.tag + "@" + r.digest }

func (s *stage) release(registry *registrytest.Registry, tag string) released {
	s.t.Helper()
	var branch struct{ Commit struct{ ID string } }
	s.api("GET", "/branches/main", nil, &branch)
	r := released{name: registry.Host + "/acme/odoo", tag: tag}
	r.digest = registrytest.Push(s.t, r.name+":"+tag, registrytest.Base{Labels: map[string]string{
		oci.AnnotationSource: s.Server.URL + "/" + s.Image, oci.AnnotationRevision: branch.Commit.ID,
	}})
	return r
}

// bump runs bump-deployment on the derived-image repository, where the
// deployment is, too.
func (s *stage) bump(ctx context.Context, image released, args ...string) ([]bot.Outcome, error) {
	s.t.Helper()
	config, err := s.Config()
	must(s.t, err)
	cmd := exec.CommandContext(ctx, s.Binary, append([]string{
		"bump-deployment", "--json", "--config", config, "--repo", s.Image, "--image", image.String(),
	}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, &stderr)
	}
	var outcomes []bot.Outcome
	if bad := json.Unmarshal(out, &outcomes); bad != nil && err == nil {
		s.t.Fatalf("%v: %s", bad, out)
	}
	return outcomes, err
}

func (s *stage) wantBump(want string, image released, args ...string) bot.Outcome {
	s.t.Helper()
	outcomes, err := s.bump(s.t.Context(), image, args...)
	must(s.t, err)
	if len(outcomes) != 1 || string(outcomes[0].Action) != want {
		s.t.Fatalf("%+v, want %s", outcomes, want)
	}
	return outcomes[0]
}

// A refresh is merged, its image released, and the deployment moves to it; a
// revert holds that image.
func TestDeploy(t *testing.T) {
	s := newStage(t)
	registry := registrytest.New(t)
	before := s.release(registry, "18.0-r0001")
	s.commit("Deploy", map[string]string{overlay: fmt.Sprintf(kustomized, before.name, before.tag, before.digest)})
	fix := s.grow("odoo", hotfix, "[FIX] stock: reserve once")
	s.wantRun("./odoo opened")
	s.merge(s.one().Number)
	after := s.release(registry, "18.0-r0002")

	s.wantBump("would be opened", after, "--dry-run")
	if open := s.pullRequests("open"); len(open) != 0 {
		t.Fatalf("a dry run opened %+v", open)
	}
	s.wantBump("opened", after)
	pr := s.one()
	if got := s.file(pr.Head.SHA, overlay); got != fmt.Sprintf(kustomized, before.name, after.tag, after.digest) {
		t.Errorf("the file is\n%s", got)
	}
	if pr.Title != "Deploy 18.0-r0002" {
		t.Error(pr.Title)
	}
	for _, want := range []string{
		"| `" + overlay + ":6` | `18.0-r0001` `" + before.digest[7:14] + "` | `18.0-r0002` `" + after.digest[7:14] + "` |",
		" after the image before.",
		"| ./odoo · acme " + strings.ReplaceAll(hotfix, "_", `\_`) + " | ",
		"[`" + fix[:7] + "`](" + s.URL("odoo")[:len(s.URL("odoo"))-len(".git")] + "/commit/" + fix + ")",
		"**Upgrade:** `odoo-update DB stock` — no migration script, no model and no version changed",
	} {
		if !strings.Contains(pr.Body, want) {
			t.Errorf("%q is not in\n%s", want, pr.Body)
		}
	}
	s.wantBump("unchanged", after)
	s.wantRun("idle") // the refresh leaves it alone
	s.merge(pr.Number)
	s.wantBump("idle", after)

	s.commit("Back to the image before", map[string]string{overlay: fmt.Sprintf(kustomized, before.name, before.tag, before.digest)})
	if o := s.wantBump("held", after); !strings.Contains(o.Reason, "taken back since") {
		t.Error(o.Reason)
	}
	s.wantBump("opened", s.release(registry, "18.0-r0003"))
}

// C7: the image is pushed, and what changes the deployment is interrupted after
// each of its writes: the same digest is bumped once.
func TestFault_C7_BumpInterrupted(t *testing.T) {
	for _, at := range []world.Fault{world.Reset, world.LoseAnswer} {
		for write := 1; write <= 2; write++ {
			t.Run(fmt.Sprint(at, " ", write), func(t *testing.T) {
				s := newStage(t)
				registry := registrytest.New(t)
				before := s.release(registry, "18.0-r0001")
				s.commit("Deploy", map[string]string{overlay: fmt.Sprintf(kustomized, before.name, before.tag, before.digest)})
				after := s.release(registry, "18.0-r0002")
				ctx, kill := context.WithCancel(t.Context())
				seen := 0
				s.proxy.Before = func(c world.Call) world.Fault {
					if !c.Writes() {
						return world.None
					}
					if seen++; seen != write {
						return world.None
					}
					kill()
					return at
				}
				if _, err := s.bump(ctx, after); err == nil {
					t.Fatal("it was not interrupted")
				}
				s.proxy.Before = nil
				outcomes, err := s.bump(t.Context(), after)
				must(t, err)
				pr := s.one()
				if len(outcomes) != 1 || s.file(pr.Head.SHA, overlay) != fmt.Sprintf(kustomized, after.name, after.tag, after.digest) {
					t.Errorf("%+v", outcomes)
				}
				s.wantBump("unchanged", after)
				if n := len(s.branches()); n != 1 {
					t.Errorf("%d branches", n)
				}
			})
		}
	}
}

// What the registry does not have is proposed to nobody.
func TestDeploy_absentImage(t *testing.T) {
	s := newStage(t)
	registry := registrytest.New(t)
	before := s.release(registry, "18.0-r0001")
	s.commit("Deploy", map[string]string{overlay: fmt.Sprintf(kustomized, before.name, before.tag, before.digest)})
	absent := before
	absent.tag, absent.digest = "18.0-r0009", "sha256:"+strings.Repeat("9", 64)
	if _, err := s.bump(t.Context(), absent); err == nil || !strings.Contains(err.Error(), absent.digest) {
		t.Error(err)
	}
	if open := s.pullRequests("open"); len(open) != 0 {
		t.Errorf("%+v", open)
	}
}
