package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/test/enterprisetest"
	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/standin"
	"github.com/nuobit/odyssey/test/world"
)

// enterprises is a derived repository that everybody may read, its private
// mirror of Enterprise, and the portal.
type enterprises struct {
	*stage
	mirror *stage // the same world, with the mirror for its repository
	portal *enterprisetest.Portal
	bundle enterprisetest.Bundle
}

func newEnterprises(t *testing.T, modules int) *enterprises {
	t.Helper()
	s := newStage(t)
	e := &enterprises{stage: s, portal: enterprisetest.NewPortal(t), bundle: enterprisetest.New(modules)}
	must(t, s.NewUpstream(t.Context(), "community"))
	commit := giteatest.Commit{Branch: "17.0", Message: "stand-in", Files: map[string]giteatest.File{}}
	modes := standin.Modes()
	for path, content := range standin.Files() {
		commit.Files[path] = giteatest.File{Content: content, Mode: modes[path]}
	}
	_, err := s.Server.Push(t.Context(), s.Upstream, s.Upstream.Login+"/community", commit)
	must(t, err)

	for _, name := range []string{"enterprise", "reports"} {
		must(t, s.Server.NewRepo(t.Context(), s.Owner, name, giteatest.RepoOptions{Private: true}))
		must(t, s.Server.AddCollaborator(t.Context(), s.Owner, s.Owner.Login+"/"+name, s.Bot))
	}
	image := *s.World
	image.Image = s.Owner.Login + "/enterprise"
	e.mirror = &stage{World: &image, t: t, proxy: s.proxy}

	remote, err := url.Parse(s.Server.URL)
	must(t, err)
	remote.User = url.UserPassword("odyssey", s.Bot.Token)
	s.Credentials = s.path("git-credentials")
	must(t, os.WriteFile(s.Credentials, []byte(remote.String()+"\n"), 0o600))
	repos := fmt.Sprintf("./odoo:\n  remotes:\n    odoo: %s\n  merges:\n    - odoo 17.0\n./enterprise:\n  remotes:\n    acme: %s\n  merges:\n    - acme main\n",
		s.URL("community"), s.Server.URL+"/"+e.mirror.Image+".git")
	locked, err := s.Lock(t.Context(), repos, "")
	must(t, err)
	s.commit("Lock Community and the mirror", map[string]string{
		"repos.yaml": repos, "repos.lock.yaml": locked, ".odyssey.yaml": "enterprise: {enabled: true, schedule: never, daysApart: 3650}\n",
	})
	return e
}

// config is the block of odyssey.yaml about the mirror.
func (e *enterprises) config() string {
	e.t.Helper()
	must(e.t, os.WriteFile(e.path("code"), []byte(enterprisetest.Code+"\n"), 0o600))
	return fmt.Sprintf(`enterprise:
  - repository: %s
    mirror: %s
    portal: %s
    platformVersion: src_17e
    subscriptionCodeFile: %s
    workDirectory: %s
    reportDirectory: %s
    reportRepository: %s/reports
`, e.Image, e.mirror.Image, e.portal.URL, e.path("code"), e.path("work"), e.path("reports"), e.Owner.Login)
}

// offer has the portal give out the bundle as that of a day.
func (e *enterprises) offer(day string) {
	e.t.Helper()
	when, err := time.Parse(time.DateOnly, day)
	must(e.t, err)
	e.portal.Offer("odoo_17.0+e."+when.Format("20060102")+".tar.gz", e.bundle.Pack(e.t, "odoo-17.0+e."+when.Format("20060102"), when))
}

// pull waits for the only open pull request of a repository, until it is as it
// should be.
func pull(s *stage, is func(pr world.PullRequest) string) (found world.PullRequest) {
	s.t.Helper()
	s.eventually(func() string {
		open := s.pullRequests("open")
		if len(open) != 1 {
			return fmt.Sprintf("%d pull requests are open in %s", len(open), s.Image)
		}
		found = open[0]
		return is(found)
	})
	return found
}

func titled(words string) func(pr world.PullRequest) string {
	return func(pr world.PullRequest) string {
		if !strings.Contains(pr.Title, words) {
			return fmt.Sprintf("the title is %q, want %q in it", pr.Title, words)
		}
		return ""
	}
}

// titles are those of the commits between two of the mirror, the oldest first.
func (e *enterprises) titles(ref string) (titles []string) {
	e.t.Helper()
	for page := 1; ; page++ {
		var commits []struct{ Commit struct{ Message string } }
		e.mirror.api(http.MethodGet, fmt.Sprintf("/commits?sha=%s&limit=50&page=%d&stat=false&files=false", url.QueryEscape(ref), page), nil, &commits)
		if len(commits) == 0 {
			slices.Reverse(titles)
			return titles
		}
		for _, c := range commits {
			title, _, _ := strings.Cut(c.Commit.Message, "\n")
			titles = append(titles, title)
		}
	}
}

