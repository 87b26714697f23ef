package docs

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// place is a row of the table that says what odyssey.yaml must name where the
// bot runs in that way.
type place struct {
	secrets, store, status string
}

// rowRE finds such a row by the file that it links to.
var rowRE = regexp.MustCompile("(?m)^ *\\| \\[[^]]+\\]\\(operating/([^)]+)\\).* \\| `([^`]+)` \\| (.+) \\| `([^`]+)` \\|$")

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// places are the rows of the table by file.
func places(t *testing.T) map[string]place {
	t.Helper()
	all := map[string]place{}
	for _, row := range rowRE.FindAllStringSubmatch(read(t, operating+".md"), -1) {
		all[row[1]] = place{secrets: row[2], store: strings.Trim(row[3], "`"), status: row[4]}
	}
	return all
}

// commented is what the comment at the head of a file says that odyssey.yaml
// must name.
func commented(text, key string) (string, bool) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "#   "+key+": "); ok {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// What the table says is what the unit and the compose file give, and what
// their own comments say.
func TestPlaces(t *testing.T) {
	t.Parallel()
	all := places(t)
	if len(all) != 3 {
		t.Fatalf("there are %d places: %v", len(all), all)
	}
	for _, name := range []string{"odyssey-bot.service", "compose.yaml"} {
		text, at := read(t, operating+"/"+name), all[name]
		for key, want := range map[string]string{
			"store": at.store, "statusListen": at.status,
			"tokenFile": at.secrets + "gitea-token", "webhookSecretFile": at.secrets + "webhook-secret",
		} {
			if got, ok := commented(text, key); !ok || got != want {
				t.Errorf("%s says %s: %s; the table says %s", name, key, got, want)
			}
		}
	}

	unit, at := strings.Split(read(t, operating+"/odyssey-bot.service"), "\n"), all["odyssey-bot.service"]
	for _, line := range []string{
		"StateDirectory=" + path.Base(path.Dir(at.store)),
		"LoadCredential=gitea-token:/etc/odyssey/secrets/gitea-token", "LoadCredential=webhook-secret:/etc/odyssey/secrets/webhook-secret",
	} {
		if !slices.Contains(unit, line) {
			t.Errorf("the unit lacks %s", line)
		}
	}
	if at.secrets != "/run/credentials/odyssey-bot.service/" || path.Dir(path.Dir(at.store)) != "/var/lib" {
		t.Errorf("systemd gives the unit no %s and no %s", at.secrets, at.store)
	}

	compose, at := read(t, operating+"/compose.yaml"), all["compose.yaml"]
	for _, line := range []string{":" + strings.TrimSuffix(at.secrets, "/") + ":ro\n", "state:" + path.Dir(at.store) + "\n"} {
		if !strings.Contains(compose, line) {
			t.Errorf("compose.yaml has no volume with %s", line)
		}
	}

	manifest, at := read(t, operating+"/kubernetes.yaml"), all["kubernetes.yaml"]
	for _, line := range []string{
		"statusListen: " + at.status + "\n", "storeURLFile: " + at.secrets + "store-url\n", "tokenFile: " + at.secrets + "gitea-token\n",
		"mountPath: " + strings.TrimSuffix(at.secrets, "/") + ",",
	} {
		if !strings.Contains(manifest, line) {
			t.Errorf("kubernetes.yaml lacks %s", line)
		}
	}
}
