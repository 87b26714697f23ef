package refresh_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/refresh"
)

func enterprise() *refresh.Import {
	return &refresh.Import{
		Repository: "acme/odoo-image", Community: "./odoo", Commit: strings.Repeat("1601de2", 6)[:40], Base: "17.0",
		Bundle: "odoo_17.0+e.20261120.tar.gz", SHA256: strings.Repeat("5b16", 16), Size: 402_653_184, Date: "2026-11-20", Series: "17.0",
		Modules: []refresh.EnterpriseModule{
			{Name: "account_reports", Action: refresh.ModuleUpdated, Old: "1.0", New: "1.1", Files: 12, Migrations: []string{"1.1"}},
			{Name: "helpdesk_ai", Action: refresh.ModuleAdded, New: "1.0", Files: 40},
			{Name: "voip_onsip", Action: refresh.ModuleGone, Old: "1.0", Files: 9},
			{Name: "web_studio", Action: refresh.ModuleUpdated, Old: "2.0", New: "2.0", Files: 1},
		},
	}
}

// The texts of a mirror's pull requests and issues, as people read them.
func TestEnterprise_golden(t *testing.T) {
	t.Parallel()
	drifted := enterprise()
	drifted.Kind, drifted.Reason = refresh.Drift, "2 of Community's modules differ in the bundle"
	drifted.Drift = []refresh.EnterpriseDrift{
		{Module: "sale", Diagnosis: "source_bundle_lag_confirmed", Files: 3, Commit: strings.Repeat("ab", 20)},
		{Module: "stock", Diagnosis: "limited_context", Files: 1},
	}
	accepted := enterprise()
	accepted.DaysOff, accepted.Drift = 31, drifted.Drift[:1]
	accepted.Accepted = []refresh.Acceptance{
		{What: refresh.Removals, By: "ana", URL: "https://git.example.org/acme/enterprise/pulls/4#issuecomment-9"},
		{What: refresh.Drift, By: "bram", URL: "https://git.example.org/acme/enterprise/issues/3#issuecomment-7"},
	}
	refused := &refresh.Import{Kind: "bundle", Reason: "the bundle is refused: something in it is a hard link", Detail: "bundle: entry \"a/@org/team\" is a hard link\n  fixes #1"}
	for name, text := range map[string]func() (string, string){
		"import":   func() (string, string) { d := enterprise().Describe(); return d.Title, d.Body },
		"accepted": func() (string, string) { d := accepted.Describe(); return d.Title, d.Body },
		"drift":    drifted.Stopped,
		"refused":  refused.Stopped,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			title, body := text()
			golden(t, filepath.Join("enterprise", name+".md"), "# "+title+"\n\n"+body)
		})
	}
}

// Whatever stands in names and manifests is inert, and there is never too much of
// it.
func TestFault_M1_EnterpriseNames(t *testing.T) {
	t.Parallel()
	e := enterprise()
	const evil = "@org/team <img src=x> ``` fixes #1 \u202e | https://evil.example"
	e.Modules[0].Name, e.Modules[0].Old, e.Modules[0].Migrations = evil, evil, []string{evil}
	e.Bundle, e.Date, e.Series = evil, evil, evil
	e.Accepted = []refresh.Acceptance{{What: evil, By: evil, URL: "javascript:" + evil}}
	e.Drift = []refresh.EnterpriseDrift{{Module: evil}}
	text := e.Describe()
	e.Reason, e.Detail, e.Missing = evil, evil+"\n"+evil, []string{evil}
	title, body := e.Stopped()
	for _, said := range []string{text.Title, text.Body, title, body} {
		for _, bad := range []string{"@org/team", "fixes #1", "\u202e", "https://evil", "javascript:"} {
			if strings.Contains(said, bad) {
				t.Errorf("%q is in\n%s", bad, said)
			}
		}
	}
}

func TestFault_M2_EnterpriseIsCut(t *testing.T) {
	t.Parallel()
	e := enterprise()
	for n := range 5000 {
		e.Modules = append(e.Modules, refresh.EnterpriseModule{Name: fmt.Sprintf("ent_%04d_%s", n, strings.Repeat("x", 100)), Action: refresh.ModuleAdded})
		e.Drift = append(e.Drift, refresh.EnterpriseDrift{Module: strings.Repeat("y", 200)})
		e.Missing = append(e.Missing, strings.Repeat("z", 200))
	}
	e.Detail = strings.Repeat(strings.Repeat("w", 1000)+"\n", 1000)
	text := e.Describe()
	_, body := e.Stopped()
	if len(text.Body) > 50_000 || len(text.Title) > 240 || len(body) > 50_000 || !strings.Contains(text.Body, "more modules") {
		t.Errorf("%d, %d and %d bytes", len(text.Title), len(text.Body), len(body))
	}
}
