package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/internal/config"
)

// T3: a token goes over http:// to this machine alone, unless somebody says
// otherwise.
func TestFault_T3_PlainHTTP(t *testing.T) {
	t.Parallel()
	const (
		refused = "everybody on the way to an http:// URL sees the bot's token\n  write https://, or add allowHTTP: true where nobody else is on the way"
		gitea   = "kind: gitea, tokenFile: t"
		github  = "kind: github, tokenFile: t"
	)
	for forge, want := range map[string]string{
		gitea + ", url: 'https://git.example.com'":                  "",
		gitea + ", url: 'http://git.example.com'":                   ":1: forges[0].url: " + refused,
		gitea + ", url: 'HTTP://git.example.com/forge'":             ":1: forges[0].url: " + refused,
		gitea + ", url: 'http://10.0.0.1:3000'":                     ":1: forges[0].url: " + refused,
		gitea + ", url: 'http://localhost.example.com'":             ":1: forges[0].url: " + refused,
		gitea + ", url: 'http://127.0.0.1.example.com'":             ":1: forges[0].url: " + refused,
		gitea + ", url: 'http://git.example.com', allowHTTP: false": ":1: forges[0].url: " + refused,
		gitea + ", url: 'http://git.example.com', allowHTTP: true":  "",
		gitea + ", url: 'http://127.0.0.1:3000'":                    "",
		gitea + ", url: 'http://[::1]:3000'":                        "",
		gitea + ", url: 'http://localhost'":                         "",
		gitea + ", url: 'http://git.localhost.:3000'":               "",
		github: "",
		github + ", url: 'http://ghe.example.com'":                    ":1: forges[0].url: " + refused,
		github + ", apiURL: 'http://ghe.example.com/api/v3'":          ":1: forges[0].apiURL: " + refused,
		github + ", apiURL: 'http://ghe.example.com', allowHTTP: yes": ":1: forges[0].allowHTTP: ",
	} {
		_, err := config.ParseServer("f", fmt.Appendf(nil, "forges: [{%s, repositories: [a/b]}]\n", forge))
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && !strings.Contains(got, want) {
			t.Errorf("%s: %v, want %q", forge, err, want)
		}
	}
}

// The private key of an App is warned of like every other secret.
func TestLoadServer_exposedKey(t *testing.T) {
	t.Parallel()
	path := installed(t, map[string]string{
		"odyssey.yaml": "forges:\n- kind: github\n  appID: 1\n  privateKeyFile: key.pem\n  repositories: [a/b]\n",
		"key.pem":      "-----BEGIN RSA PRIVATE KEY-----\nMA==\n-----END RSA PRIVATE KEY-----\n",
	})
	key := filepath.Join(filepath.Dir(path), "key.pem")
	if server, err := config.LoadServer(path); err != nil || len(server.Warnings) > 0 {
		t.Fatalf("warnings %q, error %v", server.Warnings, err)
	}
	if err := os.Chmod(key, 0o604); err != nil {
		t.Fatal(err)
	}
	server, err := config.LoadServer(path)
	if err != nil || len(server.Warnings) != 1 || !strings.Contains(server.Warnings[0], ":4: "+key+" can be read by everybody (mode 0604)") {
		t.Errorf("warnings %q, error %v", server.Warnings, err)
	}
}
