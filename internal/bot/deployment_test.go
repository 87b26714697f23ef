package bot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/bot"
	"github.com/nuobit/odyssey/internal/deploy"
	"github.com/nuobit/odyssey/internal/forge"
	"github.com/nuobit/odyssey/internal/refresh"
)

// registry is data: what images say of themselves, by tag.
type registry map[string]deploy.Content

var errGone = errors.New("no such image")

func (r registry) Describe(_ context.Context, image deploy.Image) (deploy.Content, error) {
	content, ok := r[image.Tag]
	if !ok {
		return deploy.Content{}, errGone
	}
	return content, nil
}

func imageAt(n int) deploy.Image {
	return deploy.Image{Name: "ghcr.io/acme/odoo", Tag: fmt.Sprintf("r%d", n), Digest: "sha256:" + strings.Repeat(fmt.Sprint(n), 64)}
}

const (
	stagingFile    = "overlays/staging/kustomization.yaml"
	productionFile = "overlays/production/kustomization.yaml"
)

func instances() []bot.Instance {
	return []bot.Instance{{Name: "staging", Files: []string{"overlays/staging/**"}}, {Name: "production", Files: []string{"overlays/production/**"}}}
}

// deployments is a scene whose repository runs image 1 in two instances.
func deployments(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, "")
	s.deployed(stagingFile, 1)
	s.deployed(productionFile, 1)
	return s
}

// deployed has a person write which image an instance runs.
func (s *scene) deployed(file string, n int) {
	s.t.Helper()
	s.push("main", map[string]string{file: "# by hand\nimage: " + imageAt(n).String() + "\n"})
}

// deploy runs Deploy, which must succeed, and compares "group action".
func (s *scene) deploy(d bot.Deployment, want ...string) []bot.Outcome {
	s.t.Helper()
	if d.Registry == nil {
		d.Registry = registry{"r1": {}, "r2": {}, "r3": {}}
	}
	outcomes, err := s.bot.Deploy(s.t.Context(), s.fake, s.name, d)
	must(s.t, err)
	if got := inWords(outcomes); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		s.t.Fatalf("deploy: %q, want %q: %+v", got, want, outcomes)
	}
	return outcomes
}

// merge merges the pull request from a branch.
func (s *scene) merge(branch string) {
	s.t.Helper()
	for _, pr := range s.open() {
		if pr.Head == branch {
			s.human.Merge(s.t, pr.Number)
			return
		}
	}
	s.t.Fatalf("no pull request is open from %s", branch)
}

const (
	wholeBranch = "odyssey/deploy/ghcr.io+acme+odoo"
	production  = wholeBranch + "++production"
	staging     = wholeBranch + "++staging"
	ofImage     = "ghcr.io/acme/odoo"
)

// One pull request for the repository, which keeps up with newer images and
// does nothing twice.
func TestDeploy(t *testing.T) {
	t.Parallel()
	s := deployments(t)
	s.deploy(bot.Deployment{Image: imageAt(2)}, ofImage+" opened")
	pr := s.one()
	for _, file := range []string{stagingFile, productionFile} {
		content, err := s.fake.File(t.Context(), s.repo, pr.Head, file)
		must(t, err)
		if string(content) != "# by hand\nimage: "+imageAt(2).String()+"\n" {
			t.Errorf("%s: %s", file, content)
		}
	}
	if pr.Head != wholeBranch || pr.Title != "Deploy r2" || strings.Count(pr.Body, "kustomization.yaml:2") != 2 {
		t.Errorf("%+v", pr)
	}
	writes := len(s.fake.Writes())
	s.deploy(bot.Deployment{Image: imageAt(2)}, ofImage+" unchanged")
	if len(s.fake.Writes()) != writes {
		t.Errorf("wrote again: %+v", s.fake.Writes()[writes:])
	}
	s.deploy(bot.Deployment{Image: imageAt(3)}, ofImage+" updated")
	if now := s.one(); now.Number != pr.Number || now.Title != "Deploy r3" {
		t.Errorf("%+v", now)
	}
	s.merge(wholeBranch)
	s.deploy(bot.Deployment{Image: imageAt(3)}, ofImage+" idle")
}

// The refresh of the same repository leaves them alone, and the other way round.
func TestDeploy_besideRefresh(t *testing.T) {
	t.Parallel()
	s := deployments(t)
	s.git.commits[acme] = id(11)
	s.run("./odoo opened")
	s.deploy(bot.Deployment{Image: imageAt(2)}, ofImage+" opened")
	s.run("./odoo unchanged")
	s.deploy(bot.Deployment{Image: imageAt(2)}, ofImage+" unchanged")
	if len(s.open()) != 2 {
		t.Errorf("%+v", s.open())
	}
}

// An instance waits until those before it run the image.
func TestDeploy_inOrder(t *testing.T) {
	t.Parallel()
	s := deployments(t)
	d := bot.Deployment{Image: imageAt(2), Instances: instances(), InOrder: true}
	out := s.deploy(d, ofImage+" staging opened", ofImage+" production held")
	if out[1].Reason != "it waits until staging runs this image" {
		t.Error(out[1].Reason)
	}
	s.merge(staging)
	s.deploy(d, ofImage+" staging idle", ofImage+" production opened")
	if pr := s.one(); pr.Head != production || pr.Title != "Deploy r2 to production" {
		t.Errorf("%+v", pr)
	}
	d.InOrder, d.Image = false, imageAt(3)
	s.deploy(d, ofImage+" staging opened", ofImage+" production updated")
}

