package intake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/nuobit/odyssey/internal/enterprise"
	"github.com/nuobit/odyssey/internal/enterprise/archive"
	"github.com/nuobit/odyssey/internal/enterprise/intake"
	"github.com/nuobit/odyssey/internal/enterprise/portal"
	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/internal/lock"
	"github.com/nuobit/odyssey/internal/secret"
	"github.com/nuobit/odyssey/internal/source"
	"github.com/nuobit/odyssey/test/enterprisetest"
	"github.com/nuobit/odyssey/test/gitserver"
	"github.com/nuobit/odyssey/test/standin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	bundleName = "odoo_17.0+e.20261120.tar.gz"
	branch     = "odyssey/enterprise"
)

var made = time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)

// scene is a portal, Community and a mirror on a git server, and an intake.
type scene struct {
	t                 *testing.T
	portal            *enterprisetest.Portal
	community, mirror *gitserver.Repo
	bundle            enterprisetest.Bundle
	in                *intake.Intake
	request           intake.Request
}

func newScene(t *testing.T) *scene {
	t.Helper()
	srv := gitserver.New(t)
	s := &scene{t: t, portal: enterprisetest.NewPortal(t), community: srv.Repo(t, "odoo"), mirror: srv.Repo(t, "acme/enterprise"), bundle: enterprisetest.New(3)}
	old := standin.Commit("17.0")
	old.Files["addons/sale/README.md"] = "before\n"
	s.community.Add(t, old)
	commit := standin.Commit("17.0")
	commit.Files["addons/sale/README.md"] = "after\n"
	s.bundle["addons/sale/README.md"] = "after\n"
	s.request = intake.Request{
		Base: s.mirror.Commit(t, "main", map[string]string{"README.md": "# Ours\n"}), Branch: branch,
		Community: &lock.Destination{
			Path: "./odoo", Remotes: []lock.Remote{{Name: "odoo", URL: s.community.URL}},
			Merges: []lock.Merge{{Remote: "odoo", Ref: "17.0", Commit: s.community.Add(t, commit)[0]}},
		},
	}
	s.mirror.Git(t, "config", "http.receivepack", "true")
	client := git.New(git.Options{Policy: gitname.Operator(true), Environ: os.Environ()})
	s.in = &intake.Intake{
		Dir: filepath.Join(t.TempDir(), "intake"), Reports: filepath.Join(t.TempDir(), "reports"), URL: s.mirror.URL, Mirror: client, Git: client,
		Portal: portal.Options{BaseURL: s.portal.URL, Platform: "src_17e", Code: secret.New(enterprisetest.Code), Timeout: time.Minute, MaxSize: 64 << 20},
		Limits: archive.DefaultLimits(),
		Aggregate: func(ctx context.Context, store *git.Store, d *lock.Destination) (string, error) {
			one := *d
			one.Merges = slices.Clone(d.Merges)
			file := &lock.File{Destinations: []lock.Destination{one}}
			err := source.Trees(ctx, file, source.Options{Store: store})
			return file.Destinations[0].Tree, err
		},
	}
	s.offer()
	return s
}

func (s *scene) offer() {
	s.t.Helper()
	s.portal.Offer(bundleName, s.bundle.Pack(s.t, "odoo-17.0+e.20261120", made))
}

