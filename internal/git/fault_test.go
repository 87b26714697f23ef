package git_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nuobit/odyssey/internal/git"
	"github.com/nuobit/odyssey/internal/gitname"
	"github.com/nuobit/odyssey/test/gitserver"
)

// ask calls everything that takes a URL and refs, and returns the errors.
func ask(ctx context.Context, c *git.Client, url, ref string) map[string]error {
	id := strings.Repeat("a", 40)
	_, resolve := c.Resolve(ctx, url, []string{ref})
	_, refs := c.Refs(ctx, url)
	_, histories := c.Histories(ctx, url, []git.Range{{Old: id, New: id}})
	return map[string]error{"Resolve": resolve, "Refs": refs, "Histories": histories}
}

// Nothing is started for a name that is none, so nothing can take it for an
// option.
func TestFault_G1_NothingStarts(t *testing.T) { //nolint:paralleltest // the PATH is the process's
	called := decoys(t)
	c := git.New(options())
	for _, ref := range []string{"-x", "--upload-pack=touch canary", "$(id)", "a\nb", "a\n--x", "", "a..b", "a b", "x:y", "+x", "refs/heads/-\x00"} {
		if _, err := c.Resolve(t.Context(), "https://git.example/r", []string{"main", ref}); err == nil {
			t.Errorf("the ref %q passes", ref)
		}
		if _, err := c.Histories(t.Context(), "https://git.example/r", []git.Range{{Old: ref, New: strings.Repeat("a", 40)}}); err == nil {
			t.Errorf("the commit %q passes", ref)
		}
	}
	for _, url := range []string{
		"-x", "--upload-pack=touch canary", "$(id)", "https://git.example/$(id)", "https://git.example/a\nb", "-oProxyCommand=x@h:r", "git@-oProxyCommand=x:r", "git@h:-x", "",
		"ext::touch canary", "EXT::touch canary", "ext::sh -c touch% canary", "fd::3", "ssh://-oProxyCommand=touch/r", "ssh://-oProxyCommand=touch%20canary/r", "HTTP://git.example/r", "ftp://git.example/r",
	} {
		for name, err := range ask(t.Context(), c, url, "main") {
			if err == nil {
				t.Errorf("%s: the URL %q passes", name, url)
			}
		}
	}
	o := options()
	o.Policy = gitname.Operator(false)
	for _, url := range []string{"file:///srv/r", "/srv/r", "./r", "../r"} {
		for name, err := range ask(t.Context(), git.New(o), url, "main") {
			if err == nil || !strings.Contains(err.Error(), "--allow-file-remotes") {
				t.Errorf("%s: %q: %v", name, url, err)
			}
		}
	}
	for _, url := range []string{"http://git.example/r", "git://git.example/r", "/srv/r", "https://127.0.0.1/r", "https://2130706433/r", "https://127.1/r", "ssh://localhost/r", "https://[::ffff:127.0.0.1]/r"} {
		for name, err := range ask(t.Context(), bot(t), url, "main") {
			if err == nil {
				t.Errorf("%s: the bot asks %q", name, url)
			}
		}
	}
	if got := called(); got != "" {
		t.Errorf("programs were started:\n%s", got)
	}
}

// Names that are allowed and look odd stay what they are: words of their own,
// behind a "--".
func TestFault_G1_Arguments(t *testing.T) { //nolint:paralleltest // the PATH is the process's
	called := decoys(t)
	o := options()
	o.Attempts = 1
	c := git.New(o)
	for _, url := range []string{"ssh://git@git.example:22/~x/-r", "git@git.example:o/-r", "git://git.example/o/-r", "https://git.example/o/-r", "ssh://git.example/it%27s"} {
		ask(t.Context(), c, url, "refs/heads/-x")
	}
	// The words of each call, one a line.
	afterDashes, want := false, 0
	for word := range strings.Lines(called()) {
		word = strings.TrimSuffix(word, "\n")
		switch {
		case strings.HasPrefix(word, "/"): // the program's own path
			afterDashes = false
		case word == "--":
			afterDashes = true
			want++
		case strings.Contains(word, "git.example") && !afterDashes && !strings.HasPrefix(word, "http"):
			t.Errorf("%q stands before --", word)
		case afterDashes && strings.HasPrefix(word, "-"):
			t.Errorf("%q stands after -- and looks like an option", word)
		}
	}
	if want == 0 {
		t.Errorf("nothing was called with --:\n%s", called())
	}
}

