package docs

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nuobit/odyssey/test/giteatest"
)

func TestMain(m *testing.M) { os.Exit(giteatest.Main(m)) }

// The call that the text shows makes a webhook with the events that the text
// names, and no other.
func TestWebhook(t *testing.T) {
	t.Parallel()
	srv := giteatest.New(t)
	owner, err := srv.NewUser(t.Context(), "owner")
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.API(t.Context(), owner, http.MethodPost, "/orgs", map[string]any{"username": "acme"}, nil); err != nil {
		t.Fatal(err)
	}
	token, err := srv.NewToken(t.Context(), owner, "webhooks", "write:organization")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"owner-header": "Authorization: token " + token + "\n", "webhook-secret": "0123456789abcdef\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const forge = "https://git.example.com"
	script := strings.ReplaceAll("\n"+block(t, read(t, operating+".md"), "sh\n"), "\n   ", "\n")
	if !strings.Contains(script, forge+"/api/v1/orgs/acme/hooks") {
		t.Fatalf("it does not call %s:\n%s", forge, script)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", strings.ReplaceAll(script, forge, strings.TrimSuffix(srv.URL, "/")))
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, script, answer)
	}
	var hook struct {
		Active bool
		Events []string
		Config map[string]string
	}
	if err := json.Unmarshal(answer, &hook); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	slices.Sort(hook.Events)
	want := []string{"issue_comment", "issues", "pull_request", "pull_request_comment", "pull_request_review", "push", "repository", "workflow_run"}
	if !hook.Active || !slices.Equal(hook.Events, want) || hook.Config["content_type"] != "json" {
		t.Errorf("the webhook is %+v, and should have the events %v", hook, want)
	}
}
