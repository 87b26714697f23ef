package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nuobit/odyssey/internal/config"
	"github.com/nuobit/odyssey/internal/secret"
)

const exampleServer = `version: 1
forges:
  - kind: gitea
    url: https://git.example.com/
    tokenFile: secrets/token
    repositories: [acme/shop]
  - name: second
    kind: forgejo
    url: http://127.0.0.1:3000/git
    tokenFile: /run/secrets/second
    repositories: [acme/shop, a.b/c_d]
git:
  credentialsFile: secrets/git
  allow: ["http://127.0.0.1:3000/"]
identity:
  name: shop-bot
`

func TestParseServer(t *testing.T) {
	t.Parallel()
	got, err := config.ParseServer("/etc/odyssey/odyssey.yaml", []byte(exampleServer))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Server{
		Version: 1,
		Forges: []config.Forge{
			{
				Name: "gitea", Kind: "gitea", URL: "https://git.example.com",
				TokenFile: "/etc/odyssey/secrets/token", Repositories: []string{"acme/shop"},
			},
			{
				Name: "second", Kind: "forgejo", URL: "http://127.0.0.1:3000/git",
				TokenFile: "/run/secrets/second", Repositories: []string{"acme/shop", "a.b/c_d"},
			},
		},
		Git:        config.Git{CredentialsFile: "/etc/odyssey/secrets/git", Allow: []string{"http://127.0.0.1:3000/"}},
		Identity:   config.Identity{Name: "shop-bot", Email: "odyssey-bot@users.noreply.localhost"},
		Onboarding: true, Python: config.ServerPython{Advisories: "https://api.osv.dev"}, Store: "/etc/odyssey/odyssey.db", Listen: ":8080", StatusListen: "127.0.0.1:8081",
		Workers: 4, Drain: 30 * time.Second, Sweep: 15 * time.Minute, Keep: 720 * time.Hour,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(secret.Text{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseServer_errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, in string
		want     []string
	}{
		{"empty", "# nothing\n", []string{":1: lacks forges"}},
		{
			"all at once, by line", `forges:
  - url: ftp://h
    tokenfile: x
    repositories:
      - a
      - b/c
      - B/C
  - kind: gitlab
    url: https://u:hunter2@h
    tokenFile: ""
    repositories: [../x]
  - kind: gitea
    url: https:///x
    tokenFile: t
    repositories: [a/b]
  - kind: gitea
    url: https://h?token=hunter2
    tokenFile: t
    repositories: []
  - kind: gitea
    name: gitea
    url: "https://h:x"
    tokenFile: t
    repositories: [a/b]
git:
  allow: [127.0.0.1, "http://u:hunter2@h/", "ext::sh"]
identity: {name: "<", email: x}
`,
			[]string{
				":2: forges[0]: lacks kind",
				":2: forges[0].url: the URL must begin with https:// or http://\n  for example: https://git.example.com",
				":3: forges[0]: unknown key \"tokenfile\"\n  did you mean tokenFile?",
				":5: forges[0].repositories[0]: \"a\" does not match ^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$\n  for example: owner/name",
				":7: forges[0].repositories[2]: \"B/C\" is watched already, see line 6",
				":8: forges[1].kind: expected gitea or forgejo or github, not \"gitlab\"\n  did you mean gitea or github?",
				":9: forges[1].url: the URL must not hold a user name or password; the token goes into tokenFile\n  for example: https://git.example.com",
				":10: forges[1].tokenFile: must not be empty\n  for example: /run/secrets/gitea-token",
				":11: forges[1].repositories[0]: \"../x\" does not match ^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$\n  for example: owner/name",
				":13: forges[2].url: the URL has no host\n  for example: https://git.example.com",
				":16: forges[3].name: the name \"gitea\" is taken, see line 12\n  give each forge a name of its own",
				":17: forges[3].url: the URL must not have a query or fragment\n  for example: https://git.example.com",
				":21: forges[4].name: the name \"gitea\" is taken, see line 12\n  give each forge a name of its own",
				":22: forges[4].url: is no valid URL\n  for example: https://git.example.com",
				":26: git.allow[0]: ",
				":26: git.allow[1]: ",
				":26: git.allow[2]: ",
				":27: identity.name: \"<\" does not match ^[^\\x00-\\x20\\x7f-\\xa0<>][^\\x00-\\x1f\\x7f-\\x9f<>]*$",
				":27: identity.email: \"x\" does not match ^[A-Za-z0-9._%+\\[\\]-]+@[A-Za-z0-9.-]+$",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.ParseServer("f.yaml", []byte(test.in))
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a password is printed: %v", err)
			}
			got := faults(t, err)
			for i := range got { // what is wrong with a prefix is gitname's matter
				if at := strings.Index(got[i], "git.allow["); at >= 0 {
					got[i] = got[i][:at+len("git.allow[0]: ")]
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// installed writes the files of an installation and returns the path of its
// odyssey.yaml.
func installed(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "odyssey.yaml")
}

const smallServer = `forges:
- {kind: gitea, url: "https://h", tokenFile: token, repositories: [a/b]}
- {kind: forgejo, url: "https://h", tokenFile: token2, repositories: [a/c]}
git: {credentialsFile: credentials}
`

func TestLoadServer(t *testing.T) {
	t.Parallel()
	path := installed(t, map[string]string{"odyssey.yaml": smallServer, "token": "first\n", "..data": "second", "credentials": "https://u:p@h\n"})
	dir := filepath.Dir(path)
	// As Kubernetes mounts a secret.
	if err := os.Symlink("..data", filepath.Join(dir, "token2")); err != nil {
		t.Fatal(err)
	}
	server, err := config.LoadServer(path)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := server.Forges[0].Token.Reveal(), server.Forges[1].Token.Reveal(); a != "first" || b != "second" {
		t.Errorf("tokens %q, %q", a, b)
	}
	if len(server.Warnings) > 0 {
		t.Errorf("warnings: %q", server.Warnings)
	}
	for name, mode := range map[string]fs.FileMode{"..data": 0o440, "token": 0o644, "credentials": 0o604} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if server, err = config.LoadServer(path); err != nil {
		t.Fatal(err)
	}
	want := []string{
		path + ":2: " + dir + "/token can be read by everybody (mode 0644); run: chmod o= " + dir + "/token",
		path + ":4: " + dir + "/credentials can be read by everybody (mode 0604); run: chmod o= " + dir + "/credentials",
	}
	if diff := cmp.Diff(want, server.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestLoadServer_errors(t *testing.T) {
	t.Parallel()
	const canary = "s3cr3t"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"no files", nil, []string{":2: forges[0].tokenFile: stat DIR/token: no such file or directory", ":3: forges[1].tokenFile: stat DIR/token2: no such file or directory", ":4: git.credentialsFile: stat DIR/credentials: no such file or directory"}},
		{"empty, two lines", map[string]string{"token": "\n", "token2": canary + "\n" + canary, "credentials": ""}, []string{":2: forges[0].tokenFile: DIR/token is empty", ":3: forges[1].tokenFile: DIR/token2 has more than one line"}},
		{"large, with a space", map[string]string{"token": strings.Repeat("a", 4097), "token2": canary + " " + canary, "credentials": ""}, []string{":2: forges[0].tokenFile: DIR/token is larger than 4 KiB", ":3: forges[1].tokenFile: DIR/token2 has a character that no token has: a space, a control character or one beyond ASCII"}},
		{"directories", map[string]string{"token/": "", "token2": strings.Repeat("a", 4096), "credentials/": ""}, []string{":2: forges[0].tokenFile: DIR/token is not a regular file", ":4: git.credentialsFile: DIR/credentials is not a regular file"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := installed(t, map[string]string{"odyssey.yaml": smallServer})
			for name, content := range test.files {
				var err error
				if full := filepath.Join(filepath.Dir(path), name); strings.HasSuffix(name, "/") {
					err = os.Mkdir(full, 0o700)
				} else {
					err = os.WriteFile(full, []byte(content), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			_, err := config.LoadServer(path)
			if err == nil || strings.Contains(err.Error(), canary) {
				t.Fatalf("got %v", err)
			}
			text := strings.ReplaceAll(strings.ReplaceAll(err.Error(), path, ""), filepath.Dir(path), "DIR")
			if diff := cmp.Diff(test.want, strings.Split(text, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLoadServer_allFaults: faults of the file and of the files it names come
// together.
func TestLoadServer_allFaults(t *testing.T) {
	t.Parallel()
	path := installed(t, map[string]string{"odyssey.yaml": "version: 2\n" + smallServer, "token": "a", "credentials": ""})
	_, err := config.LoadServer(path)
	if err == nil || !strings.Contains(err.Error(), "version: expected 1, not 2") || !strings.Contains(err.Error(), "token2: no such file") {
		t.Errorf("got %v", err)
	}
	if _, err := config.LoadServer(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// key is no RSA key, which is the driver's matter, but PEM.
const key = "-----BEGIN RSA PRIVATE KEY-----\naHVudGVyMg==\n-----END RSA PRIVATE KEY-----\n"

func TestLoadServer_github(t *testing.T) {
	t.Parallel()
	path := installed(t, map[string]string{
		"odyssey.yaml": `forges:
- {kind: github, appID: 123, privateKeyFile: key.pem, repositories: [a/b]}
- {name: enterprise, kind: github, url: "https://github.example.com/", apiURL: "https://api.example.com/v3/", tokenFile: token, repositories: [a/b]}
`,
		"key.pem": key, "token": "t\n",
	})
	server, err := config.LoadServer(path)
	if err != nil {
		t.Fatal(err)
	}
	app, plain := server.Forges[0], server.Forges[1]
	if app.URL != "https://github.com" || app.Name != "github" || app.AppID != 123 || app.PrivateKey.Reveal() != key || app.Token.Reveal() != "" {
		t.Errorf("App: %+v", app)
	}
	if plain.URL != "https://github.example.com" || plain.APIURL != "https://api.example.com/v3" || plain.Token.Reveal() != "t" || plain.PrivateKey.Reveal() != "" {
		t.Errorf("token: %+v", plain)
	}
	for name, c := range map[string]struct{ key, want string }{
		"no PEM":    {"hunter2", "holds no private key in PEM"},
		"public":    {strings.ReplaceAll(key, "RSA PRIVATE", "PUBLIC"), "holds no private key in PEM"},
		"encrypted": {strings.ReplaceAll(key, "RSA", "ENCRYPTED"), "needs a password"},
		"two":       {key + key, "more than one private key"},
		"large":     {strings.Repeat("a", 5000), "larger than 4 KiB"},
	} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "key.pem"), []byte(c.key), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.LoadServer(path)
		if err == nil || !strings.Contains(err.Error(), ":2: forges[0].privateKeyFile: ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "aHVud") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