// land merges a pull request as it is.
func (e *enterprises) land(number int64) {
	e.t.Helper()
	e.eventually(func() string {
		err := e.Server.API(e.t.Context(), e.Owner, http.MethodPost, fmt.Sprintf("/repos/%s/pulls/%d/merge", e.mirror.Image, number), map[string]string{"Do": "fast-forward-only"}, nil)
		if err != nil {
			return err.Error()
		}
		return ""
	})
}

// secret checks that nothing of Enterprise stands in a text that others read.
func (e *enterprises) secret(where, text string) {
	e.t.Helper()
	for _, word := range []string{enterprisetest.Canary, enterprisetest.Code, "ent_", "[ADD]", "[IMP]", "[REM]", e.Bot.Token} {
		if strings.Contains(text, word) {
			e.t.Errorf("%q is in %s:\n%s", word, where, text)
		}
	}
}

// From the portal to the lock: a first bundle, a second one with modules that are
// added, changed and gone, and the pull requests in the mirror and in the
// repository that it is for.
func TestEnterprise(t *testing.T) {
	e := newEnterprises(t, 40)
	e.offer("2026-11-20")
	server := e.serve(world.ServeOptions{More: e.config()})
	must(t, e.mirror.Hook(t.Context(), server.Webhooks))

	first := pull(e.mirror, titled("Odoo Enterprise 2026-11-20: 40 modules added"))
	golden(t, filepath.Join("testdata", "enterprise", "first.md"), e.anonymous(first.Body))
	want := []string{"Initial commit"}
	for _, name := range e.bundle.Modules() {
		want = append(want, "[ADD] "+name+": import from Odoo Enterprise 2026-11-20")
	}
	want = append(want, "[DOC] README: update source bundle identity")
	e.land(first.Number)
	if diff := cmp.Diff(want, e.titles("main")); diff != "" {
		t.Errorf("the mirror's history: %s", diff)
	}
	moved := pull(e.stage, titled("./enterprise"))
	e.secret("the pull request of the repository", moved.Title+moved.Body+e.diff(moved.Number))
	e.merge(moved.Number)

	e.bundle.Put("ent_40", "17.0.1.0")
	e.bundle.Put("ent_01", "17.0.1.1")
	e.bundle["odoo/addons/ent_01/migrations/17.0.1.1/post-migrate.py"] = "def migrate(cr, version):\n    pass\n"
	e.bundle.Remove("ent_02")
	e.offer("2026-11-27")
	k := e.talk()
	k.ends(k.say(e.Owner, "/refresh enterprise"), "rocket")
	second := pull(e.mirror, titled("Odoo Enterprise 2026-11-27: 1 module added, 1 updated"))
	golden(t, filepath.Join("testdata", "enterprise", "second.md"), e.anonymous(second.Body))

	inMirror := talk{e.mirror, second.Number}
	stranger, err := e.Server.NewUser(t.Context(), strings.TrimSuffix(e.Owner.Login, "acme")+"reader")
	must(t, err)
	must(t, e.Server.API(t.Context(), e.Owner, http.MethodPut, "/repos/"+e.mirror.Image+"/collaborators/"+stranger.Login, map[string]string{"permission": "read"}, nil))
	inMirror.ends(inMirror.say(stranger, "/accept removals"), "confused")
	inMirror.ends(inMirror.say(e.Owner, "/accept drift"), "confused")
	inMirror.ends(inMirror.say(e.Owner, "/accept removals"), "rocket")
	second = pull(e.mirror, titled("1 module added, 1 updated, 1 removed"))
	golden(t, filepath.Join("testdata", "enterprise", "accepted.md"), e.anonymous(second.Body))
	e.land(second.Number)
	want = append(want,
		"[ADD] ent_40: import from Odoo Enterprise 2026-11-27", "[IMP] ent_01: update from Odoo Enterprise 2026-11-27",
		"[REM] ent_02: remove from Odoo Enterprise 2026-11-27", "[DOC] README: update source bundle identity")
	if diff := cmp.Diff(want, e.titles("main")); diff != "" {
		t.Errorf("the mirror's history: %s", diff)
	}
	again := pull(e.stage, titled("./enterprise"))
	e.secret("the second pull request of the repository", again.Title+again.Body+e.diff(again.Number))
	for _, c := range k.replies() {
		e.secret("a reply", c.Body)
	}
	e.secret("the log", server.Log())
	status, err := server.Get(t.Context(), "/")
	must(t, err)
	e.secret("the status page", status)
	reports, err := filepath.Glob(e.path("reports/*.json"))
	if err != nil || len(reports) != 2 {
		t.Errorf("%d reports, want 2, %v", len(reports), err)
	}
	for _, file := range reports {
		want, err := os.ReadFile(file)
		must(t, err)
		var got struct{ Content []byte }
		must(t, e.Server.API(t.Context(), e.Bot, http.MethodGet, "/repos/"+e.Owner.Login+"/reports/contents/"+e.mirror.Image+"/main/"+filepath.Base(file), nil, &got))
		if !bytes.Equal(got.Content, want) {
			t.Errorf("the repository's %s is another report:\n%s", filepath.Base(file), got.Content)
		}
	}
}

