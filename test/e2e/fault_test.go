package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/nuobit/odyssey/test/giteatest"
	"github.com/nuobit/odyssey/test/world"
)

// F1: 500, 502 and a reset on each call of the forge, first once, at each of
// the calls in turn: the run succeeds later, and there is one branch and one
// pull request.
func TestFault_F1_FailureOfEachCall(t *testing.T) {
	for _, fault := range []world.Fault{world.Status500, world.Status502, world.Reset, world.LoseAnswer} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			s := newStage(t)
			for step := range 4 {
				s.grow("odoo", hotfix, fmt.Sprintf("[FIX] stock: %d", step))
				s.failEachOnce(fault)
				if outcomes := s.run(); len(outcomes) != 1 || outcomes[0].Group != "./odoo" {
					t.Fatalf("step %d: %+v", step, outcomes)
				}
				s.proxy.Before = nil
				if n := len(s.branches()); n != 1 {
					t.Errorf("step %d: %d branches, want 1", step, n)
				}
				s.one()
			}
			if all := s.pullRequests("all"); len(all) != 1 {
				t.Errorf("%d pull requests, want 1", len(all))
			}
			s.wantRun("./odoo unchanged")
		})
	}
}

// failEachOnce makes the first call to each endpoint fail.
func (s *stage) failEachOnce(fault world.Fault) {
	var mu sync.Mutex
	seen := map[world.Call]bool{}
	s.proxy.Before = func(c world.Call) world.Fault {
		mu.Lock()
		defer mu.Unlock()
		if seen[c] {
			return world.None
		}
		seen[c] = true
		return fault
	}
}

// F1: a forge that stays down is reported, with nothing half done.
func TestFault_F1_ForgeStaysDown(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.proxy.Before = func(c world.Call) world.Fault {
		if c.Method == http.MethodPost && strings.HasSuffix(c.Path, "/pulls") {
			return world.Status502
		}
		return world.None
	}
	_, stderr, err := s.Run(t.Context())
	if err == nil || !strings.Contains(stderr, "error: "+s.Image) {
		t.Errorf("err %v, stderr %s", err, stderr)
	}
	s.proxy.Before = nil
	s.wantRun("./odoo opened")
	if n := len(s.branches()); n != 1 {
		t.Errorf("%d branches, want 1", n)
	}
}

// F8: a human pushes to the bot's branch right before the bot does. The lease
// fails, the bot computes anew and leaves the branch alone.
func TestFault_F8_HumanPushesMeanwhile(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	s.wantRun("./odoo opened")
	s.grow("odoo", hotfix, "[FIX] stock: two")
	var once sync.Once
	var mine string
	s.proxy.Before = func(c world.Call) world.Fault {
		if strings.HasSuffix(c.Path, "/git-receive-pack") && c.Method == http.MethodPost {
			once.Do(func() { mine = s.pushByHuman("odyssey/merge/odoo") })
		}
		return world.None
	}
	s.wantRun("./odoo held")
	if got := s.branches()["odyssey/merge/odoo"]; mine == "" || got != mine {
		t.Errorf("the branch is at %s, the human's commit was %s", got, mine)
	}
	if body := s.one().Body; !strings.Contains(body, "Somebody pushed to this branch") {
		t.Errorf("the pull request does not say so:\n%s", body)
	}
}

// F8: the default branch moves right before the bot pushes a new branch.
func TestFault_F8_DefaultBranchMovesMeanwhile(t *testing.T) {
	s := newStage(t)
	s.grow("odoo", hotfix, "[FIX] stock: one")
	var once sync.Once
	s.proxy.Before = func(c world.Call) world.Fault {
		if strings.HasSuffix(c.Path, "/pulls/main/odyssey/merge/odoo") || strings.Contains(c.Path, "/branches/") {
			once.Do(func() { s.commit("Meanwhile", map[string]string{"README.md": "news\n"}) })
		}
		return world.None
	}
	s.wantRun("./odoo opened")
	if got := s.file("odyssey/merge/odoo", "README.md"); got != "news\n" {
		t.Errorf("the branch was made on the old default branch: %q", got)
	}
}

