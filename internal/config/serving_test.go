package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuobit/odyssey/internal/config"
)

const servingForge = `forges:
- kind: gitea
  url: https://h
  tokenFile: token
  webhookSecretFile: webhook
  repositories: [a/b]
`

const longSecret = "0123456789abcdef0123456789abcdef"

func TestLoadServing(t *testing.T) {
	t.Parallel()
	const url = "postgres://odyssey:hunter2@db/odyssey"
	path := installed(t, map[string]string{
		"odyssey.yaml": servingForge + "storeURLFile: url\n",
		"token":        "t\n", "webhook": longSecret + "\n", "url": url + "\n",
	})
	server, err := config.LoadServing(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := server.Forges[0].WebhookSecret.Reveal(); got != longSecret {
		t.Errorf("webhook secret %q", got)
	}
	if got := server.StoreURL.Reveal(); got != url || server.Store != "" {
		t.Errorf("store URL %q, store %q", got, server.Store)
	}
	if len(server.Warnings) > 0 {
		t.Errorf("warnings: %q", server.Warnings)
	}
}

func TestLoadServing_errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, in string
		files    map[string]string
		want     []string
	}{
		{
			"no webhook secret", "forges:\n- {kind: gitea, url: 'https://h', tokenFile: token, repositories: [a/b]}\n",
			map[string]string{"token": "t"},
			[]string{":2: forges[0]: lacks webhookSecretFile\n  serve takes signed webhooks alone: openssl rand -hex 32 makes a secret"},
		},
		{
			"all at once", servingForge + "storeURLFile: url\nlisten: ':8081x'\nstatusListen: h\nsweep: 1s\n",
			map[string]string{"token": "t", "url": "mysql://u:hunter2@h\n"},
			[]string{
				":5: forges[0].webhookSecretFile: stat DIR/webhook: no such file or directory",
				":7: storeURLFile: DIR/url holds no URL that begins with postgres://",
				":8: listen: \":8081x\" is no address to listen on\n  for example: 127.0.0.1:8081, [::1]:8081, or :8081 for every interface",
				":9: statusListen: \"h\" is no address to listen on\n  for example: 127.0.0.1:8081, [::1]:8081, or :8081 for every interface",
				":10: sweep: expected a duration from 1m to 24h, not \"1s\"\n  for example: 1m",
			},
		},
		{
			"store", servingForge + "store: postgres://u:hunter2@h/d\nstoreURLFile: url\n",
			map[string]string{"token": "t", "webhook": longSecret, "url": "postgres://h/d"},
			[]string{
				":7: store: is a file, and no URL\n  write the URL into a file, and name that file as storeURLFile",
				":8: storeURLFile: there is a store as well, see line 7\n  keep one of the two",
			},
		},
		{
			"nothing watched", "forges:\n- {kind: gitea, url: 'https://h', tokenFile: token, webhookSecretFile: token}\n- {kind: forgejo, url: 'https://i', tokenFile: token, webhookSecretFile: token, discover: [{}]}\n",
			map[string]string{"token": longSecret},
			[]string{":2: forges[0]: lacks repositories or discover", ":3: forges[1].discover[0]: lacks owner or topic\n  for example: {owner: acme, topic: odyssey}"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"odyssey.yaml": test.in}
			for name, content := range test.files {
				files[name] = content
			}
			path := installed(t, files)
			_, err := config.LoadServing(path)
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("got %v", err)
			}
			text := strings.ReplaceAll(err.Error(), filepath.Dir(path), "DIR")
			got := strings.Split(strings.ReplaceAll(text, "\n  ", "\x00"), "\n")
			for i := range got {
				got[i] = strings.ReplaceAll(strings.TrimPrefix(got[i], "DIR/odyssey.yaml"), "\x00", "\n  ")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLoadServer_unwise: what is allowed but seldom meant is said; who does
// not serve needs no secret for webhooks.
func TestLoadServer_unwise(t *testing.T) {
	t.Parallel()
	path := installed(t, map[string]string{
		"odyssey.yaml": "forges:\n- {kind: gitea, url: 'https://h', tokenFile: token, webhookSecretFile: token, discover: [{owner: a}, {topic: x}]}\n- {kind: forgejo, url: 'https://i', tokenFile: token, repositories: [a/b]}\nstatusListen: ':8081'\n",
		"token":        "short",
	})
	if err := os.Chmod(filepath.Join(filepath.Dir(path), "token"), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := config.LoadServer(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		path + ":2: the secret of 5 bytes can be guessed; openssl rand -hex 32 makes a better one",
		path + ":4: the status pages on :8081 ask for no password; let only those reach them who may read of every watched repository",
		path + ":2: whoever may write to https://h can have a repository watched by giving it the topic \"x\"; add an owner",
	}
	if diff := cmp.Diff(want, server.Warnings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