// anonymous takes out of a text what is another one each time.
func (e *enterprises) anonymous(text string) string {
	locked := strings.Fields(e.file("main", "repos.lock.yaml"))
	at := slices.Index(locked, "odoo")
	for i, word := range locked {
		if word == "odoo" && i > 0 && locked[i-1] == "-" {
			at = i
			break
		}
	}
	text = strings.NewReplacer(e.Server.URL, "https://git.example.org", locked[at+1][:7], "1601de2", e.Owner.Login, "acme").Replace(text)
	text, _, _ = strings.Cut(text, "\n<!-- odyssey")
	return commentNumber.ReplaceAllString(text, "/pulls/2#issuecomment-1")
}

// A mirror or a repository of reports that others may read, or that is not there,
// gets nothing.
func TestFault_A5_Mirror(t *testing.T) {
	for _, test := range []struct {
		name, says string
		spoil      func(e *enterprises)
	}{
		{"public", "is not private", func(e *enterprises) {
			e.mirror.api(http.MethodPatch, "", map[string]bool{"private": false}, nil)
		}},
		{"public reports", "is not private", func(e *enterprises) {
			must(e.t, e.Server.API(e.t.Context(), e.Owner, http.MethodPatch, "/repos/"+e.Owner.Login+"/reports", map[string]bool{"private": false}, nil))
		}},
		{"missing", "does not exist", func(e *enterprises) {
			e.mirror.api(http.MethodDelete, "/collaborators/"+e.Bot.Login, nil, nil)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnterprises(t, 2)
			e.offer("2026-11-20")
			e.More = e.config()
			test.spoil(e)
			outcomes, stderr, err := e.Run(t.Context(), "--repo", e.Image, "--only", "enterprise")
			must(t, err)
			if len(outcomes) != 1 || outcomes[0].Action != "held" || !strings.Contains(outcomes[0].Reason, test.says) {
				t.Errorf("outcomes %+v\n%s", outcomes, stderr)
			}
			if n := e.portal.Downloads(); n != 0 {
				t.Errorf("%d downloads", n)
			}
			if got := e.titles("main"); len(got) != 1 || len(e.mirror.pullRequests("all")) != 0 {
				t.Errorf("the mirror has %q", got)
			}
		})
	}
}

// Drift is told in an issue of the mirror, and waits there for somebody's word,
// which counts for that bundle.
func TestEnterprise_drift(t *testing.T) {
	e := newEnterprises(t, 2)
	e.bundle["addons/sale/__manifest__.py"] += "# " + enterprisetest.Canary + "\n"
	e.offer("2026-11-20")
	server := e.serve(world.ServeOptions{More: e.config()})
	must(t, e.mirror.Hook(t.Context(), server.Webhooks))
	issue := e.issue("2026-11-20")
	e.bundle["addons/sale/__manifest__.py"] += "# more\n"
	e.offer("2026-11-21")
	k := e.talk()
	k.ends(k.say(e.Owner, "/refresh enterprise"), "confused")
	for _, c := range k.replies() {
		e.secret("the reply", c.Body)
		if !strings.Contains(c.Body, "1 of Community's modules differ") {
			t.Errorf("the reply does not say why:\n%s", c.Body)
		}
	}
	old := talk{e.mirror, issue}
	old.ends(old.say(e.Owner, "/accept drift"), "confused")
	if n := len(e.mirror.pullRequests("all")); n != 0 {
		t.Fatalf("%d pull requests after a word for another bundle", n)
	}
	now := talk{e.mirror, e.issue("2026-11-21")}
	now.ends(now.say(e.Owner, "/accept drift"), "rocket")
	pr := pull(e.mirror, titled("Odoo Enterprise 2026-11-21: 2 modules added"))
	if !strings.Contains(pr.Body, "drift of this bundle") || e.portal.Downloads() != 2 {
		t.Errorf("%d downloads, and the pull request says\n%s", e.portal.Downloads(), pr.Body)
	}
	var open []struct{ Number int64 }
	e.mirror.api(http.MethodGet, "/issues?state=open&type=issues", nil, &open)
	if len(open) != 0 {
		t.Errorf("issues are open: %v", open)
	}
	e.secret("the log", server.Log())
}