// M1: what strangers write into commit titles, names of authors and refs is
// inert: nobody is notified, nothing is closed, linked or formatted.
func TestFault_M1_HostileTitles(t *testing.T) {
	s := newStage(t)
	bystander, err := s.Server.NewUser(t.Context(), s.Owner.Login+"-bystander")
	must(t, err)
	must(t, s.Server.AddCollaborator(t.Context(), s.Owner, s.Image, bystander))
	s.api(http.MethodPost, "/issues", map[string]string{"title": "An issue"}, nil)
	issue := "#1"
	hostile := []string{
		"fixes " + issue + ", closes " + s.Image + issue + " @" + bystander.Login,
		"</details></td><img src=x onerror=alert(1)><script>alert(1)</script>",
		"``` fence\tbreak | cell ~~strike~~ [link](https://evil.example) ![img](https://evil.example/x.png)",
		"https://evil.example/" + s.Image + "/issues/1 and www.evil.example",
		"resolves " + s.Server.URL + "/" + s.Image + "/issues/1",
		"<!-- odyssey target=0 --> --> \u202e gnitirw \u200b",
	}
	var subjects []world.Subject
	for _, text := range hostile {
		author := "@" + bystander.Login + " fixes #1 | `x` <evil@example.org>"
		subjects = append(subjects, world.Subject{Author: author, Text: text})
	}
	_, err = s.Grow(t.Context(), "odoo", hotfix, subjects...)
	must(t, err)
	s.wantRun("./odoo opened")
	pr := s.one()

	var rendered strings.Builder
	must(t, s.renderMarkdown(pr.Body, &rendered))
	page := rendered.String()
	for _, bad := range []string{"<img", "<script", "evil.example\"", "<del>", "class=\"mention\"", "ref-issue", "\u202e"} {
		if strings.Contains(page, bad) {
			t.Errorf("the rendered text has %q:\n%s", bad, page)
		}
	}
	if n := strings.Count(page, "</details>"); n != 1 {
		t.Errorf("%d </details>, want 1", n)
	}
	s.merge(pr.Number)
	var first struct{ State string }
	s.api(http.MethodGet, "/issues/1", nil, &first)
	if first.State != "open" {
		t.Errorf("the issue is %s after the merge", first.State)
	}
	for _, e := range s.events() {
		// An upstream on the same forge refers to the issue by itself.
		if e.Type != "commit_ref" || !strings.Contains(e.Body, "/"+s.Upstream.Login+"/odoo/commit/") {
			t.Errorf("the issue was referred to: %+v", e)
		}
	}
	var mentions []struct{ ID int }
	must(t, s.Server.API(t.Context(), bystander, http.MethodGet, "/repos/issues/search?type=pulls&mentioned=true&state=all", nil, &mentions))
	if len(mentions) > 0 {
		t.Errorf("the bystander was mentioned: %v", mentions)
	}
	golden(t, "testdata/hostile.md", strings.ReplaceAll(anonymous(s, pr.Body), s.Owner.Login, "acme"))
}

// event is something that happened to an issue.
type event struct{ Type, Body string }

// events lists what happened to issue 1.
func (s *stage) events() (events []event) {
	s.t.Helper()
	s.api(http.MethodGet, "/issues/1/timeline", nil, &events)
	return events
}

// renderMarkdown has Gitea render a text as it does in a pull request.
func (s *stage) renderMarkdown(text string, out *strings.Builder) error {
	return s.Server.APIText(s.t.Context(), s.Owner, http.MethodPost, "/markdown",
		map[string]any{"Text": text, "Mode": "comment", "Context": s.Server.URL + "/" + s.Image, "Wiki": false}, out)
}