// A person's revert is a hold until a newer image; so is a closed pull request.
func TestDeploy_revert(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		s := deployments(t)
		s.deploy(bot.Deployment{Image: imageAt(2)}, ofImage+" opened")
		if closed {
			_, err := s.fake.EditPullRequest(t.Context(), s.repo, s.one().Number, forge.Edit{State: forge.Closed})
			must(t, err)
		} else {
			s.merge(wholeBranch)
			s.deployed(stagingFile, 1)
			s.deployed(productionFile, 1)
		}
		out := s.deploy(bot.Deployment{Image: imageAt(2)}, ofImage+" held")
		if !strings.HasSuffix(out[0].Reason, "; it comes back with a newer image") {
			t.Error(out[0].Reason)
		}
		want := "opened"
		if closed {
			want = "reopened"
		}
		s.deploy(bot.Deployment{Image: imageAt(3)}, ofImage+" "+want)
	}
}

// Somebody else's commit on the branch stays.
func TestFault_F8_DeployLeavesPeoplesCommits(t *testing.T) {
	t.Parallel()
	s := deployments(t)
	s.deploy(bot.Deployment{Image: imageAt(2)}, ofImage+" opened")
	head := s.push(wholeBranch, map[string]string{"README.md": "mine"})
	s.deploy(bot.Deployment{Image: imageAt(3)}, ofImage+" held")
	at, err := s.fake.Branch(t.Context(), s.repo, wholeBranch)
	must(t, err)
	if at.Head != head || !strings.Contains(s.one().Body, "Somebody pushed to this branch") {
		t.Errorf("%s, want %s: %s", at.Head, head, s.one().Body)
	}
}

// What is there already by another way closes the pull request.
func TestDeploy_retire(t *testing.T) {
	t.Parallel()
	s := deployments(t)
	s.deploy(bot.Deployment{Image: imageAt(2)}, ofImage+" opened")
	s.deployed(stagingFile, 2)
	s.deployed(productionFile, 2)
	s.deploy(bot.Deployment{Image: imageAt(2)}, strings.TrimPrefix(wholeBranch, refresh.BranchPrefix)+" closed")
	if len(s.open()) != 0 {
		t.Errorf("%+v", s.open())
	}
}

func TestDeploy_text(t *testing.T) {
	t.Parallel()
	s := deployments(t)
	source := "https://git.example.org/acme/odoo-image"
	r := registry{
		"r1": {Source: source, Revision: id(21), Parts: []deploy.Part{{Name: "./odoo", Key: "a"}, {Name: "./web", Key: "b"}, {Name: "venv", Key: "c"}}},
		"r2": {Source: source, Revision: id(22), Parts: []deploy.Part{{Name: "./odoo", Key: "a2"}, {Name: "./web", Key: "b"}, {Name: "venv", Key: "c"}}},
	}
	s.deploy(bot.Deployment{Image: imageAt(2), Registry: r}, ofImage+" opened")
	body := s.one().Body
	for _, want := range []string{
		"| `" + productionFile + ":2` | `r1` `1111111` | `r2` `2222222` |",
		"Built from [`0000022`](" + source + "/commit/" + id(22) + ") of [acme/odoo-image](" + source + "), ",
		"[1 commit](" + source + "/compare/" + id(21) + "..." + id(22) + ") after the image before",
		"What differs in the image: `./odoo`.",
		"`odoo-update DB --changed`",
		"\\[FIX\\] stock: 0000022 · Ana Prat",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in\n%s", want, body)
		}
	}
}

// A label is foreign: no link and no fetch of what is no repository's URL.
func TestFault_M1_DeployLabels(t *testing.T) {
	t.Parallel()
	for _, content := range []deploy.Content{
		{Source: "ext::sh -c id", Revision: id(22)},
		{Source: "https://git.example.org/x", Revision: "@org/team `x` <img src=x>"},
		{Source: "javascript:alert(1)", Revision: id(22)},
		{Parts: []deploy.Part{{Name: "<img src=x> @org/team `fixes #1", Key: "x"}}},
	} {
		s := deployments(t)
		s.deploy(bot.Deployment{Image: imageAt(2), Registry: registry{"r1": {}, "r2": content}}, ofImage+" opened")
		body := s.one().Body
		for _, bad := range []string{"ext::", "javascript:", "@org", "fixes #1"} {
			if strings.Contains(body, bad) {
				t.Errorf("%+v: %q in\n%s", content, bad, body)
			}
		}
	}
}

// An image that the registry does not have is proposed to nobody; a file that
// cannot be changed stops its instance alone.
func TestDeploy_faults(t *testing.T) {
	t.Parallel()
	s := deployments(t)
	if _, err := s.bot.Deploy(t.Context(), s.fake, s.name, bot.Deployment{Image: imageAt(4), Registry: registry{}}); !errors.Is(err, errGone) {
		t.Errorf("%v", err)
	}
	s.push("main", map[string]string{productionFile: "image: >-\n  " + imageAt(1).String() + "\n"})
	d := bot.Deployment{Image: imageAt(2), Instances: instances(), Registry: registry{"r1": {}, "r2": {}}}
	outcomes, err := s.bot.Deploy(t.Context(), s.fake, s.name, d)
	var fault *deploy.Error
	if !errors.As(err, &fault) || fault.File != productionFile || fault.Line != 1 || !slices.Equal(inWords(outcomes), []string{ofImage + " staging opened"}) {
		t.Errorf("%v %+v", err, outcomes)
	}
	if pr := s.one(); pr.State != forge.Open || pr.Head != staging {
		t.Errorf("%+v", pr)
	}
}
