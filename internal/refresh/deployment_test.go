package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/refresh"
	"github.com/nuobit/odyssey/test/gitserver"
)

type historianFunc func(url string, ranges []git.Range) ([]git.History, error)

func (h historianFunc) Histories(_ context.Context, url string, ranges []git.Range) ([]git.History, error) {
	return h(url, ranges)
}

func deployment() *refresh.Deployment {
	return &refresh.Deployment{
		Image: "ghcr.io/acme/odoo", Instance: "production", Tag: "18.0-py312-trixie-r0008", Digest: "sha256:" + strings.Repeat("2", 64),
		Places: []refresh.Place{{File: "overlays/production/kustomization.yaml", Line: 8, Tag: "18.0-py312-trixie-r0007", Digest: "sha256:" + strings.Repeat("1", 64)}},
		Source: "https://git.example.org/acme/odoo-image.git", Old: strings.Repeat("a", 40), New: strings.Repeat("b", 40),
		Merges: []lock.Change{{Dest: "./odoo", Remote: "oca", Ref: "18.0", Old: strings.Repeat("c", 40), New: strings.Repeat("d", 40), URL: "https://github.com/OCA/OCB.git"}},
	}
}

// The first screen says what a reviewer asks.
func TestDeployment_Describe(t *testing.T) {
	t.Parallel()
	text := deployment().Describe(t.Context(), historianFunc(func(url string, ranges []git.Range) ([]git.History, error) {
		if url != "https://git.example.org/acme/odoo-image.git" || len(ranges) != 1 {
			t.Errorf("asked %s %v", url, ranges)
		}
		return []git.History{{Ahead: 2, Authors: 1, Commits: []git.Commit{
			{ID: strings.Repeat("b", 40), Author: "odyssey-bot", When: time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC), Subject: "Refresh ./odoo: oca 18.0 +41 commits"},
		}}}, nil
	}))
	const page = "https://git.example.org/acme/odoo-image"
	want := fmt.Sprintf("| where | from | to |\n|---|---|---|\n"+
		"| `overlays/production/kustomization.yaml:8` | `18.0-py312-trixie-r0007` `1111111` | `18.0-py312-trixie-r0008` `2222222` |\n\n"+
		"The image is `ghcr.io/acme/odoo@sha256:%[1]s`. Nothing but its tag and digest changes.\n\n"+
		"Built from [`bbbbbbb`](%[2]s/commit/%[4]s) of [acme/odoo-image](%[2]s), [2 commits](%[2]s/compare/%[3]s...%[4]s) after the image before.\n\n"+
		"| merge | from | to |\n|---|---|---|\n"+
		"| ./odoo · oca 18.0 | [`ccccccc`](https://github.com/OCA/OCB/commit/%[5]s) | [`ddddddd`](https://github.com/OCA/OCB/commit/%[6]s) |\n\n"+
		"**Upgrade:** ",
		strings.Repeat("2", 64), page, strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40), strings.Repeat("d", 40))
	if !strings.HasPrefix(text.Body, want) {
		t.Errorf("got\n%s\nwant it to begin\n%s", text.Body, want)
	}
	if text.Title != "Deploy 18.0-py312-trixie-r0008 to production" || !strings.HasPrefix(text.Message, text.Title+"\n\n") ||
		!strings.HasSuffix(text.Message, "\n\n"+refresh.Trailer+deployment().Target()+"\n") {
		t.Errorf("%q %q", text.Title, text.Message)
	}
}

// What cannot be read is left out, and the rest is said.
func TestDeployment_Describe_noHistory(t *testing.T) {
	t.Parallel()
	text := deployment().Describe(t.Context(), historianFunc(func(string, []git.Range) ([]git.History, error) {
		return nil, errors.New("no credentials")
	}))
	if !strings.Contains(text.Body, "; the image before from [`aaaaaaa`]") || strings.Contains(text.Body, "credentials") {
		t.Error(text.Body)
	}
	d := deployment()
	d.Old, d.New, d.Merges, d.Parts = "", "", nil, []string{"./odoo", "venv"}
	text = d.Describe(t.Context(), nil)
	if !strings.Contains(text.Body, "The image does not say which commit it was built from.") || !strings.Contains(text.Body, "What differs in the image: `./odoo`, `venv`.") {
		t.Error(text.Body)
	}
}

// M1, M2: nothing that a stranger wrote is more than text, and there is an end
// to it.
func TestFault_M2_Deployment(t *testing.T) {
	t.Parallel()
	d := deployment()
	for i := range 5000 {
		d.Places = append(d.Places, refresh.Place{File: fmt.Sprintf("`|<img src=x>@org/team-%d", i), Line: 1, Tag: strings.Repeat("x", 128)})
		d.Merges = append(d.Merges, lock.Change{Dest: "./" + strings.Repeat("é", 300), Remote: "@org", Ref: fmt.Sprintf("fixes #%d", i), URL: "javascript:alert(1)"})
	}
	d.Instance = "a @org/team " + strings.Repeat("x", 1000)
	text := d.Describe(t.Context(), historianFunc(func(string, []git.Range) ([]git.History, error) { return nil, errors.New("none") }))
	if len(text.Body) > 65_000 || len([]rune(text.Title)) > 255 {
		t.Errorf("%d bytes, %d characters", len(text.Body), len([]rune(text.Title)))
	}
	for _, bad := range []string{"@org", "fixes #1", "javascript:"} {
		if strings.Contains(text.Body+text.Title+text.Message, bad) {
			t.Errorf("%q is in the text", bad)
		}
	}
}

// The addons of the merges that an image brings say what its databases need.
func TestDeployment_addons(t *testing.T) {
	t.Parallel()
	d := newDerived(t)
	old, unmoved := d.hot.Head(t, "17.0-hotfix-stock"), d.web.Head(t, "17.0")
	now := d.hot.Add(t, gitserver.Commit{Branch: "17.0-hotfix-stock", When: date(2), Message: "[IMP] stock: migration", Files: map[string]string{
		"addons/stock/__manifest__.py":                     manifest("1.2", "'depends': ['base']"),
		"addons/stock/migrations/17.0.1.2/post-migrate.py": "def migrate(cr, version): pass\n",
		"addons/stock_barcode/views/lot.xml":               "<odoo></odoo>\n",
	}})[0]
	for _, test := range []struct {
		name   string
		change func(to *refresh.Deployment)
	}{
		{"deployment-addons.md", func(*refresh.Deployment) {}},
		{"deployment-installed.md", func(to *refresh.Deployment) {
			to.Around = refresh.Around{Installed: map[string]bool{"stock": true}, InstalledIn: "acme/deployment"}
		}},
		// What comes along is not known addon by addon: no line that is too short.
		{"deployment-new-merge.md", func(to *refresh.Deployment) {
			to.Merges = append(to.Merges, lock.Change{Dest: "./oca/web", Remote: "oca", Ref: "17.0", New: unmoved, URL: d.web.URL})
		}},
		{"deployment-private.md", func(to *refresh.Deployment) {
			to.Discretion = refresh.Discretion{Public: true, Private: []string{d.hot.URL}}
		}},
	} {
		to := deployment()
		to.Source, to.Old, to.New = "", "", "" // its own history is another test's
		to.Merges = []lock.Change{{Dest: "./odoo", Remote: "nuobit", Ref: "17.0-hotfix-stock", Old: old, New: now, URL: d.hot.URL}}
		test.change(to)
		text := to.Describe(t.Context(), both{asked{d.client}, d.kept})
		golden(t, test.name, strings.ReplaceAll(text.Body, d.srv.URL, "https://git.example.org"))
	}
}