// hostileRepository is a working directory whose git configuration would run
// programs and send requests elsewhere.
func hostileRepository(t *testing.T, canary, elsewhere string) {
	t.Helper()
	dir := t.TempDir()
	config := `[core]
	repositoryformatversion = 0
	sshCommand = touch ` + canary + `
	gitProxy = touch ` + canary + `
	fsmonitor = touch ` + canary + `
	askPass = touch ` + canary + `
	hooksPath = ` + dir + `
[credential]
	helper = !touch ` + canary + `
[http]
	proxy = ` + elsewhere + `
[remote "origin"]
	url = ` + elsewhere + `
	uploadpack = touch ` + canary + `
	proxy = ` + elsewhere + `
[url "` + elsewhere + `"]
	insteadOf = http
[uploadpack]
	packObjectsHook = touch ` + canary + `
[protocol "ext"]
	allow = always
`
	for path, data := range map[string]string{".git/config": config, ".git/HEAD": "ref: refs/heads/main\n", ".git/refs/x": "", ".git/objects/x": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// The repository that the command is run in, the user's configuration and the
// environment have no say.
func TestFault_G2_Configuration(t *testing.T) { //nolint:paralleltest // the environment is the process's
	canary := filepath.Join(t.TempDir(), "canary")
	srv, elsewhere := gitserver.New(t), gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := repo.Add(t, gitserver.Commit{Branch: "main"}, gitserver.Commit{Branch: "main"})
	srv.RequirePassword("ann", "secret")
	hostileRepository(t, canary, elsewhere.URL)
	config := filepath.Join(t.TempDir(), "gitconfig")
	if err := os.WriteFile(config, []byte("[credential]\n\thelper = !touch "+canary+"\n[url \""+elsewhere.URL+"\"]\n\tinsteadOf = http\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": config, "GIT_CONFIG_SYSTEM": config, "GIT_CONFIG_PARAMETERS": "'credential.helper'='!touch " + canary + "'", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "credential.helper", "GIT_CONFIG_VALUE_0": "!touch " + canary,
		"GIT_SSH_COMMAND": "touch " + canary, "GIT_SSH": "touch", "GIT_ASKPASS": "touch", "SSH_ASKPASS": "touch", "GIT_PROXY_COMMAND": "touch " + canary, "GIT_EXTERNAL_DIFF": "touch", "GIT_ALLOW_PROTOCOL": "ext:file", "GIT_DIR": "/", "GIT_EXEC_PATH": "/nonexistent",
	} {
		t.Setenv(name, value)
	}
	file, _ := credentials(t, strings.Replace(srv.URL, "://", "://ann:secret@", 1))
	o := options()
	o.Environ, o.CredentialsFile = os.Environ(), file
	c := git.New(o)
	got, err := c.Resolve(t.Context(), repo.URL, []string{"main"})
	if err != nil || got["main"] != ids[1] {
		t.Errorf("got %v, %v", got, err)
	}
	histories, err := c.Histories(t.Context(), repo.URL, []git.Range{{Old: ids[0], New: ids[1]}})
	if err != nil || histories[0].Ahead != 1 {
		t.Errorf("got %+v, %v", histories, err)
	}
	o.CredentialsFile = ""
	if _, err := git.New(o).Resolve(t.Context(), repo.URL, []string{"main"}); !errors.Is(err, git.ErrRefused) {
		t.Errorf("without credentials: %v", err)
	}
	o.Timeout, o.Attempts = 500*time.Millisecond, 1
	if _, err := git.New(o).Resolve(t.Context(), "git://"+srv.Host()+"/r", []string{"main"}); err == nil {
		t.Error("an http server speaks git's own protocol")
	}
	if _, err := c.Conflicts(t.Context(), nil, []byte("a\n"), []byte("b\n")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(canary); !os.IsNotExist(err) {
		t.Errorf("a program of the configuration ran: %v", err)
	}
	if requests := elsewhere.Requests(); len(requests) > 0 {
		t.Errorf("requests went elsewhere: %+v", requests)
	}
}

// canary is a password that must not show anywhere.
const canary = "canary-2f6b1c"

func TestFault_T1_Git(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	ids := repo.Add(t, gitserver.Commit{Branch: "main"}, gitserver.Commit{Branch: "main"})
	line := strings.Replace(srv.URL, "://", "://ann:"+canary+"@", 1)
	file, setting := credentials(t, line, "https://eve:other@git.example")
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	srv.RequirePassword("ann", canary)
	seen := 0
	srv.Watch(func(r *http.Request) {
		for _, words := range processes(t, setting) {
			seen++
			if strings.Contains(words, canary) {
				t.Errorf("%s %s: a command line: %s", r.Method, r.URL, words)
			}
		}
	})
	o := options()
	o.CredentialsFile, o.Attempts = file, 1
	c := git.New(o)
	if got, err := c.Resolve(t.Context(), repo.URL, []string{"main"}); err != nil || got["main"] != ids[1] {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := c.Histories(t.Context(), repo.URL, []git.Range{{Old: ids[0], New: ids[1]}}); err != nil {
		t.Error(err)
	}
	if seen < 4 {
		t.Errorf("only %d command lines were looked at", seen)
	}
	// Refused, the credential is not erased, and not told.
	srv.RequirePassword("ann", "changed")
	for name, err := range ask(t.Context(), c, repo.URL, "main") {
		if !errors.Is(err, git.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
		if failed := (*git.Error)(nil); strings.Contains(err.Error(), canary) || errors.As(err, &failed) && strings.Contains(strings.Join(failed.Args, " ")+failed.Stderr, canary) {
			t.Errorf("%s: the error has it: %v", name, err)
		}
	}
	after, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil || string(data) != line+"\nhttps://eve:other@git.example\n" || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Errorf("the credentials file was touched: %q, %v", data, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("something is left beside it: %v, %v", entries, err)
	}
}

// What a server says may hold what it was told.
func TestFault_T1_Echo(t *testing.T) {
	t.Parallel()
	srv := gitserver.New(t)
	repo := srv.Repo(t, "r")
	srv.Fail(-1, saying("ERR https://ann:"+canary+"@host/x was refused\n"))
	_, err := git.New(options()).Resolve(t.Context(), repo.URL, []string{"main"})
	if err == nil || strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "https://[redacted]@host/x was refused") {
		t.Errorf("got %v", err)
	}
}

// A redirect out of what is allowed is not followed, and no credential goes
// there.
func TestFault_G4_Redirect(t *testing.T) {
	t.Parallel()
	allowed, second := gitserver.New(t), gitserver.New(t)
	repo := allowed.Repo(t, "r")
	second.Repo(t, "r").Commit(t, "main", nil)
	ids := repo.Add(t, gitserver.Commit{Branch: "main"}, gitserver.Commit{Branch: "main"})
	c := bot(t, allowed.URL)
	if got, err := c.Resolve(t.Context(), repo.URL, []string{"main"}); err != nil || got["main"] != ids[1] {
		t.Fatalf("the allowed server: %v, %v", got, err)
	}
	if histories, err := c.Histories(t.Context(), repo.URL, []git.Range{{Old: ids[0], New: ids[1]}}); err != nil || histories[0].Ahead != 1 {
		t.Fatalf("the allowed server: %v, %v", histories, err)
	}
	allowed.Fail(-1, gitserver.Redirect(second.URL))
	for name, err := range ask(t.Context(), c, repo.URL, "main") {
		if err == nil {
			t.Errorf("%s followed a redirect", name)
		}
	}
	// In the middle of a conversation.
	allowed.Fail(0, nil)
	allowed.Watch(func(r *http.Request) {
		if r.Method == http.MethodPost {
			allowed.Fail(1, gitserver.Redirect(second.URL))
		}
	})
	for name, err := range ask(t.Context(), c, repo.URL, "main") {
		if err == nil {
			t.Errorf("%s followed a redirect of a post", name)
		}
	}
	if requests := second.Requests(); len(requests) > 0 {
		t.Errorf("the second server was asked: %+v", requests)
	}
	if _, err := c.Resolve(t.Context(), second.URL+"/r.git", []string{"main"}); err == nil {
		t.Error("the second server is not allowed, and was asked")
	}
	if requests := second.Requests(); len(requests) > 0 {
		t.Errorf("the second server was asked: %+v", requests)
	}
}

// An operator's redirects are followed, to another server without the
// credentials of the first.
func TestFault_G4_RedirectCredentials(t *testing.T) {
	t.Parallel()
	first, second := gitserver.New(t), gitserver.New(t)
	repo := first.Repo(t, "r")
	id := second.Repo(t, "r").Commit(t, "main", nil)
	file, _ := credentials(t, strings.Replace(first.URL, "://", "://ann:"+canary+"@", 1))
	first.Fail(-1, gitserver.Redirect(second.URL))
	second.Watch(func(r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("the second server got %q", r.Header.Get("Authorization"))
		}
	})
	o := options()
	o.CredentialsFile = file
	got, err := git.New(o).Resolve(t.Context(), repo.URL, []string{"main"})
	if err != nil || got["main"] != id {
		t.Errorf("got %v, %v", got, err)
	}
	second.RequirePassword("eve", "other")
	if _, err := git.New(o).Resolve(t.Context(), repo.URL, []string{"main"}); !errors.Is(err, git.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// Behind a proxy, the proxy is asked for everything that is not named in
// git.allow: what NO_PROXY lists would be dialled without a check.
func TestFault_G4_NoProxy(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	asked := make(chan string, 10)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				close(asked)
				return
			}
			line := make([]byte, 200)
			n, _ := conn.Read(line)
			first, _, _ := strings.Cut(string(line[:n]), "\r")
			asked <- first
			_ = conn.Close()
		}
	}()
	srv := gitserver.New(t)
	id := srv.Repo(t, "r").Commit(t, "main", nil)
	policy, err := gitname.Bot([]string{srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Policy, o.Attempts, o.Timeout = policy, 1, 10*time.Second
	proxy := "http://" + listener.Addr().String()
	o.Environ = []string{"PATH=" + os.Getenv("PATH"), "HTTPS_PROXY=" + proxy, "https_proxy=" + proxy, "http_proxy=" + proxy, "NO_PROXY=*", "no_proxy=*"}
	c := git.New(o)
	if _, err := c.Resolve(t.Context(), "https://internal.example/r", []string{"main"}); err == nil {
		t.Error("a proxy that hangs up answers")
	}
	if got, err := c.Resolve(t.Context(), srv.URL+"/r.git", []string{"main"}); err != nil || got["main"] != id {
		t.Errorf("what git.allow names follows NO_PROXY: %v, %v", got, err)
	}
	_ = listener.Close()
	var all []string
	for line := range asked {
		all = append(all, line)
	}
	if len(all) != 1 || all[0] != "CONNECT internal.example:443 HTTP/1.1" {
		t.Errorf("the proxy was asked %q", all)
	}
}