// issue waits for the mirror's issue about a bundle.
func (e *enterprises) issue(day string) (number int64) {
	e.t.Helper()
	e.eventually(func() string {
		var open []struct {
			Number int64
			Title  string
		}
		e.mirror.api(http.MethodGet, "/issues?state=open&type=issues", nil, &open)
		if len(open) != 1 || !strings.Contains(open[0].Title, day) {
			return fmt.Sprintf("issues of the mirror: %v, want one of %s", open, day)
		}
		number = open[0].Number
		return ""
	})
	return number
}

var commentNumber = regexp.MustCompile(`/pulls/[0-9]+#issuecomment-[0-9]+`)

// What people do with a pull request of the mirror counts, and an answer that gets
// lost makes no second one.
func TestEnterprise_people(t *testing.T) {
	e := newEnterprises(t, 2)
	e.offer("2026-11-20")
	e.More = e.config()
	lost := false
	e.proxy.Before = func(c world.Call) world.Fault {
		if c.Method == http.MethodPost && strings.HasSuffix(c.Path, "/pulls") && !lost {
			lost = true
			return world.LoseAnswer
		}
		return world.None
	}
	run := func(want string) {
		t.Helper()
		outcomes, stderr, err := e.Run(t.Context(), "--repo", e.Image, "--only", "enterprise")
		must(t, err)
		if len(outcomes) != 1 || !strings.HasPrefix(string(outcomes[0].Action)+" "+outcomes[0].Reason, want) {
			t.Fatalf("want %q, got %+v\n%s", want, outcomes, stderr)
		}
		e.secret("what run prints", fmt.Sprint(outcomes)+stderr)
	}
	run("")
	first := e.mirror.one()
	head := first.Head.SHA
	run("unchanged ")
	if again := e.mirror.one(); again.Head.SHA != head || !lost {
		t.Errorf("the second run moved the branch, or no answer was lost")
	}
	e.mirror.closePullRequest(first.Number)
	run("held this was closed before")
	e.newBundle("2026-11-21")
	run("reopened ")
	second := e.mirror.one()
	if second.Head.SHA == head || !strings.Contains(second.Title, "2026-11-21") {
		t.Errorf("after another bundle: %+v", second)
	}
	_, err := e.Server.Push(t.Context(), e.Owner, e.mirror.Image, giteatest.Commit{
		Branch: second.Head.Ref, Message: "Mine", Files: map[string]giteatest.File{"ent_00/mine.txt": {Content: "x"}},
	})
	must(t, err)
	mine := e.mirror.one().Head.SHA
	e.newBundle("2026-11-22")
	run("held somebody pushed to")
	if now := e.mirror.one(); now.Head.SHA != mine || !strings.Contains(now.Body, "Somebody pushed to this branch") {
		t.Errorf("somebody's commit was treated so: %+v", now)
	}
}

// newBundle has the portal offer another one, and forgets that which was kept.
func (e *enterprises) newBundle(day string) {
	e.t.Helper()
	e.bundle.Put("ent_01", "17.0."+strings.ReplaceAll(day, "-", "."))
	e.offer(day)
	must(e.t, os.RemoveAll(e.path("work/bundle")))
}

// Community is refreshed first: what its lock lacks is proposed, and the import
// says so until that is merged.
func TestEnterprise_communityFirst(t *testing.T) {
	e := newEnterprises(t, 2)
	e.offer("2026-11-20")
	e.More = e.config()
	run := func() string {
		t.Helper()
		outcomes, stderr, err := e.Run(t.Context(), "--repo", e.Image, "--only", "enterprise")
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		var words []string
		for _, o := range outcomes {
			words = append(words, o.Group+" "+string(o.Action))
		}
		return strings.Join(words, ", ")
	}
	_, err := e.Server.Push(t.Context(), e.Upstream, e.Upstream.Login+"/community", giteatest.Commit{
		Branch: "17.0", Message: "[FIX] base: one", Files: map[string]giteatest.File{"README": {Content: "newer\n"}},
	})
	must(t, err)
	if got := run(); got != "./odoo opened, enterprise opened" {
		t.Fatalf("the first run: %s", got)
	}
	community, pr := e.one(), e.mirror.one()
	if !strings.Contains(pr.Body, "**Community is behind**: [the refresh]("+community.URL+")") {
		t.Errorf("the import does not say that Community is behind:\n%s", pr.Body)
	}
	if got := run(); got != "enterprise unchanged" {
		t.Errorf("the second run: %s", got)
	}
	e.merge(community.Number)
	if got := run(); got != "enterprise updated" {
		t.Errorf("after the merge: %s", got)
	}
	if body := e.mirror.one().Body; strings.Contains(body, "Community is behind") {
		t.Errorf("the import still says that Community is behind:\n%s", body)
	}
}