func (s *scene) prepare() *intake.Result {
	s.t.Helper()
	got, err := s.in.Prepare(s.t.Context(), s.request)
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

func (s *scene) push(r *intake.Result, lease string) {
	s.t.Helper()
	if err := s.in.Push(s.t.Context(), branch, r.Head, lease); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) titles() []string {
	s.t.Helper()
	return strings.Split(s.mirror.Git(s.t, "log", "--reverse", "--format=%s", s.request.Base+".."+branch), "\n")
}

func TestIntake(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first := s.prepare()
	if first.Stop != nil {
		t.Fatalf("stopped: %+v", first.Stop)
	}
	s.push(first, "")
	want := []string{
		"[ADD] ent_00: import from Odoo Enterprise 2026-11-20", "[ADD] ent_01: import from Odoo Enterprise 2026-11-20",
		"[ADD] ent_02: import from Odoo Enterprise 2026-11-20", "[DOC] README: update source bundle identity",
	}
	if diff := cmp.Diff(want, s.titles()); diff != "" {
		t.Error(diff)
	}
	s.mirror.Git(t, "fsck", "--strict")
	if got := s.mirror.Git(t, "show", branch+":README.md"); !strings.HasPrefix(got, "# Ours\n") || !strings.Contains(got, first.SHA256) {
		t.Errorf("README:\n%s", got)
	}
	// The same bundle gives the same commits, downloaded again or kept.
	for _, fresh := range []bool{true, false} {
		s.request.Fresh = fresh
		if again := s.prepare(); again.Head != first.Head {
			t.Errorf("fresh %v: the head is %s, want %s", fresh, again.Head, first.Head)
		}
	}
	if n := s.portal.Downloads(); n != 2 {
		t.Errorf("%d downloads, want 2", n)
	}
	if err := s.in.Push(t.Context(), branch, s.request.Base, s.request.Base); !errors.Is(err, git.ErrLease) {
		t.Errorf("a push over what somebody else has pushed: %v", err)
	}
	s.reports(1)
	s.in.Now = func() time.Time { return time.Now().Add(13 * time.Hour) }
	if s.prepare(); s.portal.Downloads() != 3 {
		t.Error("an old bundle was taken for the newest")
	}
}

// reports checks how many reports there are, and that none tells where it was
// made.
func (s *scene) reports(n int) {
	s.t.Helper()
	all, err := filepath.Glob(filepath.Join(s.in.Reports, "enterprise-2026-11-20-*.json"))
	if err != nil || len(all) != n {
		s.t.Fatalf("%d reports, want %d, %v", len(all), n, err)
	}
	for _, file := range all {
		data, err := os.ReadFile(file)
		var r enterprise.Report
		if err != nil || json.Unmarshal(data, &r) != nil || strings.Contains(string(data), s.in.Dir) || strings.Contains(string(data), enterprisetest.Code) {
			s.t.Errorf("%s: %v\n%s", file, err, data)
		}
	}
}

// Another bundle: removals and drift need somebody's word, for that bundle.
func TestIntake_accepted(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first := s.prepare()
	s.push(first, "")
	s.request.Base = first.Head
	s.bundle.Put("ent_01", "17.0.1.1")
	s.bundle["odoo/addons/ent_01/migrations/17.0.1.1/post-migrate.py"] = "pass\n"
	s.bundle.Remove("ent_02")
	s.bundle["addons/sale/README.md"] = "before\n"
	s.offer()
	s.request.Fresh = true

	drifted := s.prepare()
	if drifted.Stop == nil || drifted.Stop.Kind != intake.Drift || drifted.Head != "" {
		t.Fatalf("drift: %+v", drifted)
	}
	if strings.Contains(drifted.Stop.Reason, "sale") || !strings.Contains(drifted.Stop.Detail, "sale") {
		t.Errorf("what is said: %+v", drifted.Stop)
	}
	if d := drifted.Report.EnterpriseDriftDetails[0]; d.Diagnosis != enterprise.LagConfirmed {
		t.Errorf("diagnosis %+v", d)
	}
	s.request.Bundle, s.request.Drift = drifted.SHA256, first.SHA256 // for another bundle
	if got := s.prepare(); got.Stop == nil || got.Stop.Kind != intake.Drift {
		t.Fatalf("accepted for another bundle: %+v", got)
	}
	s.request.Drift = drifted.SHA256
	second := s.prepare()
	if second.Stop != nil {
		t.Fatalf("stopped: %+v", second.Stop)
	}
	s.push(second, first.Head)
	want := []string{"[IMP] ent_01: update from Odoo Enterprise 2026-11-20", "[DOC] README: update source bundle identity"}
	if diff := cmp.Diff(want, s.titles()); diff != "" {
		t.Error(diff)
	}
	if got := second.Report.ImportPlan.Details[1].MigrationScripts; !cmp.Equal(got, []string{"17.0.1.1"}) {
		t.Errorf("migration scripts %q", got)
	}
	s.request.Removals = second.SHA256
	third := s.prepare()
	s.push(third, second.Head)
	if got := s.titles(); len(got) != 3 || got[1] != "[REM] ent_02: remove from Odoo Enterprise 2026-11-20" {
		t.Errorf("with removals: %q", got)
	}
}

// Several merges are aggregated.
func TestIntake_aggregate(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.community.Git(t, "branch", "fix", "17.0")
	fix := s.community.Commit(t, "fix", map[string]string{"addons/ours/__manifest__.py": "{}\n"})
	top := s.community.Commit(t, "17.0", map[string]string{"setup/more": "x\n"})
	s.request.Community.Merges[0].Commit = top
	s.request.Community.Merges = append(s.request.Community.Merges, lock.Merge{Remote: "odoo", Ref: "fix", Commit: fix})
	// What the aggregate has and the bundle lacks is missing.
	if got := s.prepare(); got.Stop == nil || got.Stop.Kind != intake.Missing || !strings.Contains(got.Stop.Detail, "ours") || strings.Contains(got.Stop.Reason, "ours") {
		t.Fatalf("without the module of the fix: %+v", got.Stop)
	}
	s.bundle["addons/ours/__manifest__.py"] = "{}\n"
	s.request.Fresh = true
	s.offer()
	if got := s.prepare(); got.Stop != nil {
		t.Errorf("with it: %+v", got.Stop)
	}
}

// What cannot be used changes nothing, and what is said of it to everybody has
// nothing of its contents.
func TestIntake_refused(t *testing.T) {
	t.Parallel()
	html := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="`+bundleName+`"`)
		_, _ = w.Write([]byte("<!DOCTYPE html><p>maintenance " + enterprisetest.Canary))
	}
	for _, test := range []struct {
		name, kind, reason string
		spoil              func(s *scene)
	}{
		{"another series", intake.Bundle, "is of Odoo 18.0", func(s *scene) {
			s.bundle["odoo/release.py"] = strings.ReplaceAll(s.bundle["odoo/release.py"], "(17, 0,", "(18, 0,")
		}},
		{"a module that is there twice", intake.Bundle, "cannot be used", func(s *scene) {
			s.bundle["addons/ent_00/__manifest__.py"] = "{}\n"
		}},
		{"a name that is refused", intake.Bundle, "has a backslash in its name", func(s *scene) {
			s.bundle["odoo/addons/ent_00/"+enterprisetest.Canary+`\x`] = ""
		}},
		{"no module at all", intake.Bundle, "cannot be used", func(s *scene) { s.bundle = enterprisetest.Bundle{"README": "x"} }},
		{"attributes that convert", intake.Mirror, "cannot be imported into", func(s *scene) {
			s.bundle["odoo/addons/ent_00/.gitattributes"] = "*.js filter=lfs\n"
		}},
		{"a code that is not good", intake.Portal, "refuses the subscription code", func(s *scene) { s.in.Portal.Code = secret.New("M0-canary") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			test.spoil(s)
			s.offer()
			got := s.prepare()
			if got.Stop == nil || got.Stop.Kind != test.kind || !strings.Contains(got.Stop.Reason, test.reason) || got.Head != "" {
				t.Fatalf("got %+v", got.Stop)
			}
			if strings.Contains(got.Stop.Reason, "canary") || strings.Contains(got.Stop.Reason, "ent_") {
				t.Errorf("everybody is told %q", got.Stop.Reason)
			}
		})
	}
	t.Run("a page of the portal", func(t *testing.T) {
		t.Parallel()
		s := newScene(t)
		s.portal.Answer(html)
		_, err := s.in.Prepare(t.Context(), s.request)
		if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "page that links to no archive") {
			t.Errorf("got %v", err)
		}
	})
}

// One import at a time.
func TestIntake_busy(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	s.portal.Answer(func(http.ResponseWriter, *http.Request) { close(entered); <-leave })
	done := make(chan error)
	go func() {
		_, err := s.in.Prepare(t.Context(), s.request)
		done <- err
	}()
	<-entered
	if _, err := s.in.Prepare(t.Context(), s.request); !errors.Is(err, intake.ErrBusy) {
		t.Errorf("a second one meanwhile: %v", err)
	}
	close(leave)
	if err := <-done; err == nil {
		t.Error("an empty answer was taken for a bundle")
	}
}

// What a job that was cut off has downloaded, the next one goes on with.
func TestIntake_cutOff(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	data := s.bundle.Pack(t, "odoo-17.0+e.20261120", made)
	var ranges []string
	down := true
	s.portal.Answer(func(w http.ResponseWriter, r *http.Request) {
		if from := r.Header.Get("Range"); from != "" && down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		} else if from != "" {
			ranges = append(ranges, from)
		}
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Content-Disposition", "attachment; filename="+bundleName)
		if down {
			w.Header().Set("Accept-Ranges", "bytes")
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			_, _ = w.Write(data[:100])
			return
		}
		http.ServeContent(w, r, bundleName, time.Time{}, bytes.NewReader(data))
	})
	if _, err := s.in.Prepare(t.Context(), s.request); err == nil || !strings.Contains(err.Error(), "100 bytes are kept") {
		t.Fatalf("got %v", err)
	}
	down = false
	if got := s.prepare(); got.Stop != nil || got.Head == s.request.Base || !slices.Equal(ranges, []string{"bytes=100-"}) {
		t.Errorf("asked for %q, got %+v", ranges, got.Stop)
	}
}