// Bad input: a clear error with file and line, and nothing pushed.
func TestBadInputPushesNothing(t *testing.T) {
	s := newStage(t)
	lock := s.file("main", "repos.lock.yaml")
	good := map[string]string{"repos.yaml": s.repos, "repos.lock.yaml": lock}
	conflict := strings.Replace(lock, "./oca/server-tools:", "<<<<<<< HEAD\n./oca/server-tools:\n=======\n>>>>>>> theirs", 1)
	cases := []struct {
		name, file, content, want string
	}{
		{"unknown ref", "repos.yaml", strings.Replace(s.repos, "oca 17.0", "oca 17.O", 1), "repos.yaml:18: ./oca/server-tools: merge \"oca 17.O\" not found on "},
		{"unreachable remote", "repos.yaml", strings.Replace(s.repos, "/server-tools.git", "/nowhere.git", 1), "repos.yaml:16: remote oca: "},
		{"empty", "repos.yaml", "\n", "repos.yaml:1: declares no destination"},
		{"binary", "repos.yaml", "\x00\x01\x02", "repos.yaml:1: is a binary file"},
		{"CRLF", "repos.yaml", strings.ReplaceAll(s.repos, "\n", "\r\n"), "repos.yaml:1: has CRLF line ends"},
		{"5 MB", "repos.yaml", s.repos + strings.Repeat("# padding\n", 500_000), "gitea "},
		{"local path", "repos.yaml", strings.Replace(s.repos, s.URL("odoo"), "/etc", 1), "repos.yaml:5: remote odoo: /etc: the file protocol is not allowed here"},
		{"conflict in the lock", "repos.lock.yaml", conflict, "repos.lock.yaml:16: has a merge conflict marker"},
		{"unknown key", ".odyssey.yaml", "merge:\n  enabled: true\n", ".odyssey.yaml:1: "},
	}
	for _, c := range cases {
		if c.name == "empty" { // what cannot be resolved hinders no other merge, what cannot be read hinders all
			s.grow("odoo", hotfix, "[FIX] stock: one")
		}
		s.commit(c.name, map[string]string{c.file: c.content})
		s.proxy.Forget()
		_, stderr, err := s.Run(t.Context(), "--quiet")
		if err == nil || !strings.Contains(stderr, "error: "+s.Image+": "+c.want) {
			t.Errorf("%s: err %v, want %q in\n%s", c.name, err, c.want, stderr)
		}
		if writes := s.writes(); len(writes) > 0 || len(s.branches()) > 0 {
			t.Errorf("%s: wrote %v", c.name, writes)
		}
		s.commit("Mend", good)
		if c.file == ".odyssey.yaml" {
			s.commit("Mend", map[string]string{c.file: ""})
		}
	}
	_, err := s.Server.Push(t.Context(), s.Owner, s.Image,
		giteatest.Commit{Branch: "main", Message: "Remove", Files: map[string]giteatest.File{"repos.yaml": {Mode: "delete"}}},
		giteatest.Commit{Branch: "main", Message: "A directory", Files: map[string]giteatest.File{"repos.yaml/x": {Content: "x"}}})
	must(t, err)
	_, stderr, err := s.Run(t.Context(), "--quiet")
	if err == nil || !strings.Contains(stderr, "repos.yaml") || !strings.Contains(stderr, "directory") || len(s.branches()) > 0 {
		t.Errorf("directory: err %v\n%s", err, stderr)
	}
}

// T1: neither the bot's token nor a git credential shows in what the program
// prints, and a private upstream is read with a credential from the file.
func TestFault_T1_SecretsStayOut(t *testing.T) {
	s := newStage(t)
	must(t, s.Server.NewRepo(t.Context(), s.Upstream, "private", giteatest.RepoOptions{Empty: true, Private: true}))
	s.grow("private", "17.0", "[ADD] secret sauce")
	s.Credentials = s.path("git-credentials")
	credential := strings.Replace(s.Server.URL, "://", "://"+s.Upstream.Login+":"+s.Upstream.Token+"@", 1)
	must(t, os.WriteFile(s.Credentials, []byte(credential+"\n"), 0o600))
	repos := s.repos + "\n./private:\n  remotes:\n    acme: " + s.URL("private") + "\n  merges:\n    - acme 17.0\n"
	locked, err := s.Lock(t.Context(), repos, "")
	must(t, err)
	s.commit("Private", map[string]string{"repos.yaml": repos, "repos.lock.yaml": locked})
	s.grow("private", "17.0", "[IMP] more sauce")
	outcomes, stderr, err := s.Run(t.Context(), "--log-level=debug")
	must(t, err)
	bad := *s.World
	bad.Bot.Token = "canary-of-a-wrong-token"
	_, refused, err := bad.Run(t.Context(), "--log-level=debug")
	if err == nil {
		t.Error("a wrong token was accepted")
	}
	said := fmt.Sprint(outcomes) + stderr + refused + s.one().Body + s.file("odyssey/merge/private", "repos.lock.yaml")
	for _, secret := range []string{s.Bot.Token, s.Upstream.Token, bad.Bot.Token} {
		if strings.Contains(said, secret) {
			t.Errorf("a secret was printed:\n%s", said)
		}
	}
	after, err := os.ReadFile(s.Credentials)
	must(t, err)
	if string(after) != credential+"\n" {
		t.Error("the credentials file was changed")
	}
}
